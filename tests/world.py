"""What most tests stand on: the scripted world that `interlock verify` stands on too."""

from interlock.verify.world import ALLOW as ALLOW
from interlock.verify.world import ANYTHING as ANYTHING
from interlock.verify.world import HERE as HERE
from interlock.verify.world import KIM as KIM
from interlock.verify.world import MAIL as MAIL
from interlock.verify.world import NOON as NOON
from interlock.verify.world import PROD as PROD
from interlock.verify.world import HandClock as HandClock
from interlock.verify.world import ScriptedTool as ScriptedTool
from interlock.verify.world import Scripts as Scripts
from interlock.verify.world import World as World
from interlock.verify.world import a_budget as a_budget
from interlock.verify.world import a_rule as a_rule
from interlock.verify.world import a_tool as a_tool
