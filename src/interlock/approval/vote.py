"""Who may say yes or no to what: roles, separation of duties, and a person votes once."""

from collections.abc import Sequence
from dataclasses import dataclass

from interlock.approval.grant import Grant
from interlock.core.decision import Requirement
from interlock.core.ids import PersonId, Role, RuleId


@dataclass(frozen=True, slots=True, kw_only=True)
class Voter:
    """The person, and what they may agree to in this workflow."""

    person: PersonId
    roles: frozenset[Role]
    proved: bool = False
    """Whether they proved who they are just for this word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoVote:
    """Why this person's word does not count here, and what would."""

    why: str
    fix: str


def answerable(
    voter: Voter,
    requirements: Sequence[Requirement],
    *,
    authors: frozenset[PersonId],
    separation_of_duties: bool,
    asked_by: frozenset[PersonId],
) -> frozenset[RuleId] | NoVote:
    """Name the rules that this person may answer.

    Args:
        voter: who wants to vote.
        requirements: what is asked for.
        authors: everybody who edited the arguments; they never approve their own words.
        separation_of_duties: whether who asked for it may not approve it.
        asked_by: who asked for it, and on whose behalf.
    """
    if voter.person in authors:
        return NoVote(why=f"`{voter.person}` wrote these arguments", fix="ask somebody else to approve them")
    if separation_of_duties and voter.person in asked_by:
        return NoVote(why=f"`{voter.person}` asked for this action", fix="ask somebody else to approve it")
    mine = [requirement for requirement in requirements if requirement.approvers & voter.roles]
    rules = frozenset(requirement.rule for requirement in mine if voter.proved or not requirement.step_up)
    if rules:
        return rules
    if mine:
        why = f"`{mine[0].rule}` asks that whoever agrees proves who they are, just for this"
        return NoVote(why=why, fix="sign with a key of yours: `--sign-with KEY`")
    wanted = sorted({role for requirement in requirements for role in requirement.approvers})
    return NoVote(
        why=f"`{voter.person}` holds none of the roles {', '.join(wanted)}",
        fix="name the person under `approvals.people` in the contract, or ask one who holds the role",
    )


def voted_already(grants: Sequence[Grant], new: Grant) -> Grant | None:
    """Return the yes that a person gave to the very same thing, and that says all that the new one would."""

    def same(old: Grant) -> bool:
        told = (old.person, old.digest, old.bound, old.seen) == (new.person, new.digest, new.bound, new.seen)
        return told and new.rules <= old.rules and new.roles <= old.roles and (old.signature != "" or not new.signature)

    return next((old for old in grants if same(old)), None)
