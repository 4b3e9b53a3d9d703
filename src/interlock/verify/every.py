"""All checks, in the order of the promises."""

from interlock.verify.check import Check
from interlock.verify.checks import (
    budgets,
    consent,
    door,
    effects,
    keys,
    ledgers,
    prunings,
    restores,
    rotations,
    secrets,
    stops,
    tokens,
    undos,
    walls,
)
from interlock.verify.promises import PROMISES

_MODULES = (
    *(door, tokens, effects, restores, budgets, consent, stops, undos, walls, secrets, keys, ledgers, prunings),
    rotations,
)

EVERY: tuple[Check, ...] = tuple(
    sorted(
        (check for module in _MODULES for check in module.CHECKS),
        key=lambda check: tuple(PROMISES).index(check.promise),
    )
)
"""Each promise has at least one."""
