"""The full shape of a contract, key by key. Strict reading and the published JSON Schema both come from here."""

from collections.abc import Mapping
from typing import Literal

from interlock.contract.scalar import (
    ADDRESS,
    ANY_NUMBER,
    BREAKER_CONDITION,
    COUNT,
    DATE,
    DAYS,
    DECIMAL,
    DOCUMENT,
    DURATION,
    EXPRESSION,
    FLAG,
    GLOB,
    LOGIN,
    MONEY,
    NAME,
    PERCENT,
    PERSON,
    POSITIVE,
    POSTGRES,
    RATE,
    RATIO,
    ROUTE,
    SETTING,
    SHADOW,
    TEXT,
    VERSION,
    Leaf,
    one_of,
)
from interlock.contract.server_shape import SERVERS
from interlock.contract.shape import Either, Many, Named, Shape, Table
from interlock.contract.tool_shape import (
    ALLOWED_TOOLS,
    APPROVAL_FOR_CLASSES,
    APPROVAL_REQUIRED,
    FACT,
    PRICE,
    TOOL,
    TOOL_PERMISSIONS,
    TRUSTS,
)
from interlock.core.decision import OnChange
from interlock.core.reason import Reason

MODES = one_of("read_only", "suggest", "ask", "act", "suggest_then_act")
ON_CHANGE: Leaf[OnChange] = one_of("ask", "go_on")
ON_EXPIRY: Leaf[Literal["refuse", "handoff"]] = one_of("refuse", "handoff")
LIMIT_PERIODS: Leaf[Literal["run", "hour", "day", "month"]] = one_of("run", "hour", "day", "month")
FALLBACKS = one_of("human_handoff", "stop")

_AMOUNTS: Mapping[str, Shape] = {
    "usd": MONEY,
    "tokens": COUNT,
    "tool_calls": COUNT,
    "model_calls": COUNT,
    "seconds": DECIMAL,
    "retries": COUNT,
}
_CONSENT = Table(
    keys={
        "approvers": Many(of=NAME, least=1),
        "quorum": POSITIVE,
        "each": FLAG,
        "expires": DURATION,
        "step_up": FLAG,
        "on_change": ON_CHANGE,
    },
    needed=frozenset({"approvers"}),
)

FALLBACK = Table(
    keys={
        **{f"on_{reason.value}": FALLBACKS for reason in Reason},
        "on_policy_violation": FALLBACKS,
        "handoff": Table(
            keys={"queue": NAME, "keep": Many(of=one_of("partial_result", "reason", "proposed_actions"), least=1)},
            needed=frozenset({"queue"}),
        ),
    }
)

_WHO: Mapping[str, Shape] = {
    "interlock": VERSION,
    "workflow": NAME,
    "tenant": NAME,
    "owner": TEXT,
    "cost_center": TEXT,
    "runbook": TEXT,
    "on_call": Many(of=NAME, least=1),
    "class": one_of("interactive", "background"),
    "agents": Named(of=Table(keys={"key": TEXT}), names=NAME),
}

_HOW_FAR: Mapping[str, Shape] = {
    "environments": Named(
        of=Table(
            keys={
                "mode": MODES,
                "autonomy": Table(
                    keys={"next": MODES, "after": DURATION, "if": Many(of=EXPRESSION, least=1)},
                    needed=frozenset({"next", "after"}),
                ),
            },
            needed=frozenset({"mode"}),
        ),
        names=NAME,
    ),
    "tool_defaults": Table(keys={"timeout": DURATION}),
    "servers": SERVERS,
    "tools": Named(of=TOOL, names=NAME),
    "hosts": Named(
        of=Either(
            short=ADDRESS,
            long=Table(
                keys={
                    "url": Either(short=ADDRESS, long=Named(of=ADDRESS, names=NAME)),
                    "private": Either(short=FLAG, long=Many(of=NAME)),
                },
            ),
        ),
        names=DOCUMENT,
    ),
    "databases": Named(
        of=Table(
            keys={
                "sqlite": Either(short=TEXT, long=Named(of=TEXT, names=NAME)),
                "postgres": Table(
                    keys={
                        "address": Either(short=POSTGRES, long=Named(of=POSTGRES, names=NAME)),
                        "role": NAME,
                        "tenant_setting": SETTING,
                    }
                ),
            }
        ),
        names=DOCUMENT,
    ),
    "permissions": Table(
        keys={
            "allowed_tools": ALLOWED_TOOLS,
            "approval_required_tools": APPROVAL_REQUIRED,
            "require_approval_for": APPROVAL_FOR_CLASSES,
            "policy_files": Many(of=GLOB, least=1),
        },
        others=Named(of=TOOL_PERMISSIONS, names=NAME),
    ),
    "facts": Named(of=FACT, names=NAME),
    "approvals": Table(
        keys={
            "yellow": _CONSENT,
            "red": _CONSENT,
            "separation_of_duties": FLAG,
            "remind": Many(of=PERCENT),
            "on_expiry": ON_EXPIRY,
            "first_weeks": Table(
                keys={"tools": Many(of=NAME, least=1), "ask_always_until": DATE},
                needed=frozenset({"tools", "ask_always_until"}),
            ),
            "people": Named(of=Many(of=PERSON, least=1), names=NAME),
            "keys": Named(of=Many(of=LOGIN, least=1), names=PERSON),
        }
    ),
    "escalate_when": Many(of=TEXT, least=1),
    "fallback": FALLBACK,
    "loop": Table(keys={"equal_calls": POSITIVE}, needed=frozenset({"equal_calls"})),
}

