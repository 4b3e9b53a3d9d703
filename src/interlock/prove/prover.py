"""Invariants against every call that an agent could make: proved, refuted with a call, or not shown.

What a solver finds is believed only once the policy itself has said the same of the same call.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from interlock.contract.expr import Expr, evaluate, paths
from interlock.contract.formats import are_checked
from interlock.contract.invariant import Invariant
from interlock.contract.ir import Contract
from interlock.contract.problem import ContractProblems, Problem, nearest
from interlock.core.canonical import Json
from interlock.core.ids import ToolName
from interlock.policy.load import Policies
from interlock.policy.rule import Place
from interlock.prove.call import OF_AN_AGENT, Call, call_of, in_mode
from interlock.prove.decided import decided
from interlock.prove.example import Example, Unusable, judged, trials, wishes
from interlock.prove.formula import YES, Formula, Gone, Solve, some, unwritable, variables
from interlock.prove.when import said

Verdict = Literal["proved", "refuted", "vacuous", "unknown", "encoding_error"]
RANK: Mapping[Verdict, int] = {"encoding_error": 0, "refuted": 1, "vacuous": 2, "unknown": 3, "proved": 4}
"""What is told first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was found about one invariant."""

    name: str
    says: str
    verdict: Verdict
    place: Place | None = None
    tools: tuple[ToolName, ...] = ()
    """The tools that it holds of, or the first one of which it does not."""
    example: Example | None = None
    why: str = ""
    arbitrary: tuple[str, ...] = ()
    """What was taken to be anything."""


@dataclass(slots=True, kw_only=True)
class Prover:
    """Puts invariants to the contract. Tools are looked at one by one; nothing that is found is kept."""

    contract: Contract
    policies: Policies
    solve: Solve

    def call(self, tool: ToolName) -> Call:
        """Make an arbitrary call of a tool."""
        known, never = self.contract.tools[tool], self.contract.unknown_facts
        return call_of(self.policies, tool, known.schema, never, formats=are_checked(known.source))

    def prove(self, invariant: Invariant) -> Result:
        """Say whether an invariant holds.

        Raises:
            ContractProblems: it names what the contract does not have.
        """
        about = [invariant.tool] if invariant.tool is not None else [*self.contract.tools]
        if invariant.tool is not None:
            self._named(invariant, invariant.tool)
        found = [self._of_tool(invariant, tool) for tool in about if self._can_tell(invariant, tool)]
        # Of every tool: those that have no such calls have nothing that could go wrong.
        met = [each for each in found if each.verdict != "vacuous"]
        return joined(invariant.name, invariant.says, invariant.place, met or found)

    def _of_tool(self, invariant: Invariant, tool: ToolName) -> Result:
        call = self.call(tool)
        verdicts = decided(call, self.policies.consents).verdicts
        meant = said(call, invariant.when).true if invariant.when is not None else YES
        bad = some(*(formula for verdict, formula in verdicts.items() if verdict in invariant.bad))
        question = [call.possible(), OF_AN_AGENT, in_mode(*invariant.modes), meant]
        if invariant.when is not None and self.solve(question, ()) is None:
            return self.result(invariant, call, "vacuous", "no call is ever like that, so it says nothing")
        return self.look(invariant, call, [*question, bad], lambda example: _broken(invariant, example))

    def look(
        self, invariant: Invariant, call: Call, question: Sequence[Formula], broken: Callable[[Example], bool]
    ) -> Result:
        """Look for a call that breaks an invariant."""
        tool = call.slice.shape.name
        for text in unwritable(question):
            call.arbitrary[f"whether a text is {text!r}, or comes before it"] = None
        model = self.solve(question, wishes(call, variables(question)))
        if model is None:
            return self.result(invariant, call, "proved")
        if isinstance(model, Gone):
            return self.result(invariant, call, "unknown", f"the solver came to no end ({model.why})")
        schema = self.contract.tools[tool].schema
        example: Example | Unusable = Unusable("no call was made")
        ways = trials(self.contract.agents)
        for trial in ways if call.open else ways[:1]:
            example = judged(call, self.policies, schema, model, invariant.name, trial)
            if isinstance(example, Example) and broken(example):
                return self.result(invariant, call, "refuted", example=example)
        if call.arbitrary or isinstance(example, Unusable) and example.unwritable:
            why = example.why if isinstance(example, Unusable) else "the policy decides otherwise there"
            why = f"what the solver found hangs on what is taken to be anything: {why}"
            return self.result(invariant, call, "unknown", why)
        said = example.why if isinstance(example, Unusable) else f"the policy says `{example.case.expect}`"
        shown = example if isinstance(example, Example) else None
        return self.result(invariant, call, "encoding_error", f"solver and policy disagree: {said}", shown)

    def result(
        self, invariant: Invariant, call: Call, verdict: Verdict, why: str = "", example: Example | None = None
    ) -> Result:
        """Say what was found about one tool."""
        return Result(
            name=invariant.name,
            says=invariant.says,
            verdict=verdict,
            place=invariant.place,
            tools=(call.slice.shape.name,),
            example=example,
            why=why,
            arbitrary=tuple(call.arbitrary),
        )

    def _named(self, invariant: Invariant, tool: ToolName) -> None:
        if tool not in self.contract.tools:
            known = [name for name in self.contract.tools if ":" not in name]
            raise _wrong(invariant.place, f"the contract has no tool `{tool}`", nearest(tool, known))
        for kind, name, known in self._missing(invariant, tool):
            what = f"`{invariant.name}` looks at the {kind} `{name}`, which `{tool}` has not"
            if kind == "fact" and name in self.contract.facts.keys() | self.contract.unknown_facts:
                what = f"`{invariant.name}` looks at the fact `{name}`, and no rule about `{tool}` does"
            fix = nearest(name, known) if known else "remove it from `when`"
            raise _wrong(invariant.place, what, fix)

    def _can_tell(self, invariant: Invariant, tool: ToolName) -> bool:
        return not any(self._missing(invariant, tool))

    def _missing(self, invariant: Invariant, tool: ToolName) -> Iterator[tuple[str, str, list[str]]]:
        """Name what an invariant looks at and calls of a tool never have."""
        call = self.call(tool)
        schema = self.contract.tools[tool].schema
        names = [path[1] for path in call.accepted.slots() if len(path) == len(("args", "name"))]
        closed = schema is not None and schema.get("additionalProperties", False) is False
        for path in _paths(invariant.when):
            name = str(path[1])
            if path[0] == "facts" and name not in call.facts:
                yield "fact", name, [*call.facts]
            elif path[0] == "args" and closed and "patternProperties" not in (schema or {}) and name not in names:
                yield "argument", name, names


def joined(name: str, says: str, place: Place | None, results: Sequence[Result]) -> Result:
    """Join what was found about several tools: what went wrong first, else all that it holds of."""
    worst = min(results, key=lambda each: RANK[each.verdict], default=None)
    if worst is None:
        why = "no tool has such calls, so it says nothing"
        return Result(name=name, says=says, place=place, verdict="vacuous", why=why)
    same = [each for each in results if each.verdict == worst.verdict]
    return Result(
        name=name,
        says=says,
        place=place,
        verdict=worst.verdict,
        tools=tuple(dict.fromkeys(tool for each in same for tool in each.tools)),
        example=worst.example,
        why=worst.why,
        arbitrary=tuple(dict.fromkeys(each for result in same for each in result.arbitrary)),
    )


def _broken(invariant: Invariant, example: Example) -> bool:
    scope: Mapping[str, Json] = {"args": dict(example.case.args), "facts": dict(example.case.facts)}
    meant = invariant.when is None or evaluate(invariant.when, scope)
    return meant and example.case.expect in invariant.bad and example.case.mode in invariant.modes


def _paths(expression: Expr | None) -> list[tuple[object, ...]]:
    return [path.steps for path in paths(expression)] if expression is not None else []


def _wrong(place: Place, what: str, fix: str) -> ContractProblems:
    return ContractProblems([Problem(place=place, what=what, fix=fix)])
