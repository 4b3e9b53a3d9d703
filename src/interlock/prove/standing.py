"""What must hold of every contract, without anybody writing it down."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from interlock.contract.invariant import EVERY_VERDICT, Invariant
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.ids import RuleId, ToolName
from interlock.core.value import replace
from interlock.policy.cases import Case, Verdict, question_for, verdict_of
from interlock.policy.decide import decide
from interlock.policy.rule import Always, Place, Rule, RuleEffect
from interlock.prove.call import OF_AN_AGENT, Call
from interlock.prove.decided import Decided, decided
from interlock.prove.example import Example, judged, trials, wishes
from interlock.prove.formula import Formula, Gone, Value, every, negated, variables
from interlock.prove.prover import Prover, Result, joined
from interlock.prove.slot import Kind


def standing(prover: Prover) -> Iterator[Result]:
    """Put everything that must hold of any contract to this one."""
    yield from _of_the_table(prover)
    yield _unknown_facts(prover)
    yield _not_in_the_contract(prover)
    yield _can_be_used(prover)
    yield from _dead_rules(prover)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """An invariant over some of the tools."""

    name: str
    bad: frozenset[Verdict]
    modes: frozenset[Mode] = frozenset(Mode)

    def of(self, prover: Prover, tools: Sequence[ToolName]) -> Result | None:
        """Prove it of each tool; nothing where there is none."""
        found = [prover.prove(self.about(prover, tool)) for tool in tools]
        return joined(self.name, "", None, found) if found else None

    def about(self, prover: Prover, tool: ToolName | None) -> Invariant:
        place = Place(file=prover.contract.place.file)
        return Invariant(name=self.name, says="", place=place, tool=tool, modes=self.modes, bad=self.bad)


_ACTS: frozenset[Verdict] = frozenset({"allow", "ask"})
_NOT_ALLOWED = _Standing(name="what `allowed_tools` does not name is refused", bad=EVERY_VERDICT - {"deny"})
_UNKNOWN = _Standing(name="a fact that nobody knows is a no", bad=EVERY_VERDICT - {"deny"})


def _of_the_table(prover: Prover) -> Iterator[Result]:
    tools = prover.contract.tools.values()
    permitted = {name for name, slice in prover.policies.slices.items() if slice.permitted}
    writes = [tool.name for tool in tools if tool.effect is not EffectClass.READ]
    red = [tool.name for tool in tools if tool.tier is Tier.RED and tool.name in writes]
    each = (
        (_Standing(name="no agent starts a red tool that writes", bad=_ACTS), red),
        (_in("ask", "no write goes on without a person", {"allow"}), writes),
        (_in("suggest", "no write is done", _ACTS), writes),
        (_in("read_only", "every write is refused", EVERY_VERDICT - {"deny"}), writes),
        (_NOT_ALLOWED, [tool.name for tool in tools if tool.name not in permitted]),
    )
    yield from (result for one, about in each if (result := one.of(prover, about)) is not None)


def _in(mode: str, what: str, bad: frozenset[Verdict] | set[Verdict]) -> _Standing:
    return _Standing(name=f"in mode `{mode}` {what}", bad=frozenset(bad), modes=frozenset({Mode(mode)}))


def _unknown_facts(prover: Prover) -> Result:
    found: list[Result] = []
    for tool in prover.contract.tools:
        call = prover.call(tool)
        verdicts = decided(call, prover.policies.consents).verdicts
        for fact, slot in call.facts.items():
            question = [call.possible(), OF_AN_AGENT, slot.one_of(Kind.ABSENT), negated(verdicts["deny"])]
            about = _UNKNOWN.about(prover, tool)
            found.append(prover.look(about, call, question, lambda example, fact=fact: _goes_on(example, fact)))
    if not found:
        return Result(name=_UNKNOWN.name, says="", verdict="proved", why="no rule looks at a fact")
    return joined(_UNKNOWN.name, "", None, found)


def _goes_on(example: Example, fact: str) -> bool:
    return fact not in example.case.facts and example.case.expect != "deny"


def _not_in_the_contract(prover: Prover) -> Result:
    """A tool that no rule knows has no slice, and then nothing else is asked: one look at it shows all of them."""
    name = "a tool that is not in the contract is refused"
    tool = next(ToolName(each) for each in _names() if each not in prover.policies.slices)
    question = question_for(prover.policies, Case(name=name, tool=tool, expect="deny"))
    found = verdict_of(decide(prover.policies, question).decision)
    return Result(name=name, says="", verdict="proved" if found == "deny" else "encoding_error", why="")


def _names() -> Iterator[str]:
    number = 0
    while True:
        yield f"unheard-of-{number}"
        number += 1


def _can_be_used(prover: Prover) -> Result:
    """Look for tools that are allowed and always refused: nobody means that."""
    name, found = "every tool that is allowed can be used", list[Result]()
    one = _Standing(name=name, bad=frozenset())
    for tool in prover.contract.tools.values():
        if prover.policies.slices[tool.name].permitted and not tool.only_as_undo:
            call = prover.call(tool.name)
            deny = decided(call, prover.policies.consents).verdicts["deny"]
            question = [call.possible(), OF_AN_AGENT, negated(deny)]
            found.append(_there_is(prover, one.about(prover, tool.name), call, question))
    return joined(name, "", None, found) if found else Result(name=name, says="", verdict="proved")


def _there_is(prover: Prover, about: Invariant, call: Call, question: list[Formula]) -> Result:
    tool, model = call.slice.shape.name, prover.solve(question, _wishes(call, question))
    if model is None:
        return prover.result(about, call, "refuted", f"every call of `{tool}` is refused, in every mode")
    if isinstance(model, Gone):
        return prover.result(about, call, "unknown", f"the solver came to no end ({model.why})")
    if _shown(prover, call, model, about.name, lambda example: example.case.expect != "deny"):
        return replace(prover.result(about, call, "proved"), arbitrary=())
    return prover.result(about, call, "unknown", f"no call of `{tool}` was found that is not refused: {_HANGS}")


_HANGS = "it hangs on what is taken to be anything"


def _wishes(call: Call, question: Sequence[Formula]) -> Iterable[Formula]:
    """Wish for a call that can be made and read, where it has to be put to the policy."""
    return wishes(call, variables(question)) if call.arbitrary else ()


def _shown(prover: Prover, call: Call, model: Mapping[str, Value], name: str, holds: Callable[[Example], bool]) -> bool:
    """Whether the policy says so itself. What was left open may not be as the solver would like it."""
    if not call.arbitrary:
        return True
    schema = prover.contract.tools[call.slice.shape.name].schema
    ways = trials(prover.contract.agents)
    made = (judged(call, prover.policies, schema, model, name, trial) for trial in ways)
    return any(isinstance(example, Example) and holds(example) for example in made)


def _dead_rules(prover: Prover) -> Iterator[Result]:
    """Look for rules that never match, and for those that others always forestall."""
    rules: dict[RuleId, Rule] = {rule.id: rule for rule in prover.contract.rules}
    alive, unclear, dead = set[RuleId](), dict[RuleId, Result](), dict[RuleId, str]()
    name = "every rule can decide something"
    one = _Standing(name=name, bad=frozenset())
    for tool in prover.contract.tools:
        call = prover.call(tool)
        made = decided(call, prover.policies.consents)
        for id in made.without:
            if id in alive or _opens(rules[id]):
                continue
            question = [call.possible(), _decides(made, id, rules[id].effect)]
            found = prover.solve(question, _wishes(call, question))
            if isinstance(found, Gone):
                why = f"the solver came to no end about `{id}` ({found.why})"
                unclear[id] = prover.result(one.about(prover, tool), call, "unknown", why)
            elif found is None:
                never = prover.solve([call.possible(), made.matches[id], negated(made.fails)], ()) is None
                dead[id] = "no call is ever as it says" if never else "others have always decided before it"
            elif _shown(prover, call, found, name, partial(_decided_by, call, rules[id], found)):
                alive.add(id)
            else:
                why = f"no call was found that `{id}` decides: {_HANGS}"
                unclear[id] = prover.result(one.about(prover, tool), call, "unknown", why)
    left = {id: result for id, result in unclear.items() if id not in alive}
    never = {id: why for id, why in dead.items() if id not in alive | left.keys()}
    for id, why in never.items():
        about = f"the rule `{id}` can decide something"
        yield Result(name=about, says="", verdict="refuted", place=rules[id].place, why=why)
    yield from left.values()
    if not never and not left:
        yield Result(name=name, says="", verdict="proved")


def _decided_by(call: Call, rule: Rule, model: Mapping[str, Value], example: Example) -> bool:
    """Whether the policy says of a call what the rule makes of it, with nothing of the organisation's in it."""
    ours = {id for id, policy in call.slice.policies.items() if policy.rule is None}
    if any(model.get(each.name) for each in call.open) or ours & set(example.rules):
        return False
    verdict = example.case.expect
    match rule.effect:
        case RuleEffect.PERMIT:
            # What permits is named of what is allowed alone.
            opens = any(call.slice.policies[id].effect is RuleEffect.PERMIT for id in ours)
            return verdict == "allow" or (verdict != "deny" and not opens)
        case RuleEffect.DENY:
            return verdict == "deny" and rule.id in example.rules
        case RuleEffect.SUGGEST:
            return verdict == "suggest"
        case RuleEffect.ASK:
            return verdict == "ask"


def _opens(rule: Rule) -> bool:
    """Whether a rule lets agents use its tool, which is looked at for each tool."""
    return rule.effect is RuleEffect.PERMIT and isinstance(rule.when, Always)


def _decides(made: Decided, id: RuleId, effect: RuleEffect) -> Formula:
    """Say that a rule matches and that something hangs on it."""
    verdicts, without, matches = made.verdicts, made.without[id], made.matches[id]
    match effect:
        case RuleEffect.PERMIT:
            return every(matches, negated(verdicts["deny"]), without["deny"])
        case RuleEffect.DENY:
            return every(matches, negated(without["deny"]))
        case RuleEffect.SUGGEST:
            return every(matches, verdicts["suggest"])
        case RuleEffect.ASK:
            # Each rule that asks adds what it asks for to the others.
            return every(matches, verdicts["ask"])
