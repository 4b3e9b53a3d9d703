"""Who is who in a workflow: the person behind a login or a key, and the roles that they hold today."""

from interlock.approval.grant import Grant
from interlock.contract.ir import Approvals
from interlock.core.ids import PersonId, Role


def person_of(approvals: Approvals, person: PersonId, known_by: str) -> PersonId:
    """Name the person who is known like that: a key that the contract gives to somebody is theirs."""
    proofs = {person, known_by}
    return next((name for name, keys in sorted(approvals.keys.items()) if proofs & keys), person)


def roles_of(approvals: Approvals, person: PersonId, known_by: str) -> frozenset[Role]:
    """Name the roles that a person holds, by their name or by the key that they signed with."""
    names = {person, PersonId(known_by)}
    return frozenset(role for role, holders in approvals.people.items() if names & holders)


def as_held_today(approvals: Approvals, grant: Grant) -> frozenset[Role]:
    """Name the roles in which a yes still counts: those in which it was given and that the person holds today."""
    return grant.roles & roles_of(approvals, grant.person, grant.known_by)
