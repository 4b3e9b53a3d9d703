"""The names that an action claims: a business key that is unique, a record that is changed one action at a time."""

from collections.abc import Sequence

from msgspec import Struct

from interlock.contract.path import Absent
from interlock.core.canonical import Json, canonical
from interlock.core.effect import EffectClass
from interlock.core.ids import ActionId, ClaimId, Instant
from interlock.core.value import replace
from interlock.gateway.asked import Asked
from interlock.ports import Claim, Rows, Secrets

FOREVER = Instant(2**53 - 1)

_DAY = 24 * 3_600 * 1_000_000


class Names(Struct, frozen=True, kw_only=True):
    """The names that one action claims, each a MAC, so that no business key stands in the database."""

    unique: ClaimId | None = None
    """Taken from the start until the window ends; given back by an undo, or when it is sure that nothing happened."""
    serial: ClaimId | None = None
    """Taken while the action is under way or uncertain."""
    targets: tuple[ClaimId, ...] = ()
    """Moved to whoever started last, so that an older request is not sent again after a newer one."""
    cache: ClaimId | None = None
    """Where the last answer of a read is found."""
    suggestion: ClaimId | None = None
    """Where the last suggestion under the same key is found: it holds no key, so that the call is judged each time."""
    follow_up: ClaimId | None = None
    """The action that this one undoes, or starts as a draft: by one at a time, and by none after one that may have
    happened."""

    reversed: tuple[ClaimId, ...] = ()
    """The claims of the action that this one undoes: its end gives the business key among them back."""

    def all(self) -> frozenset[ClaimId]:
        names = (self.unique, self.serial, self.cache, self.suggestion, self.follow_up)
        return frozenset(name for name in names if name is not None).union(self.targets, self.reversed)


def names_of(asked: Asked, secrets: Secrets) -> Names:
    """Name what this action claims."""
    tool = asked.tool
    return Names(
        unique=_name(asked, secrets, "unique", [tool.name], tool.unique.on) if tool.unique else None,
        serial=_name(asked, secrets, "serial", [], [tool.serialize]) if tool.serialize else None,
        targets=_targets(asked, secrets),
        cache=_cache(asked, secrets) if tool.cache_ttl and tool.effect is EffectClass.READ else None,
        suggestion=None if tool.effect is EffectClass.READ else _suggestion(asked, secrets),
        follow_up=_follow_up(asked, secrets),
    )


def _targets(asked: Asked, secrets: Secrets) -> tuple[ClaimId, ...]:
    """Name what it changes. Whatever writes to it counts, by whichever tool: nothing older is sent again after it."""
    tool = asked.tool
    if tool.effect is EffectClass.READ:
        return ()
    objects = [f"args.{path}" for path, argument in tool.arguments.items() if argument.role in ("id", "target")]
    if objects:
        return tuple(dict.fromkeys(_name(asked, secrets, "target", [], [path], named=False) for path in objects))
    return (_name(asked, secrets, "target", [tool.name], []),) if tool.effect is EffectClass.IDEMPOTENT else ()


def _name(
    asked: Asked, secrets: Secrets, kind: str, more: Sequence[str], paths: Sequence[str], *, named: bool = True
) -> ClaimId:
    """Name what stands at some paths; by its values alone where another tool may call it something else."""
    caller = asked.action.caller
    found = [asked.at(path) for path in paths]
    values: list[Json] = [None if isinstance(value, Absent) else value for value in found]
    what: Json = [kind, caller.workflow, caller.environment, *more, *(paths if named else ()), values]
    return ClaimId(secrets.mac(caller.tenant, b"claim\0" + canonical(what)).hex())


def _follow_up(asked: Asked, secrets: Secrets) -> ClaimId | None:
    action = asked.action
    if action.undo_of is not None:
        return _name(asked, secrets, "undo", [action.undo_of], [])
    return draft_claim(asked, action.draft_of, secrets) if action.draft_of is not None else None


def draft_claim(asked: Asked, id: ActionId, secrets: Secrets) -> ClaimId:
    """Name what the first action claims that a person starts out of a suggestion of the same caller."""
    return _name(asked, secrets, "draft", [id], [])


def _suggestion(asked: Asked, secrets: Secrets) -> ClaimId:
    # A key says already whose it is.
    text = canonical(["suggestion", asked.action.key])
    return ClaimId(secrets.mac(asked.action.caller.tenant, b"claim\0" + text).hex())


def _cache(asked: Asked, secrets: Secrets) -> ClaimId:
    # Whoever may see something else has another answer: who asks and for whom is part of the name.
    caller = asked.action.caller
    who: list[Json] = [caller.workflow, caller.environment, caller.agent, caller.principal]
    what: Json = ["cache", *who, asked.action.tool, asked.force.terms[asked.tool.name], asked.arguments.text.decode()]
    return ClaimId(secrets.mac(caller.tenant, b"claim\0" + canonical(what)).hex())


def taken(asked: Asked, names: Names, now: Instant) -> tuple[Claim, ...]:
    """Return the claims that a start makes."""
    id = asked.action.id
    claims: list[Claim] = []
    if names.unique is not None and asked.tool.unique is not None:
        claims.append(Claim(id=names.unique, action=id, until=Instant(now + asked.tool.unique.within)))
    if names.serial is not None:
        claims.append(Claim(id=names.serial, action=id, until=FOREVER, serial=True))
    claims += [Claim(id=target, action=id, until=FOREVER) for target in names.targets]
    if names.follow_up is not None:
        claims.append(Claim(id=names.follow_up, action=id, until=FOREVER))
    return tuple(claims)


def suggested(asked: Asked, names: Names, now: Instant) -> tuple[Claim, ...]:
    """Return the claim that a suggestion makes: an equal call is told of it for a day."""
    if names.suggestion is None:
        return ()
    return (Claim(id=names.suggestion, action=asked.action.id, until=Instant(now + _DAY)),)


def last_suggestion(rows: Rows, names: Names) -> Claim | None:
    """Return what was claimed by the last suggestion under the same key."""
    return rows.claims[names.suggestion] if names.suggestion else None


def business_key(claim: Claim) -> bool:
    """Whether a claim is on a business key, which ends by itself."""
    return not claim.serial and claim.until < FOREVER


def given_back(claim: Claim) -> Claim:
    """Let go of a name."""
    return replace(claim, until=Instant(0))


def holder(claim: Claim | None, asked: Asked, now: Instant) -> Claim | None:
    """Return the claim of another action that stands in the way."""
    return claim if claim is not None and claim.action != asked.action.id and now < claim.until else None
