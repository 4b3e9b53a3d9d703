"""Recorded decisions against those of now: what moved, which way, how often a day people are asked, what is refused.

Pure: whoever reads the record puts each question to the policies and hands the pair in. What the record does not
say is counted, never guessed.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.core.decision import Ask, Deny, Requirement
from interlock.core.effect import Tier
from interlock.core.fact import Unknown
from interlock.core.ids import ActionId, Instant, RuleId, ToolName
from interlock.policy.cases import Verdict, verdict_of
from interlock.policy.decide import Judgement
from interlock.policy.load import Policies
from interlock.policy.rule import RuleEffect
from interlock.policy.strictness import RANK, covers
from interlock.policy.table import consent_for
from interlock.policy.vocabulary import Question

_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A decision as the ledger has it."""

    action: ActionId
    tool: ToolName
    at: Instant
    verdict: Verdict
    rules: tuple[RuleId, ...]
    once: bool = False
    """Whether this is all that was ever decided of the action: it never waited for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """From what to what a decision would go."""

    old: Verdict
    new: Verdict
    looser: bool
    """Of two that ask: whether the consent of now would not have been enough then."""

    def __str__(self) -> str:
        return f"{self.old} -> {self.new}" + (" (of others)" if self.looser and self.old == self.new else "")

    @property
    def order(self) -> tuple[bool, int, str]:
        """What is told first: what became looser, and of that what moved furthest, from deny on."""
        return not self.looser, -abs(RANK[self.old] - RANK[self.new]), f"{9 - RANK[self.old]}{RANK[self.new]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One decision that would move, to be looked at."""

    recorded: Recorded
    rules: tuple[RuleId, ...]
    """The rules that would decide now."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What replaying came to. An action that was judged more than once counts once for each move.

    Only such an action is remembered; of the others, however many there are, a number is.
    """

    examples_max: int = 3
    moves: Counter[tuple[Move, ToolName]] = field(default_factory=Counter[tuple[Move, ToolName]])
    examples: dict[Move, list[Example]] = field(default_factory=dict[Move, list[Example]])
    untold: Counter[tuple[ToolName, str]] = field(default_factory=Counter[tuple[ToolName, str]])
    """By tool and fact, the decisions that cannot be told: the record lacks the fact."""
    decisions: int = 0
    left: int = 0
    """Decisions that cannot be told."""
    first: Instant = Instant(0)
    last: Instant = Instant(0)
    asked: int = 0
    """How many actions asked a person, as recorded, and by the policies of now; how many were refused."""
    asked_now: int = 0
    refused: int = 0
    refused_now: int = 0
    _counted: set[tuple[ActionId, str | Move]] = field(default_factory=set[tuple[ActionId, "str | Move"]])

    def tell(self, recorded: Recorded, judgement: Judgement, *, covered: bool) -> None:
        """Count one decision. `covered` says whether the consent of now would have been enough then."""
        new = verdict_of(judgement.decision)
        both_ask = recorded.verdict == new == "ask"
        move = Move(
            old=recorded.verdict, new=new, looser=_opens(recorded.verdict, new, covered=not both_ask or covered)
        )
        self.decisions += 1
        self._when(recorded)
        self.asked += recorded.verdict == "ask" and self._first(recorded, "asked")
        self.asked_now += new == "ask" and self._first(recorded, "asked now")
        self.refused += recorded.verdict == "deny" and self._first(recorded, "refused")
        self.refused_now += new == "deny" and self._first(recorded, "refused now")
        if not self._first(recorded, move):
            return
        self.moves[move, recorded.tool] += 1
        kept = self.examples.setdefault(move, [])
        if (move.old != move.new or move.looser) and len(kept) < self.examples_max:
            kept.append(Example(recorded=recorded, rules=judgement.rules))

    def _first(self, recorded: Recorded, what: str | Move) -> bool:
        """Tell whether this is to be counted of an action: it is the first time."""
        if recorded.once:
            return True
        known = (recorded.action, what) in self._counted
        self._counted.add((recorded.action, what))
        return not known

    def leave(self, recorded: Recorded, missing: tuple[str, ...]) -> None:
        """Count a decision that cannot be told."""
        self._when(recorded)
        self.left += 1
        for fact in missing:
            self.untold[recorded.tool, fact] += 1

    def _when(self, recorded: Recorded) -> None:
        self.first = min(self.first or recorded.at, recorded.at)
        self.last = max(self.last, recorded.at)

    @property
    def looser(self) -> int:
        """How many decisions became looser."""
        return sum(count for (move, _), count in self.moves.items() if move.looser)

    @property
    def days(self) -> float:
        """How long the decisions took to come, one day at least, so that an hour is not taken for a rate."""
        return max(1.0, (self.last - self.first) / _DAY)

    def by_move(self) -> Mapping[Move, Mapping[ToolName, int]]:
        """Return the counts by move and tool, in the order in which they are told."""
        found: dict[Move, dict[ToolName, int]] = {}
        for (move, tool), count in sorted(self.moves.items(), key=lambda item: (item[0][0].order, item[0][1])):
            found.setdefault(move, {})[tool] = count
        return found


