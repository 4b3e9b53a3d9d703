"""The promises that tests name, as `interlock verify` prints them."""

from interlock.verify.promises import PROMISES as PROMISES
from interlock.verify.promises import Promise as Promise
