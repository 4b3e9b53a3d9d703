"""The record, decision by decision: what policy was asked and what it said, held against what the ledger commits to."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from interlock.contract.bundle import decode
from interlock.core.errors import InterlockError, PayloadErased, StoreTampered
from interlock.core.ids import ActionId, ContractHash, Environment, Instant, PayloadId, RuleId, ToolName, WorkflowId
from interlock.gateway.asked import commitment
from interlock.gateway.force import Force, compiled
from interlock.gateway.reask import judged_by
from interlock.ledger.pruned import is_pruned
from interlock.ledger.reading import ActionLine, EntryLine, read
from interlock.policy.decide import decide
from interlock.policy.replay import Recorded, Tally, consent_covers, recorded_verdict, requirements_of, untold
from interlock.policy.vocabulary import Question, question_of
from interlock.ports import ActionRow, Needs, Secrets, TenantStore

_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which decisions are looked at, the newest first."""

    workflow: WorkflowId
    environment: Environment
    since: Instant = Instant(0)
    last: int | None = None
    """At most so many."""

    def about(self, line: EntryLine) -> bool:
        """Tell whether an entry is of this workflow, and somebody or something decided in it."""
        mine = isinstance(line, ActionLine) and (line.workflow, line.environment) == (self.workflow, self.environment)
        return mine and isinstance(line, ActionLine) and line.decision != ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A decision whose record does not hold."""

    action: ActionId
    entry: int
    what: str


@dataclass(slots=True, kw_only=True)
class Record:
    """What was found of the record, beside the decisions that can be looked at."""

    erased: int = 0
    pruned: int = 0
    """Entries that were taken out of the ledger, whatever they were about."""
    unjudged: int = 0
    """Refusals that no rule had to make: no such tool, arguments that are not valid."""
    wrong: list[Wrong] = field(default_factory=list[Wrong])


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision with the question that it answers, which is the one that the ledger commits to."""

    entry: int
    line: ActionLine
    question: Question
    once: bool
    """Whether nothing else was ever decided of the action."""

    @property
    def recorded(self) -> Recorded:
        verdict = recorded_verdict(self.line.decision, tuple(map(RuleId, self.line.rules)))
        assert verdict is not None, "only entries with a decision are looked at"
        return Recorded(
            action=ActionId(self.line.action),
            tool=ToolName(self.line.tool),
            at=Instant(self.line.at),
            verdict=verdict,
            rules=tuple(map(RuleId, self.line.rules)),
            once=self.once,
        )


@dataclass(slots=True, kw_only=True)
class Reader:
    """Reads the decisions of one tenant, a page at a time, from the newest entry back."""

    store: TenantStore
    secrets: Secrets
    wish: Wish
    record: Record = field(default_factory=Record)

    async def decided(self) -> AsyncIterator[Decided]:
        """Yield each decision that can be looked at. What cannot goes to `record`."""
        end, left = (await self.store.read(Needs())).entries, self.wish.last
        while end > 0 and left != 0:
            begin = max(0, end - _PAGE)
            page = list(enumerate(await self.store.entries(after=begin, limit=end - begin), begin))
            lines = [(n, read(line)) for n, line in page if not is_pruned(line)]
            self.record.pruned += len(page) - len(lines)
            young = [(n, line) for n, line in lines if line.at >= self.wish.since]
            mine = [(n, line) for n, line in young if self.wish.about(line) and isinstance(line, ActionLine)]
            mine = mine[::-1] if left is None else mine[::-1][:left]
            left = None if left is None else left - len(mine)
            async for each in self._opened(mine):
                yield each
            end = begin if len(young) == len(lines) else 0

    async def _opened(self, lines: Sequence[tuple[int, ActionLine]]) -> AsyncIterator[Decided]:
        asked = [(n, line) for n, line in lines if "question" in line.detail]
        self.record.unjudged += len(lines) - len(asked)
        rows = await self._rows({ActionId(line.action) for _, line in asked})
        named = {PayloadId(line.detail["question"]) for _, line in asked} | {
            row.action.arguments for row in rows.values() if row is not None
        }
        texts = self.secrets.open_all(self.store.tenant, await self.store.payloads(sorted(named)))
        salts: dict[ActionId, str | None] = {}
        for n, line in asked:
            row = rows.get(ActionId(line.action))
            found = self._question(line, row, texts, salts)
            if isinstance(found, Question):
                # What has waited for a person was judged when it was asked for, and again when it went on.
                yield Decided(entry=n, line=line, question=found, once=row is not None and not row.expires_at)
            elif found is None:
                self.record.erased += 1
            else:
                self.record.wrong.append(Wrong(action=ActionId(line.action), entry=n, what=found))

    async def _rows(self, ids: set[ActionId]) -> Mapping[ActionId, ActionRow | None]:
        try:
            return (await self.store.read(Needs(actions=frozenset(ids)))).actions
        except StoreTampered:
            if len(ids) <= 1:
                return {}
            # One that was edited says nothing of the others.
            found: dict[ActionId, ActionRow | None] = {}
            for id in ids:
                found |= await self._rows({id})
            return found

    def _question(
        self,
        line: ActionLine,
        row: ActionRow | None,
        texts: "Texts",
        salts: dict[ActionId, str | None],
    ) -> Question | str | None:
        """Open a question: itself, nothing where it was erased, or what is wrong with it."""
        if row is None:
            return "its row is gone, or not as it was written"
        try:
            text = _text(PayloadId(line.detail["question"]), texts)
            if row.action.id not in salts:
                salts[row.action.id] = json.loads(_text(row.action.arguments, texts))["salt"]
            if commitment(salts[row.action.id] or "", text) != line.facts:
                return "what policy was asked is not what the ledger commits to"
            return question_of(text)
        except PayloadErased:
            return None
        except InterlockError as error:
            return str(error)


