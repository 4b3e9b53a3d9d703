"""What a decision is made from: the tool as rules see it, and one question about one call, which can be replayed."""

from collections.abc import Mapping
from typing import Literal, cast

import msgspec
import orjson
from msgspec import Struct, field

from interlock.core.action import Caller
from interlock.core.canonical import Json
from interlock.core.charge import Unit
from interlock.core.door import BreakGlass, Switch
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.errors import InterlockError
from interlock.core.fact import Fact, Known, Unknown
from interlock.core.ids import Instant, ToolName
from interlock.policy.arguments import Record

FactKind = Literal["bool", "long", "string"]


class ToolShape(Struct, frozen=True, kw_only=True):
    """What rules need to know of a tool."""

    name: ToolName
    effect: EffectClass = EffectClass.OPAQUE
    tier: Tier = Tier.RED
    kind: str = ""
    """The class of tools that a rule may name, such as `refund`."""
    arguments: Record = Record(open=True)


class Question(Struct, frozen=True, kw_only=True):
    """May this call go on? It holds everything that the answer depends on, apart from the policies."""

    caller: Caller
    tool: ToolName
    effect: EffectClass
    tier: Tier
    arguments: bytes
    """The canonical JSON object."""
    quantities: Mapping[str, int] = field(default_factory=dict[str, int])
    """Millionths, by the path of the argument. What is not here is not known."""
    facts: Mapping[str, Fact] = field(default_factory=dict[str, Fact])
    now: Instant
    mode: Mode
    switches: tuple[Switch, ...] = ()
    glass: tuple[BreakGlass, ...] = ()
    counters: Mapping[Unit, int] = field(default_factory=dict[Unit, int])
    """What the run has spent: a snapshot, which explains. A limit that must hold is a budget."""
    tainted: bool = True
    corroborated: bool = False
    undo: bool = False
    """It reverses an earlier action."""
    by_operator: bool = False
    """An operator asks for it, not an agent."""
    started_by_person: bool = False
    """A person starts what an agent drafted."""


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question as it is kept. Values of any JSON type are kept as text, so that no float stands in it."""

    v: Literal[1] = 1
    caller: Caller
    tool: ToolName
    effect: EffectClass
    tier: Tier
    arguments: str
    quantities: dict[str, str]
    known: dict[str, tuple[str, Instant]]
    unknown: dict[str, str]
    now: Instant
    mode: Mode
    switches: tuple[Switch, ...]
    glass: tuple[BreakGlass, ...]
    counters: dict[str, int]
    tainted: bool
    corroborated: bool
    undo: bool
    by_operator: bool
    started_by_person: bool


def question_bytes(question: Question) -> bytes:
    """Write a question in its one form: sorted keys, no floats.

    Raises:
        InterlockError: a fact or an argument has no form as text.
    """
    try:
        written = _Written(
            caller=question.caller,
            tool=question.tool,
            effect=question.effect,
            tier=question.tier,
            arguments=question.arguments.decode(),
            quantities={path: str(micros) for path, micros in question.quantities.items()},
            known={
                name: (orjson.dumps(fact.value, option=orjson.OPT_SORT_KEYS).decode(), fact.as_of)
                for name, fact in question.facts.items()
                if isinstance(fact, Known)
            },
            unknown={name: fact.why for name, fact in question.facts.items() if isinstance(fact, Unknown)},
            now=question.now,
            mode=question.mode,
            switches=question.switches,
            glass=question.glass,
            counters={unit.value: amount for unit, amount in question.counters.items()},
            tainted=question.tainted,
            corroborated=question.corroborated,
            undo=question.undo,
            by_operator=question.by_operator,
            started_by_person=question.started_by_person,
        )
        return msgspec.json.encode(written, order="sorted")
    except (TypeError, UnicodeError) as error:
        raise InterlockError(
            "the input of the decision has no form as text", fix="use finite numbers and valid Unicode"
        ) from error


def question_of(recorded: bytes) -> Question:
    """Read a question that `question_bytes` wrote.

    Raises:
        InterlockError: these are not such bytes.
    """
    try:
        written = msgspec.json.decode(recorded, type=_Written)
        facts: dict[str, Fact] = {name: Unknown(why=why) for name, why in written.unknown.items()}
        for name, (text, as_of) in written.known.items():
            facts[name] = Known(value=cast("Json", orjson.loads(text)), as_of=as_of)
        quantities = {path: int(micros) for path, micros in written.quantities.items()}
        counters = {Unit(name): amount for name, amount in written.counters.items()}
    except (ValueError, msgspec.DecodeError) as error:
        raise InterlockError(
            "the recorded input of a decision cannot be read", fix="run `interlock ledger verify`"
        ) from error
    return Question(
        caller=written.caller,
        tool=written.tool,
        effect=written.effect,
        tier=written.tier,
        arguments=written.arguments.encode(),
        quantities=quantities,
        facts=facts,
        now=written.now,
        mode=written.mode,
        switches=written.switches,
        glass=written.glass,
        counters=counters,
        tainted=written.tainted,
        corroborated=written.corroborated,
        undo=written.undo,
        by_operator=written.by_operator,
        started_by_person=written.started_by_person,
    )
