"""Who is who in a workflow today: the person behind a login or a key, the roles they hold, the words that count."""

from collections.abc import Iterable, Sequence

from interlock.approval.grant import Grant
from interlock.contract.ir import Approvals
from interlock.core.credential import BY_ISSUER, Held
from interlock.core.door import Door
from interlock.core.ids import Instant, PersonId, Role, WorkflowId
from interlock.core.value import replace
from interlock.gateway.doors import Operator
from interlock.ledger.consent import BY_KEY
from interlock.ports import ActionRow


def person_of(approvals: Approvals, person: PersonId, known_by: str) -> PersonId:
    """Name the person who is known like that: the contract says whose a key is, and whose a login at an issuer.

    A login counts by the word of that very issuer; of whoever is only named, such as who asked, by the name.
    """
    vouched = known_by in ("", f"{BY_ISSUER}{person.rpartition('@')[2]}")
    proofs = {known_by, *((person,) if vouched else ())}
    return next((name for name, keys in sorted(approvals.keys.items()) if proofs & keys), person)


def named(by: Operator, person: PersonId) -> PersonId:
    """Name somebody as it is written down: by their login where an issuer vouches for them, which stays what it is."""
    return by.person if by.known_by.startswith(BY_ISSUER) else person


def roles_of(approvals: Approvals, person: PersonId, known_by: str, login: PersonId) -> frozenset[Role]:
    """Name the roles that a person holds, by their name, or by the key or the login that they are known by."""
    names = {person, login, PersonId(known_by)}
    return frozenset(role for role, holders in approvals.people.items() if names & holders)


def roles_now(
    approvals: Approvals,
    door: Door,
    now: Instant,
    workflow: WorkflowId,
    person: PersonId,
    known_by: str,
    login: PersonId,
) -> frozenset[Role]:
    """Name the roles that may count for a person today: of the contract, given for a while, given by their issuer.

    Of these last ones it is all that the issuer gives to anybody: which of them are theirs is known as they speak.
    Whose issuer is not believed any more is known to be nobody.
    """
    if not _believed(door, known_by):
        return frozenset()
    issuer = door.issuers.get(known_by.removeprefix(BY_ISSUER)) if known_by.startswith(BY_ISSUER) else None
    groups = issuer.groups.values() if issuer is not None else ()
    held = [*_given(approvals, door, now, person), *(one for group in groups for one in group)]
    return roles_of(approvals, person, known_by, login) | held_in(workflow, held)


def roles_as_they_speak(
    approvals: Approvals, door: Door, now: Instant, workflow: WorkflowId, person: PersonId, by: Operator
) -> frozenset[Role]:
    """Name the roles that a person holds, who is here: what their issuer says of them, as far as it counts today."""
    if not _believed(door, by.known_by):
        return frozenset()
    said = held_in(workflow, by.roles)
    given = held_in(workflow, _given(approvals, door, now, person))
    today = roles_now(approvals, door, now, workflow, person, by.known_by, by.person)
    return roles_of(approvals, person, by.known_by, by.person) | (today & said) | given


def _believed(door: Door, known_by: str) -> bool:
    """Whether the door still believes by what somebody is known; what else shows who they are is not its own."""
    return not known_by.startswith(BY_ISSUER) or known_by.removeprefix(BY_ISSUER) in door.issuers


def _given(approvals: Approvals, door: Door, now: Instant, person: PersonId) -> list[Held]:
    """Return what a person holds for a while, under whichever of their names it was given."""
    mine = (one for one in door.rights if person_of(approvals, one.person, "") == person)
    return [one.held for one in mine if now < one.until]


def held_in(workflow: WorkflowId, roles: Iterable[Held]) -> frozenset[Role]:
    """Name the roles that are held in a workflow."""
    return frozenset(held.role for held in roles if held.workflow in (None, workflow))


def askers_of(row: ActionRow) -> tuple[PersonId, ...]:
    """Name who asked for an action, for whom, and who asked for what it does again or starts as a draft."""
    by = (row.action.by,) if row.action.by else ()
    return tuple(dict.fromkeys((*by, PersonId(row.action.caller.principal), *row.askers)))


def since_adoption(door: Door, grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """Return the yeses of after the last adoption: an earlier one may have been used in entries that are lost."""
    return tuple(grant for grant in grants if grant.given_at >= door.adopted)


def asked_before_adoption(door: Door, row: ActionRow) -> bool:
    """Whether it may have been carried out in entries that are lost."""
    return row.action.asked_at < door.adopted


def counting_today(
    approvals: Approvals, row: ActionRow, grants: Sequence[Grant], door: Door, now: Instant
) -> tuple[Grant, ...]:
    """Return the yeses that count by the contract and the door of today, each under the person and the roles of today.

    A key may have another owner by now, a person may have lost a role, or turn out to be who asked or edited.
    """
    out = authors_of(approvals, row)
    if approvals.separation_of_duties:
        out |= asked_by(approvals, row)
    found: list[Grant] = []
    for grant in grants:
        login = PersonId(grant.known_by) if grant.known_by.startswith(BY_KEY) else grant.person
        person = person_of(approvals, login, grant.known_by)
        today = roles_now(approvals, door, now, row.action.caller.workflow, person, grant.known_by, login)
        roles = grant.roles & today
        if person not in out:
            found.append(replace(grant, person=person, roles=roles))
    return tuple(found)


def asked_by(approvals: Approvals, row: ActionRow) -> frozenset[PersonId]:
    """Name who asked, as the persons that they are today, and as they were named."""
    return _people(approvals, askers_of(row))


def authors_of(approvals: Approvals, row: ActionRow) -> frozenset[PersonId]:
    """Name who edited it, as the persons that they are today, and as they were named."""
    return _people(approvals, row.authors)


def _people(approvals: Approvals, names: Iterable[PersonId]) -> frozenset[PersonId]:
    # An account of the machine may be called like somebody's login, and then it is not known whose name it was.
    return frozenset(each for name in names for each in (name, person_of(approvals, name, "")))
