"""The contracts of random histories, and how they are drawn."""

from functools import partial
from typing import Any

from hypothesis import strategies as st

from interlock.contract.ir import Hook, Tool, Undo, Unique
from interlock.core.charge import Unit
from interlock.core.effect import EffectClass, Tier
from interlock.core.ids import Micros, ToolName
from interlock.policy.rule import FactIsNot, Rule
from world import a_budget, a_rule, a_tool

DAY = Micros(86_400_000_000)
LOOK = Hook(tool=ToolName("look"))
UNSEND = Undo(tool=ToolName("unsend"), args={"id": "$.result.id"}, within=DAY)
ONCE_A_DAY = Unique(on=("args.n",), within=DAY)


def one(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def often(*values: Any) -> st.SearchStrategy[Any]:
    """Draw the first value three times as often as any other."""
    return st.sampled_from((*values[:1] * 3, *values[1:]))


def tool(name: str, effect: EffectClass, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Tool]:
    return st.builds(partial(a_tool, effect=effect, backoff=Micros(0)), st.just(name), **fields)


def rules_on(name: str) -> st.SearchStrategy[tuple[Rule, ...]]:
    """Draw what a tool is asked for beside being permitted. Most tools need nothing more."""
    risky = a_rule(f"risky.{name}", "deny", name, when=FactIsNot(name="risky", value=False))
    asks = [a_rule(f"ask{n}.{name}", "ask", name, quorum=n, on_change=change) for n, change in ASKING]
    stops = [a_rule(f"no.{name}", "deny", name), a_rule(f"show.{name}", "suggest", name)]
    return st.sampled_from([(), (), (), (), (), (risky,), (asks[1], risky), *((rule,) for rule in (*asks, *stops))])


ASKING = ((1, "ask"), (1, "go_on"), (2, "ask"))
TOOLS = st.tuples(
    tool(
        "mail",
        EffectClass.OPAQUE,
        price=one(5, 0, 10),
        tier=often(Tier.GREEN, Tier.YELLOW, Tier.RED),
        unique=one(None, ONCE_A_DAY),
        serialize=one("", "args.n"),
        undo=st.just(UNSEND),
    ),
    tool(
        "set",
        EffectClass.IDEMPOTENT,
        price=one(7, 0),
        resend_within=one(DAY, None),
        retries=one(0, 1),
        after=one(None, LOOK),
        undo=st.just(UNSEND),
    ),
    tool(
        "pay",
        EffectClass.IDEMPOTENT_KEY,
        price=one(9, 1),
        resend_within=one(DAY, Micros(150_000_000)),
        retries=one(0, 2),
        serialize=one("", "args.n"),
        unique=one(ONCE_A_DAY, None),
    ),
    tool("query", EffectClass.QUERYABLE, price=one(4), reconcile=st.just(LOOK), before=one(None, LOOK)),
    tool("find", EffectClass.READ, price=one(2, 0), retries=one(0, 1), cache_ttl=one(Micros(0), Micros(60_000_000))),
    tool("unsend", EffectClass.IDEMPOTENT_KEY, price=one(3, 0), only_as_undo=st.just(True), resend_within=one(DAY)),
    tool("look", EffectClass.READ, price=one(0, 3), only_for_facts=st.just(True)),
)
BUDGETS = st.tuples(
    st.builds(a_budget, one(400, 60, 3_000), one(Unit.USD), one("day", "run")),
    st.builds(a_budget, one(300, 15), one(Unit.TOOL_CALLS), one("run", "hour")),
    st.builds(a_budget, one(60, 9), one(Unit.RETRIES)),
    st.builds(a_budget, one(2_000_000_000), one(Unit.SECONDS), one("hour")),
    st.builds(a_budget, one(40, 4), one(Unit.CALLS), tool=one("pay")),
    st.builds(a_budget, one(90, 12), one(Unit.USD), one("hour"), tool=one("look", "pay")),
)
