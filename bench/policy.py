"""How long a decision takes with many policies loaded, beside one bare call of cedarpy on the same slice and request.

Every question is asked for another amount, so that no answer is remembered; `again` is the same question once more.

Run it with `PYTHONPATH=src python bench/policy.py`. Reach: allow and deny 150 us, ask 250 us, flat in the number.
Below it, how many recorded decisions a second a backtest replays on one core; reach: 5,000.
"""

# The annotations of cedarpy say `dict` without saying of what.
# pyright: reportUnknownMemberType=false

from collections.abc import Callable
from statistics import median
from time import perf_counter_ns, process_time_ns

import cedarpy
import orjson

from interlock.contract.ir import Argument, Contract, Tool
from interlock.core.action import Caller
from interlock.core.canonical import JsonObject
from interlock.core.decision import Allow, Ask, Decision, Deny
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.fact import Known
from interlock.core.ids import (
    ActionId,
    AgentId,
    ContractHash,
    Environment,
    Instant,
    PrincipalId,
    Role,
    RuleId,
    TenantId,
    ToolName,
    WorkflowId,
)
from interlock.gateway.force import Force, compiled
from interlock.gateway.reask import judged_by
from interlock.policy.arguments import arguments_of
from interlock.policy.decide import decide
from interlock.policy.load import Policies, Slice, load
from interlock.policy.replay import Recorded, Tally, untold
from interlock.policy.rule import Above, FactIsNot, Outside, Place, Rule, RuleEffect
from interlock.policy.schema import request_of
from interlock.policy.vocabulary import Question, ToolShape, question_bytes, question_of

ROUNDS = 2_000
NOW = Instant(1_767_268_800_000_000)
POLICIES_A_TOOL = 4
PLACE = Place(file="contract.yaml", line=1)
SCHEMA: JsonObject = {
    "type": "object",
    "required": ["customer_id", "invoice_id", "amount_usd"],
    "additionalProperties": False,
    "properties": {
        "customer_id": {"type": "string"},
        "invoice_id": {"type": "string"},
        "amount_usd": {"type": "number"},
        "reason": {"type": "string"},
    },
}
ARGUMENTS = arguments_of(SCHEMA, ["amount_usd"])
REPLAYED = [micros + n for n, micros in enumerate([30_000_000] * 850 + [70_000_000] * 100 + [170_000_000] * 50)]
"""The amounts of what is replayed, each another one: most calls go on, some ask, few are refused."""
BACKTESTS = 15
AMOUNTS: tuple[tuple[str, int, type[Decision]], ...] = (
    ("allow", 30_000_000, Allow),
    ("ask", 70_000_000, Ask),
    ("deny", 170_000_000, Deny),
)


def rules_of(tool: ToolName) -> list[Rule]:
    """Make what a contract says of one refund tool."""
    place = PLACE
    limit = Outside(path="amount_usd", low=0, high=100_000_000)
    over, clean = Above(path="amount_usd", micros=50_000_000), FactIsNot(name="chargeback", value=False)
    return [
        Rule(id=RuleId(f"{tool}.allow"), effect=RuleEffect.PERMIT, place=place, tool=tool),
        Rule(id=RuleId(f"{tool}.max"), effect=RuleEffect.DENY, place=place, tool=tool, when=limit),
        Rule(id=RuleId(f"{tool}.clean"), effect=RuleEffect.DENY, place=place, tool=tool, when=clean),
        Rule(
            id=RuleId(f"{tool}.over"),
            effect=RuleEffect.ASK,
            place=place,
            tool=tool,
            when=over,
            approvers=frozenset({Role("support-lead")}),
        ),
    ]


