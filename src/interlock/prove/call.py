"""One arbitrary call of one tool: everything that a decision depends on, none of it said."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from interlock.core.canonical import Json, JsonObject
from interlock.core.effect import Mode
from interlock.core.fact import Known
from interlock.core.ids import ToolName
from interlock.core.limits import SAFE_INTEGER
from interlock.policy.load import Policies, Slice
from interlock.policy.vocabulary import FactKind, Question
from interlock.prove.accepted import Accepted
from interlock.prove.formula import (
    NO,
    Compare,
    Counts,
    Formula,
    Value,
    Var,
    compare,
    every,
    negated,
    some,
)
from interlock.prove.slot import Kind, Slot

MODES = tuple(Mode)
MODE = Var("mode", "whole")
NOW = Var("now", "whole")
UNDO = Var("undo", "flag")
BY_OPERATOR = Var("by an operator", "flag")
STARTED_BY_PERSON = Var("started by a person", "flag")
TAINTED = Var("tainted", "flag")
CORROBORATED = Var("corroborated", "flag")

OF_AN_AGENT = every(negated(UNDO), negated(BY_OPERATOR), negated(STARTED_BY_PERSON))
"""An agent asks: nobody undoes anything, and no person starts a draft."""
_WORLD = every(Compare(Fraction(0), "<=", MODE), Compare(MODE, "<=", Fraction(len(MODES) - 1)))


def in_mode(*modes: Mode) -> Formula:
    """It is one of these modes."""
    return some(*(compare(MODE, "==", Fraction(MODES.index(mode))) for mode in modes))


@dataclass(slots=True)
class Call:
    """A call of the tool of one slice of the policies."""

    slice: Slice
    accepted: Accepted
    facts: Mapping[str, Slot]
    """The facts that the rules of the slice look at."""
    kinds: Mapping[str, FactKind]
    """What each of them is compared as."""
    never_known: frozenset[str]
    """Facts that nobody can look up."""
    open: dict[Var, None] = field(default_factory=dict[Var, None])
    """What is left open because it cannot be said."""
    _asked_for: dict[tuple[str, ...], set[str]] = field(default_factory=dict[tuple[str, ...], set[str]])

    @property
    def arbitrary(self) -> dict[str, None]:
        """What is taken to be anything, in words."""
        return self.accepted.arbitrary

    def argument(self, parts: tuple[str, ...]) -> Slot:
        """Return the place of an argument. One that no schema names may hold anything that the schema leaves open."""
        self.accepted.add(("args", *parts))
        return self.accepted.slots()["args", *parts]

    def has(self, slot: Slot, text: str) -> Formula:
        """Say that the list in a place has a text in it."""
        self._asked_for.setdefault(slot.path, set()).add(text)
        return slot.has(text)

    def asked_for(self, slot: Slot) -> list[str]:
        """Name the texts that something asks of the list in a place."""
        return sorted(self._asked_for.get(slot.path, ()))

    def free(self, name: str, why: str) -> Formula:
        """Leave something open that cannot be said, and say so."""
        self.arbitrary[why] = None
        left = Var(name, "flag")
        self.open[left] = None
        return left

    def possible(self) -> Formula:
        """Say what holds of every call that is judged at all. Ask last: places that are added later are not in it."""
        return every(_WORLD, self.accepted.formula(), *self._lists(), *self._facts())

    def _lists(self) -> Iterator[Formula]:
        slots = self.accepted.slots()
        for path, texts in self._asked_for.items():
            for text in sorted(texts):
                possible = self.accepted.may_have(path, text)
                yield some(negated(slots[path].has(text)), slots[path].one_of(Kind.LIST) if possible else NO)

    def _facts(self) -> Iterator[Formula]:
        for name, slot in self.facts.items():
            if name in self.never_known:
                yield slot.one_of(Kind.ABSENT)
                continue
            # What the gateway takes for a fact: a flag, a whole number within 2^53, a text.
            yield slot.one_of(Kind.ABSENT, Kind.FLAG, Kind.NUMBER, Kind.TEXT)
            yield Counts(slot.number, Fraction(1))
            yield every(
                Compare(Fraction(-SAFE_INTEGER), "<=", slot.number), Compare(slot.number, "<=", Fraction(SAFE_INTEGER))
            )

    def said(self, question: Question, arguments: Json) -> dict[str, Value]:
        """Return what to put in for a call that is really made."""
        said: dict[str, Value] = {
            MODE.name: MODES.index(question.mode),
            NOW.name: question.now,
            UNDO.name: question.undo,
            BY_OPERATOR.name: question.by_operator,
            STARTED_BY_PERSON.name: question.started_by_person,
            TAINTED.name: question.tainted,
            CORROBORATED.name: question.corroborated,
        }
        for path, slot in self.accepted.slots().items():
            texts = frozenset(self._asked_for.get(path, ()))
            there, value = _at(arguments, path[1:])
            said |= dict(slot.holding(value, texts) if there else slot.nothing(texts))
        for name, slot in self.facts.items():
            fact = question.facts.get(name)
            said |= dict(slot.holding(fact.value) if isinstance(fact, Known) else slot.nothing())
        return said


def call_of(
    policies: Policies,
    tool: ToolName,
    schema: JsonObject | None,
    never_known: frozenset[str] = frozenset(),
    *,
    formats: bool = False,
) -> Call:
    """Make an arbitrary call.

    Args:
        policies: what decides.
        tool: a tool that the policies know.
        schema: the JSON Schema of its arguments; nothing said is any object.
        never_known: facts that nobody can look up.
        formats: whether texts must have the `format` that the schema names.
    """
    root = {"type": "object"} if schema is None else {"type": "object", "additionalProperties": False, **schema}
    accepted = Accepted(root, formats)
    accepted.collect(root, ("args",))
    slice = policies.slices[tool]
    return Call(slice, accepted, {name: Slot(("facts", name)) for name in slice.facts}, policies.facts, never_known)


def _at(value: Json, parts: tuple[str, ...]) -> tuple[bool, Json]:
    for part in parts:
        if not isinstance(value, dict) or part not in value:
            return False, None
        value = value[part]
    return True, value
