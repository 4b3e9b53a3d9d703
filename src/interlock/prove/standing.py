"""What must hold of every contract, without anybody writing it down."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from interlock.contract.invariant import EVERY_VERDICT, Invariant
from interlock.contract.ir import Tool
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.ids import RuleId, ToolName
from interlock.policy.cases import Case, Verdict, question_for, verdict_of
from interlock.policy.decide import decide
from interlock.policy.rule import Always, Place, Rule, RuleEffect
from interlock.prove.call import OF_AN_AGENT
from interlock.prove.decided import Decided, decided
from interlock.prove.example import Example
from interlock.prove.formula import Formula, Gone, every, negated
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
            found.append(_there_is(prover, one.about(prover, tool.name), tool, question))
    return joined(name, "", None, found) if found else Result(name=name, says="", verdict="proved")


def _there_is(prover: Prover, about: Invariant, tool: Tool, question: list[Formula]) -> Result:
    call, model = prover.call(tool.name), prover.solve(question, ())
    if model is None:
        return prover.result(about, call, "refuted", f"every call of `{tool.name}` is refused, in every mode")
    if isinstance(model, Gone):
        return prover.result(about, call, "unknown", f"the solver came to no end ({model.why})")
    return prover.result(about, call, "proved")


def _dead_rules(prover: Prover) -> Iterator[Result]:
    """Look for rules that never match, and for those that others always forestall."""
    rules: dict[RuleId, Rule] = {rule.id: rule for rule in prover.contract.rules}
    alive: dict[RuleId, str] = {}
    unclear: list[Result] = []
    name = "every rule can decide something"
    one = _Standing(name=name, bad=frozenset())
    for tool in prover.contract.tools:
        call = prover.call(tool)
        made = decided(call, prover.policies.consents)
        possible = call.possible()
        for id in made.without:
            if alive.get(id) == "" or _opens(rules[id]):
                continue
            found = prover.solve([possible, _decides(made, id, rules[id].effect)], ())
            if isinstance(found, Gone):
                why = f"the solver came to no end about `{id}` ({found.why})"
                unclear.append(prover.result(one.about(prover, tool), call, "unknown", why))
                alive[id] = ""
            elif found is not None:
                alive[id] = ""
            else:
                never = prover.solve([possible, made.matches[id], negated(made.fails)], ()) is None
                alive[id] = "no call is ever as it says" if never else "others have always decided before it"
    dead = [(rules[id], why) for id, why in alive.items() if why]
    for rule, why in dead:
        yield Result(
            name=f"the rule `{rule.id}` can decide something", says="", verdict="refuted", place=rule.place, why=why
        )
    yield from unclear
    if not dead and not unclear:
        yield Result(name=name, says="", verdict="proved")


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
