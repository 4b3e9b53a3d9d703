"""The shape of what a contract says of its tools: what they are, who may call them, what is looked up for them."""

from typing import Literal

from interlock.contract.ir import ArgumentRole, OnRepeat
from interlock.contract.scalar import (
    ADDRESS,
    COUNT,
    DURATION,
    EXPRESSION,
    FLAG,
    HOOK_ARGUMENT,
    HOOK_TOOL,
    LABEL_PATH,
    MONEY,
    NAME,
    PATH,
    POSITIVE,
    SOURCE,
    TEXT,
    Leaf,
    one_of,
)
from interlock.contract.shape import AnyJson, Either, Many, Named, Table

EFFECTS = one_of("read", "idempotent", "idempotent_key", "queryable", "transactional", "opaque")
TIERS = one_of("green", "yellow", "red")
ROLES: Leaf[ArgumentRole] = one_of("id", "target", "quantity", "payload", "const")
ON_REPEAT: Leaf[OnRepeat] = one_of("return", "ask", "new")
ERRORS: Leaf[Literal["no_effect"]] = one_of("no_effect")
TRUSTS = one_of("trusted", "untrusted")
UNKNOWN = one_of("unknown")

PRICE = Either(short=MONEY, long=Table(keys={"usd_per_call": MONEY}, needed=frozenset({"usd_per_call"})))

_HOOK_ARGUMENTS = Named(of=HOOK_ARGUMENT, names=NAME)
_LONG_HOOK = Table(
    keys={"tool": HOOK_TOOL, "args": _HOOK_ARGUMENTS, "price": PRICE},
    needed=frozenset({"tool"}),
)
_HOOK = Either(short=HOOK_TOOL, long=_LONG_HOOK)

FACT = Either(short=UNKNOWN, long=Table(keys={**_LONG_HOOK.keys, "within": DURATION}, needed=_LONG_HOOK.needed))

_ARGUMENT = Table(
    keys={"role": ROLES, "unit": NAME, "domains": Many(of=TEXT, least=1), "templates": Many(of=TEXT, least=1)},
    needed=frozenset({"role"}),
)
_LABEL = Table(
    keys={"path": LABEL_PATH, "trust": TRUSTS, "shape": TEXT, "is_id": FLAG, "pii": NAME},
    needed=frozenset({"path", "trust"}),
)
_UNDO = Table(
    keys={"tool": NAME, "args": _HOOK_ARGUMENTS, "within": DURATION},
    needed=frozenset({"tool", "args", "within"}),
)

TOOL = Table(
    keys={
        "from": SOURCE,
        "description": TEXT,
        "effect": EFFECTS,
        "tier": TIERS,
        "class": NAME,
        "price": PRICE,
        "timeout": DURATION,
        "retries": Either(short=COUNT, long=Table(keys={"max": COUNT, "backoff": DURATION}, needed=frozenset({"max"}))),
        "resend_within": DURATION,
        "slots": POSITIVE,
        "isolate": FLAG,
        "outside": FLAG,
        "secret": NAME,
        "secrets": Named(of=NAME, names=NAME),
        "idempotency_header": NAME,
        "urls": Many(of=ADDRESS, least=1),
        "args": Named(of=_ARGUMENT, names=NAME),
        "result": Table(
            keys={"keep": Many(of=TEXT, least=1), "trust": TRUSTS, "labels": Many(of=_LABEL)},
        ),
        "cache": Table(keys={"ttl": DURATION}, needed=frozenset({"ttl"})),
        "unique": Table(
            keys={"on": Many(of=PATH, least=1), "within": DURATION},
            needed=frozenset({"on", "within"}),
        ),
        "serialize": PATH,
        "subject": PATH,
        "preview": _HOOK,
        "reconcile": _HOOK,
        "before": _HOOK,
        "after": _HOOK,
        "expect": Many(of=TEXT, least=1),
        "undo": _UNDO,
        "check": Many(of=EXPRESSION, least=1),
        "on_repeat": ON_REPEAT,
        "errors": ERRORS,
        "only_for_facts": FLAG,
        "only_as_undo": FLAG,
        "schema": AnyJson(),
        "result_schema": AnyJson(),
    }
)

TOOL_PERMISSIONS = Table(
    keys={"max_amount_usd": MONEY, "require_human_approval_over_usd": MONEY},
    starts={
        "deny_if_": FLAG,
        "deny_unless_": FLAG,
        "require_human_approval_if_": FLAG,
        "require_human_approval_unless_": FLAG,
    },
)
"""A key that begins with one of `starts` goes on with the name of a fact."""

APPROVAL_REQUIRED = Many(
    of=Either(
        short=NAME,
        long=Named(of=Named(of=Many(of=TEXT, least=1), names=NAME), names=NAME, only_one=True),
    )
)
"""Tools that always ask, and tools that ask where an argument has one of some values."""

APPROVAL_FOR_CLASSES = Many(
    of=Table(keys={"action": NAME, "threshold_usd": MONEY, "any": FLAG}, needed=frozenset({"action"}))
)
"""Classes of tools that ask, always or above an amount."""

ALLOWED_TOOLS = Many(of=NAME)
