"""Grants: one person's yes to one digest under one binding, used once, expiring. `vote` says who may give one."""

from collections.abc import Sequence

from msgspec import Struct

from interlock.core.decision import Ask, Requirement
from interlock.core.ids import ActionId, Binding, Digest, GrantId, Instant, PersonId, Role, RuleId
from interlock.core.value import replace


class Grant(Struct, frozen=True, kw_only=True):
    """A yes of `person` to exactly `digest` as shown by `seen`, under `bound`, answering `rules` and no other."""

    id: GrantId
    action: ActionId
    digest: Digest
    bound: Binding
    """The policies and the tool, as they were when it asked."""
    rules: frozenset[RuleId]
    seen: str
    """The hash of all that the person was shown."""
    person: PersonId
    roles: frozenset[Role]
    known_by: str
    """How the person was known: `os:1000`, or `key:` and the fingerprint of the key that signed."""
    signature: str = ""
    """Key and signature over action, digest and `seen`, in hex, where the person signed. A step-up asks for it."""
    given_at: Instant
    expires_at: Instant
    consumed_by: ActionId | None = None


def opening(
    ask: Ask,
    grants: Sequence[Grant],
    *,
    digest: Digest,
    bound: Binding,
    seen: str,
    now: Instant,
) -> tuple[Grant, ...] | None:
    """Return the grants that together answer every requirement, or nothing if one is left open.

    Args:
        ask: what is required, as policy says now.
        grants: every yes that was given to the action and counts today.
        digest: what stands there by now; an edit makes it another one.
        bound: the policies and the tool that decide now.
        seen: the hash of what a person would be shown now.
        now: a grant that has expired by then opens nothing.
    """
    good = [
        grant
        for grant in grants
        if (grant.digest, grant.bound) == (digest, bound) and grant.consumed_by is None and now < grant.expires_at
    ]
    chosen: dict[GrantId, Grant] = {}
    for requirement in ask.requirements:
        answers = answering(requirement, good, seen=seen)
        if answers is None:
            return None
        chosen |= {grant.id: grant for grant in answers}
    return tuple(chosen.values())


def answering(requirement: Requirement, grants: Sequence[Grant], *, seen: str) -> tuple[Grant, ...] | None:
    """Return one grant a person that together make the quorum of one requirement, or nothing."""
    by_person = {
        grant.person: grant
        for grant in sorted(grants, key=lambda grant: grant.id)
        if requirement.rule in grant.rules
        and grant.roles & requirement.approvers
        and (grant.seen == seen or requirement.on_change == "go_on")
        and (grant.signature or not requirement.step_up)
    }
    answers = tuple(by_person.values())
    if len(answers) < max(1, requirement.quorum):
        return None
    held = frozenset[Role]().union(*(grant.roles for grant in answers))
    if requirement.each and not requirement.approvers <= held:
        return None
    return answers


def consume(grant: Grant, action: ActionId) -> Grant:
    """Use the yes up."""
    assert grant.consumed_by is None, f"grant `{grant.id}` is used once"
    return replace(grant, consumed_by=action)