def many(policies: int) -> Policies:
    """Load that many policies, four a tool."""
    names = [ToolName(f"refund.{at}") for at in range(max(1, policies // POLICIES_A_TOOL))]
    shapes = [
        ToolShape(name=name, effect=EffectClass.IDEMPOTENT_KEY, tier=Tier.YELLOW, arguments=ARGUMENTS) for name in names
    ]
    return load([rule for name in names for rule in rules_of(name)], native={}, shapes=shapes, facts={}, consents={})


def call(micros: int) -> Question:
    """Ask for a refund of that many millionths of a dollar."""
    arguments = {"amount_usd": micros / 1_000_000, "customer_id": "C000001", "invoice_id": "INV-1", "reason": "damaged"}
    return Question(
        caller=Caller(
            tenant=TenantId("acme"),
            workflow=WorkflowId("support-refunds"),
            environment=Environment("prod"),
            agent=AgentId("refund-bot"),
            principal=PrincipalId("ann"),
        ),
        tool=ToolName("refund.0"),
        effect=EffectClass.IDEMPOTENT_KEY,
        tier=Tier.YELLOW,
        arguments=orjson.dumps(arguments),
        quantities={"amount_usd": micros},
        facts={"chargeback": Known(value=False, as_of=NOW)},
        now=NOW,
        mode=Mode.ACT,
        tainted=False,
    )


def bare_call(slice: Slice, question: Question) -> Callable[[], object]:
    """Return one call of cedarpy with everything made ready before it."""
    ready = request_of(question, slice.view, question.mode)
    entities = slice.base.with_added_json_str(ready.entities)
    request = {
        "principal": {"type": "Agent", "id": ready.principal},
        "action": {"type": "Action", "id": ready.action},
        "resource": {"type": "Tenant", "id": ready.resource},
        "context": ready.context,
    }
    return lambda: cedarpy.is_authorized(request, slice.every, entities, slice.schema)


def interleaved(*functions: Callable[[], object]) -> list[float]:
    """Return the p50 of each in microseconds. They take turns, so that a busy machine is busy for all of them."""
    taken: list[list[int]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for function, times in zip(functions, taken, strict=True):
            begun = perf_counter_ns()
            function()
            times.append(perf_counter_ns() - begun)
    return [median(times) / 1_000 for times in taken]


def main() -> None:
    """Print both tables."""
    _decisions()
    _backtest()


def _backtest() -> None:
    """Print how many recorded decisions a second are replayed, beside bare calls of cedarpy on the same questions."""
    force = _force()
    histories = [[call(micros + n * len(REPLAYED)) for micros in REPLAYED] for n in range(BACKTESTS + 1)]
    written = iter([[question_bytes(question) for question in history] for history in histories])
    slice = force.policies.slices[call(0).tool]
    bare = iter([[bare_call(slice, question) for question in history] for history in histories])

    def replay() -> Tally:
        tally = Tally()
        for n, text in enumerate(next(written)):
            question = question_of(text)
            judgement, asked = judged_by(force, question, then=force)
            assert not untold(force.policies, asked, judgement)
            tally.tell(_as_recorded(n, question), judgement, covered=True)
        return tally

    def call_bare() -> None:
        for call_it in next(bare):
            call_it()

    assert replay().decisions == len(REPLAYED)
    taken: tuple[list[int], list[int]] = ([], [])
    for _ in range(BACKTESTS):  # they take turns, so that a busy machine is busy for both
        for function, times in zip((replay, call_bare), taken, strict=True):
            begun = process_time_ns()
            function()
            times.append(process_time_ns() - begun)
    ours, theirs = (len(REPLAYED) / (median(times) / 1e9) for times in taken)
    print(f"\nbacktest: {ours:,.0f} decisions/s a core; bare calls: {theirs:,.0f}/s; ratio {theirs / ours:.2f}")


def _force() -> Force:
    """Compile a contract with one refund tool as publishing would."""
    name = ToolName("refund.0")
    arguments = {"amount_usd": Argument(role="quantity", unit="usd")}
    tool = Tool(name=name, source="", place=PLACE, effect=EffectClass.IDEMPOTENT_KEY, tier=Tier.YELLOW, price=0,
                arguments=arguments, schema=SCHEMA)  # fmt: skip
    contract = Contract(
        workflow=WorkflowId("support-refunds"),
        tenant=TenantId("acme"),
        place=PLACE,
        tools={name: tool},
        rules=tuple(rules_of(name)),
    )
    return compiled(contract, ContractHash(""))


def _as_recorded(n: int, question: Question) -> Recorded:
    return Recorded(action=ActionId(f"a{n}"), tool=question.tool, at=question.now, verdict="allow", rules=())


def _decisions() -> None:
    print(
        f"{'policies':>8}  {'decision':8}  {'p50 us':>7}  {'bare us':>7}  {'ratio':>5}  {'again us':>8}  "
        f"{'input us':>8}  {'load ms':>7}"
    )
    for number in (10, 100, 1_000):
        begun = perf_counter_ns()
        policies = many(number)
        loading = (perf_counter_ns() - begun) / 1_000_000
        for name, amount, decision in AMOUNTS:
            question = call(amount)
            slice = policies.slices[question.tool]
            assert isinstance(decide(policies, question).decision, decision)
            others = iter([call(amount + n) for n in range(1, ROUNDS + 1)])
            bare_calls = iter([bare_call(slice, call(amount + n)) for n in range(1, ROUNDS + 1)])
            took, bare, again, written = interleaved(
                lambda others=others, policies=policies: decide(policies, next(others)),
                lambda bare_calls=bare_calls: next(bare_calls)(),
                lambda question=question, policies=policies: decide(policies, question),
                lambda question=question: question_bytes(question),
            )
            ratio = f"{took / bare:5.2f}"
            print(
                f"{number:8}  {name:8}  {took:7.1f}  {bare:7.1f}  {ratio}  {again:8.1f}  {written:8.1f}  {loading:7.1f}"
            )


if __name__ == "__main__":
    main()
