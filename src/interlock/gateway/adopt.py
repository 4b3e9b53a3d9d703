"""A ledger that may lack its last entries: it is compared with what was kept outside, and a person takes it on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from interlock.core.door import Door
from interlock.core.errors import LedgerBroken, NotPermitted
from interlock.core.ids import ActionId, TenantId
from interlock.core.value import replace
from interlock.core.wording import count, count_entries
from interlock.gateway.doors import Operator, changed
from interlock.gateway.history import key_of, own
from interlock.gateway.rotate import signed_rotation
from interlock.ledger import change
from interlock.ledger.entrance import ended
from interlock.ledger.gap import Gap, copied, declaring, gap_of
from interlock.ledger.reading import read
from interlock.ledger.rotation import Chain, beyond, chain_of, detail, rotation_of
from interlock.ledger.seal import Kind
from interlock.ledger.tree import Head
from interlock.ports import Changes, Needs, Rows, Secrets, TenantStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A ledger beside the heads at hand."""

    size: int
    epoch: int
    copy: Head | None
    """What the backup had, where the store came out of one and nobody has adopted it."""
    shared: int
    """How many entries this ledger and the one behind the heads have in common, as far as the heads say."""
    newest: Head | None
    """The newest head at hand that says something about this ledger."""
    lost: int
    """How many entries the newest head is over that are not in this ledger."""
    generation: int
    """The newest generation of the signing key that any head at hand is signed with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What was written down."""

    compared: Compared
    known: Head
    door: Door
    out: "Out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """How many tokens, and roles for a while, have ended with an adoption."""

    tokens: int = 0
    rights: int = 0


def restored(rows: Rows, *, by: Operator, copy: Head) -> tuple[Changes, None]:
    """Mark a ledger that came out of a backup: nothing starts until it is adopted."""
    door = replace(rows.door, epoch=rows.door.epoch + 1, restored=True)
    return changed(rows, door, by, Kind.RESTORED, change.restored(copy)), None


async def compare(store: TenantStore, secrets: Secrets, notes: Iterable[str]) -> Compared:
    """Hold the ledger against signed heads that were kept outside.

    Raises:
        LedgerBroken: a head is not signed by this installation, or it is over entries that the copy must have and has
            not.
    """
    note = await store.signed_head()
    ours = own(note, store, secrets)[1] if note else Head(size=0, root=b"")
    entries = [(index, read(line)) for index, line in await store.entries_of(ActionId(""))]
    gaps = [gap for index, entry in entries if (gap := gap_of(index, entry)) is not None]
    rotations = [each for _, entry in entries if (each := rotation_of(entry)) is not None]
    chain = chain_of(rotations, key_of(store, secrets, 1))
    signed = [own(each, store, secrets) for each in notes]
    heads = sorted({_in_range(head, by, chain, gaps) for by, head in signed}, key=lambda head: -head.size)
    copy = copied(entry for _, entry in entries)
    strange, fitting = await _sorted_out(store, ours, heads, gaps)
    if copy is not None:  # a head of after the restore says nothing about what came after the backup
        fitting = [head for head in fitting if head.size <= copy.size]
    shared = copy.size if copy is not None else _shared(ours, gaps, strange, fitting)
    other = next((head for head in strange if head.size <= shared), None)
    if other is not None:
        raise LedgerBroken(
            f"a head over {count_entries(other.size)} is of another ledger than this one, which has them all",
            fix="do not adopt it: restore a backup of the ledger that the head is of",
        )
    return Compared(
        size=ours.size,
        epoch=(await store.read(Needs())).door.epoch,
        copy=copy,
        shared=shared,
        newest=next(iter((*strange, *fitting)), None),
        lost=strange[0].size - shared if strange else 0,
        generation=max((by for by, _ in signed), default=1),
    )


async def not_set_back(store: TenantStore, secrets: Secrets, notes: Iterable[str]) -> None:
    """Make sure that this ledger leads to every head at hand, or declares it lost, before the key is rotated.

    Once it is, nobody can tell a head of a lost line from one that a thief of the older key has signed.

    Raises:
        NotPermitted: it lacks entries, or a newer key.
        LedgerBroken: a head is not signed by this installation, or of another ledger, or by a key that may not.
    """
    compared = await compare(store, secrets, notes)
    if compared.lost or compared.generation > (await store.read(Needs())).door.generation:
        gone = f"{count(compared.lost, 'entry is', 'entries are')} lost" if compared.lost else "it lacks a newer key"
        fix = "adopt it first, with the heads at hand: `interlock ledger adopt`"
        raise NotPermitted(f"a head at hand is not of this ledger as it stands: {gone}", fix=fix)


def _in_range(head: Head, by: int, chain: Chain, gaps: Sequence[Gap]) -> Head:
    """Return a head that was its generation's to sign, as far as this ledger tells."""
    known = next((each for each in chain.generations if each.number == by), None)
    if known is not None and declaring(gaps, head) is None and (wrong := beyond(head, known)):
        fix = "find out who has that key: it is no head of this ledger; leave it out if you know where it comes from"
        raise LedgerBroken(f"a head {wrong}", fix=fix)
    return head