def _opens(old: Verdict, new: Verdict, *, covered: bool) -> bool:
    return RANK[new] < RANK[old] or not covered


def recorded_verdict(decision: str, rules: tuple[RuleId, ...]) -> Verdict | None:
    """Read the verdict out of an entry. A draft is a suggestion that the tier alone made; nothing if it is none."""
    match decision:
        case "allow" | "ask" | "deny":
            return decision
        case "suggest":
            return "draft" if {rule for rule in rules if not rule.startswith("glass:")} == {"tier:red"} else "suggest"
        case _:
            return None


def requirements_of(policies: Policies, rules: tuple[RuleId, ...], tier: Tier) -> tuple[Requirement, ...] | None:
    """Say whose consent the rules of a recorded decision took; nothing if these are not the policies of that time."""
    found: list[Requirement] = []
    for rule in rules:
        policy = policies.policies.get(rule)
        standing = tier if rule.startswith(("tier:", "mode:")) else None
        requirement = policy.requirement if policy else consent_for(standing, policies.consents) if standing else None
        if requirement is None and not rule.startswith("glass:"):
            return None
        found += [requirement] if requirement is not None else []
    return tuple(found)


def consent_covers(judgement: Judgement, old: tuple[Requirement, ...] | None) -> bool:
    """Tell whether what would be asked of people by now would have been enough then."""
    now = judgement.decision
    return not isinstance(now, Ask) or (old is not None and covers(now.requirements, old))


def untold(policies: Policies, question: Question, judgement: Judgement) -> tuple[str, ...]:
    """Name the facts that the record lacks and on which the decision hangs; nothing where it can be told."""
    slice = policies.slices.get(question.tool)
    missing = frozenset(slice.facts) - question.facts.keys() if slice is not None else frozenset[str]()
    if slice is None or not missing or _denied_anyway(policies, question, judgement, missing):
        return ()
    return tuple(sorted(missing))


def _denied_anyway(policies: Policies, question: Question, judgement: Judgement, missing: frozenset[str]) -> bool:
    """Whether it is a no whatever the missing facts are."""
    if not isinstance(judgement.decision, Deny):
        return False
    slice = policies.slices[question.tool]
    if len(judgement.steps) < _ALL_STEPS or not slice.permitted:
        return True
    if any(isinstance(question.facts.get(name), Unknown) for name in slice.facts):
        return True  # it was looked up, and unknown is a no
    deciding = (slice.policies[rule] for rule in judgement.decision.rules if rule in slice.policies)
    return any(
        policy.effect is RuleEffect.DENY and policy.facts is not None and not policy.facts & missing
        for policy in deciding
    )


_ALL_STEPS = 3  # switches, mode x tier, rules: a no ends them