_PERIOD = Table(keys={**_AMOUNTS, "alert_at": Many(of=RATIO, least=1)})

_HOW_MUCH: Mapping[str, Shape] = {
    "budgets": Table(
        keys={
            "per_run": _PERIOD,
            "per_hour": _PERIOD,
            "per_day": _PERIOD,
            "per_month": _PERIOD,
            "limits": Named(
                of=Table(
                    keys={"usd_of_args": MONEY, "per": LIMIT_PERIODS, "calls_per_run": COUNT, "rate": RATE},
                ),
                names=NAME,
            ),
            "soft": Table(keys={**_AMOUNTS, "then": one_of("handoff", "warn")}, needed=frozenset({"then"})),
            "people": Table(keys={"usd_per_hour": MONEY}, needed=frozenset({"usd_per_hour"})),
        }
    ),
}

_AROUND: Mapping[str, Shape] = {
    "input": Named(
        of=Table(
            keys={
                "type": one_of("string", "integer", "number", "boolean"),
                "pattern": TEXT,
                "enum": Many(of=TEXT, least=1),
                "minimum": ANY_NUMBER,
                "maximum": ANY_NUMBER,
                "optional": FLAG,
                "description": TEXT,
            },
            needed=frozenset({"type"}),
        ),
        names=NAME,
    ),
    "outcome": Table(
        keys={
            "unit": TEXT,
            "kpi": Many(of=NAME, least=1),
            "baseline": Table(keys={"usd": MONEY, "minutes": DECIMAL}),
            "rework_within": DURATION,
        },
        needed=frozenset({"unit"}),
    ),
    "slo": Table(keys={"success_rate": RATIO, "p95_seconds": DECIMAL, "window": DURATION}),
    "prompts": Named(
        of=Table(
            keys={"file": TEXT, "variables": Named(of=TRUSTS, names=NAME)},
            needed=frozenset({"file"}),
        ),
        names=NAME,
    ),
    "knowledge": Table(
        keys={"sources": Many(of=NAME, least=1), "max_passages": POSITIVE}, needed=frozenset({"sources"})
    ),
    "providers": Named(
        of=Table(keys={"region": NAME, "retention": TEXT, "training": FLAG, "price": PRICE}),
        names=NAME,
    ),
    "models": Named(
        of=Table(
            keys={
                "tier": one_of("small", "medium", "strong"),
                "route": Many(of=ROUTE, least=1),
                "temperature": DECIMAL,
                "max_tokens": POSITIVE,
            },
            needed=frozenset({"route"}),
        ),
        names=NAME,
    ),
    "trust": Table(
        keys={
            "untrusted_context": Table(
                keys={"writes": one_of("observe", "require_approval", "deny"), "unless_corroborated": FLAG},
                needed=frozenset({"writes"}),
            ),
            "urls": Table(keys={"allow": Many(of=TEXT)}, needed=frozenset({"allow"})),
        }
    ),
    "redaction": Table(
        keys={
            "pii": FLAG,
            "secrets": FLAG,
            "in": Many(of=one_of("trace", "model", "notice", "export"), least=1),
            "reversible_for": Many(of=TEXT, least=1),
        }
    ),
    "breakers": Many(
        of=Table(
            keys={
                "when": BREAKER_CONDITION,
                "do": one_of("suggest_only", "read_only", "ask", "stop"),
                "severity": POSITIVE,
            },
            needed=frozenset({"when", "do"}),
        )
    ),
    "done": Table(keys={"all": Many(of=TEXT, least=1), "any": Many(of=TEXT, least=1)}),
    "evals": Named(
        of=Table(
            keys={
                "suite": TEXT,
                "min_success_rate": RATIO,
                "max_usd_per_task": MONEY,
                "max_unsafe_actions": COUNT,
            },
            needed=frozenset({"suite"}),
        ),
        names=NAME,
    ),
    "rollout": Table(
        keys={
            "shadow": SHADOW,
            "steps": Many(of=PERCENT, least=1),
            "hold": DURATION,
            "abort_if": Many(of=EXPRESSION, least=1),
        }
    ),
    "retention": Table(keys={"trace": DURATION, "ledger": DAYS, "payloads": DAYS, "purpose": TEXT}),
    "unsafe_durability": FLAG,
    "accept_unenforced": Many(of=NAME, least=1),
}

FULL = Table(
    keys={**_WHO, **_HOW_FAR, **_HOW_MUCH, **_AROUND},
    needed=frozenset({"interlock", "workflow", "tenant"}),
)