async def _sorted_out(
    store: TenantStore, own: Head, heads: Sequence[Head], gaps: Sequence[Gap]
) -> tuple[list[Head], list[Head]]:
    """Find the heads that this ledger does not lead to and that nothing declares lost, and the heads that it leads to.

    Each has to be looked at: a ledger that went on after it was set back leads to newer heads, and not to older ones.
    """
    strange: list[Head] = []
    fitting: list[Head] = []
    for head in heads:
        if await _leads_to(store, own, head):
            fitting.append(head)
        elif declaring(gaps, head) is None:
            strange.append(head)
    return strange, fitting


async def _leads_to(store: TenantStore, own: Head, head: Head) -> bool:
    if head.size > own.size:
        return False
    try:
        await store.consistency(head)
    except LedgerBroken:
        return False
    return True


def _shared(own: Head, gaps: Sequence[Gap], strange: Sequence[Head], fitting: Sequence[Head]) -> int:
    """Say how much of this ledger the line of strange heads has, where no restore has written that down."""
    oldest = min((head.size for head in strange), default=own.size + 1)
    if oldest > own.size:
        return own.size
    # It parted unnoticed: where a known gap begins, or else somewhere behind the last head that fits.
    known = [gap.shared for gap in gaps if gap.shared < oldest] or [h.size for h in fitting if h.size < oldest]
    return max(known, default=0)


async def adopt(
    store: TenantStore,
    secrets: Secrets,
    by: Operator,
    notes: Sequence[str],
    *,
    lost: int | None = None,
    nothing_newer: bool = False,
    keep_tokens: bool = False,
) -> Adopted:
    """Take on a ledger as it is, and let actions start again. What is lost is declared in an entry.

    Args:
        store: the tenant's.
        secrets: whose heads they must be.
        by: the person who answers for it.
        notes: the signed heads at hand: anchors, and those of receipts.
        lost: how many entries that person knows to be lost, where any are.
        nothing_newer: that person's word that nobody holds anything newer than this ledger.
        keep_tokens: that person's word that no token was revoked, and no role taken back, in what may be lost. Without
            it all of them end: a head shows what was there, and never that nothing came after it.

    Raises:
        NotPermitted: there is nothing to adopt, or the person has not said what they take on.
        LedgerBroken: a head is of another ledger.
    """
    while True:
        compared = await compare(store, secrets, notes)
        known = _known(compared, lost, nothing_newer=nothing_newer)
        turn = partial(
            _adopted,
            compared=compared,
            known=known,
            by=by,
            secrets=secrets,
            tenant=store.tenant,
            end=not keep_tokens,
        )
        answer = (await store.write(Needs(), turn)).answer
        if answer is not None:
            door, out = answer
            return Adopted(compared=compared, known=known, door=door, out=out)


def _known(compared: Compared, lost: int | None, *, nothing_newer: bool) -> Head:
    """Return the last head that is known outside, once a person has said all that nobody else can."""
    copy, newest = compared.copy, compared.newest
    if compared.lost:
        assert newest is not None, "something newer tells what is lost"
        if lost != compared.lost:
            gone = count(compared.lost, "entry is", "entries are")
            raise NotPermitted(
                f"{gone} lost: a head that was kept is over {newest.size}, and of those this ledger has "
                f"{compared.shared}",
                fix=f"look at what they may have done, then say `--lost {compared.lost}`",
            )
        return newest
    if copy is None:
        raise NotPermitted(
            "there is nothing to adopt: it was not restored, and no head at hand is newer",
            fix="name what was kept outside: `--anchors FILE`, `--receipt FILE`",
        )
    if lost:
        gone = count(lost, "entry is", "entries are")
        raise NotPermitted(f"no head at hand says that {gone} lost", fix="leave `--lost` out")
    if newest == copy:
        return copy
    if not nothing_newer:
        at_hand = f"the newest one at hand is over {newest.size}" if newest is not None else "none is at hand"
        raise NotPermitted(
            f"no head shows what came after the {count_entries(copy.size)} of the backup: {at_hand}",
            fix="name a newer `--anchors FILE` or `--receipt FILE`, or say `--nothing-newer` if nobody has one",
        )
    return copy


def _adopted(
    rows: Rows, *, compared: Compared, known: Head, by: Operator, secrets: Secrets, tenant: TenantId, end: bool
) -> tuple[Changes, tuple[Door, Out] | None]:
    if (rows.entries, rows.door.epoch) != (compared.size, compared.epoch):
        return Changes(), None  # it went on meanwhile: compare again
    adopted = change.adoption_ends(rows.now)
    tokens = sum(rows.now < one.ends_at for one in rows.door.credentials.values())
    out = Out(tokens=tokens, rights=sum(rows.now < one.until for one in rows.door.rights)) if end else Out()
    left = ended(rows.door, rows.now) if end else rows.door
    door = replace(left, epoch=rows.door.epoch + 1, restored=False, adopted=adopted)
    told = change.adopted(known, shared=min(compared.shared, known.size), tokens_end=end)
    if compared.generation <= door.generation:
        return changed(rows, door, by, Kind.ADOPTED, told), (door, out)
    # In what is lost the key was rotated. The older one must not go on: there it signs nothing any more.
    rotation = signed_rotation(rows, secrets, tenant, to=compared.generation)
    door = replace(door, generation=rotation.generation)
    rotated = changed(rows, door, by, Kind.ROTATED, detail(rotation, why=Kind.ADOPTED.value))
    both = (*rotated.entries, *changed(rows, door, by, Kind.ADOPTED, told).entries)
    return replace(rotated, entries=both), (door, out)