Texts = Mapping[PayloadId, bytes | PayloadErased | StoreTampered]
"""Payloads that were opened, or why one could not be."""


def _text(id: PayloadId, texts: Texts) -> bytes:
    found = texts.get(id)
    if found is None:
        raise StoreTampered(f"payload `{id}` is gone", fix="restore it from a backup")
    if isinstance(found, InterlockError):
        raise found
    return found


@dataclass(slots=True, kw_only=True)
class Contracts:
    """The contracts that decided, each compiled once."""

    store: TenantStore
    _kept: dict[str, Force | InterlockError] = field(default_factory=dict[str, Force | InterlockError])

    async def of(self, decided: Decided) -> Force | InterlockError:
        """Return the contract that decided, or why it cannot be read."""
        name = ContractHash(decided.line.contract)
        if name not in self._kept:
            try:
                self._kept[name] = compiled(decode(await self.store.contract(name)), name)
            except InterlockError as error:
                self._kept[name] = error
        return self._kept[name]


async def backtest(reader: Reader, candidate: Force, tally: Tally, *, as_if: Callable[[Question], Question]) -> None:
    """Put every recorded question to a candidate, and count what would come of it.

    Args:
        reader: of the record.
        candidate: compiled as publishing would.
        tally: where it is counted.
        as_if: what is to count in place of what was recorded, such as another mode.
    """
    contracts = Contracts(store=reader.store)
    async for decided in reader.decided():
        recorded, then = decided.recorded, await contracts.of(decided)
        known = then if isinstance(then, Force) else None
        judgement, asked = judged_by(candidate, as_if(decided.question), then=known)
        missing = untold(candidate.policies, asked, judgement)
        if missing:
            tally.leave(recorded, missing)
            continue
        covered = True
        if recorded.verdict == "ask":
            if known is None:
                reader.record.wrong.append(_wrong(decided, f"the contract that decided: {then}"))
                continue
            wanted = requirements_of(known.policies, recorded.rules, decided.question.tier)
            covered = consent_covers(judgement, wanted)
        tally.tell(recorded, judgement, covered=covered)


async def audited(reader: Reader) -> int:
    """Put every recorded question to the contract that decided, and return how many decisions follow from theirs."""
    contracts, follow = Contracts(store=reader.store), 0
    async for decided in reader.decided():
        then = await contracts.of(decided)
        wrong = _does_not_follow(decided, then) if isinstance(then, Force) else f"the contract that decided: {then}"
        follow += wrong == ""
        if wrong:
            reader.record.wrong.append(_wrong(decided, wrong))
    return follow


def _does_not_follow(decided: Decided, force: Force) -> str:
    line, question = decided.line, decided.question
    caller = question.caller
    asked = (caller.tenant, caller.workflow, caller.environment, caller.agent, caller.principal, question.tool)
    if asked != (line.tenant, line.workflow, line.environment, line.agent, line.principal, line.tool):
        return "what policy was asked is about another call"
    judgement = decide(force.policies, question)
    said = type(judgement.decision).__name__.lower()
    if judgement.slice != line.slice:
        return "the policies of its contract are not those that the entry names"
    if (said, judgement.rules) != (line.decision, line.rules):
        return f"recorded as {_by(line.decision, line.rules)}; the question leads to {_by(said, judgement.rules)}"
    return ""


def _wrong(decided: Decided, what: str) -> Wrong:
    return Wrong(action=ActionId(decided.line.action), entry=decided.entry, what=what)


def _by(decision: str, rules: Sequence[str]) -> str:
    return f"{decision} by {', '.join(f'`{rule}`' for rule in rules) or 'no rule'}"
