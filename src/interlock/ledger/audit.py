"""The audit of an export, by the public key and what was kept outside. It needs neither a store nor a secret."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interlock.core.errors import LedgerBroken
from interlock.core.outcome import Receipt
from interlock.core.wording import count, count_entries
from interlock.ledger.consent import BY_KEY, consent_text, proves
from interlock.ledger.export import Export
from interlock.ledger.gap import Gap, declaring, gap_of
from interlock.ledger.note import Verifier, opened
from interlock.ledger.reading import ActionLine, UsedLine, read
from interlock.ledger.seal import Kind
from interlock.ledger.tree import Head, leaf_hash, roots


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong."""

    index: int | None
    """The entry that it is about; nothing where it cannot be told to one."""
    what: str
    declared: bool = False
    """Whether an entry of the ledger says that just this is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was looked at, and what is wrong with it."""

    origin: str
    entries: int
    root: bytes
    """Over all entries of the export, whatever its head says."""
    pinned: bool
    """Whether the public key came from elsewhere. If not, the export vouches for itself, and whoever could write it
    could sign it."""
    heads: int
    """How many older heads were held against it, those of receipts and anchors included."""
    receipts: int
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...] = ()
    """What the ledger itself declares lost, whether or not anything of it was kept."""

    @property
    def sound(self) -> bool:
        return not self.findings


def audit(
    export: Export, *, pinned: Verifier | None = None, heads: Iterable[str] = (), receipts: Sequence[Receipt] = ()
) -> Report:
    """Check that an export is one history, signed, and goes on from everything that was kept of it.

    Args:
        export: what `ledger.export.read` returned.
        pinned: the public key as you know it. Without it, the one in the export is taken at its word.
        heads: signed notes that you kept, from whenever: older heads, anchors.
        receipts: what callers were given.
    """
    signer = pinned or export.signer
    found: list[Finding] = []
    if export.signer != signer:
        found.append(Finding(index=None, what=f"it is signed by `{export.signer}`, not by the key that you know"))
    kept = _opened([*heads, *(receipt.head for receipt in receipts)], signer, found)
    own = _own(export, signer, found)
    leaves = [leaf_hash(line) for line in export.lines]
    size = len(leaves)
    by_size = roots(leaves, {size, 0, *(head.size for head in (*kept, *own))})
    gaps = list[Gap]()
    about = list(_entries(export.lines, gaps))
    found += _heads(by_size, own, size, "the signed head of this export", ())
    found += _heads(by_size, kept, size, "a head that you kept", gaps)
    found += _receipts(receipts, leaves, gaps)
    found += about
    return Report(
        origin=export.signer.origin,
        entries=size,
        root=by_size[size],
        pinned=pinned is not None,
        heads=len(kept),
        receipts=len(receipts),
        findings=tuple(found),
        gaps=tuple(gaps),
    )


def _opened(notes: Iterable[str], signer: Verifier, found: list[Finding]) -> tuple[Head, ...]:
    heads: dict[Head, None] = {}
    for note in dict.fromkeys(notes):
        try:
            heads[opened(note, signer)] = None
        except LedgerBroken as broken:
            found.append(Finding(index=None, what=f"a head that you kept is of no use: {broken}"))
    return tuple(sorted(heads, key=lambda head: head.size))


def _own(export: Export, signer: Verifier, found: list[Finding]) -> tuple[Head, ...]:
    size = len(export.lines)
    if size != export.size:
        found.append(Finding(index=None, what=f"it announces {count_entries(export.size)} and has {size}"))
    if not export.head:
        if size or export.size:
            found.append(Finding(index=None, what="it has no signed head: the file was cut off"))
        return ()
    try:
        head = opened(export.head, signer)
    except LedgerBroken as broken:
        found.append(Finding(index=None, what=str(broken)))
        return ()
    if head.size != size:
        found.append(Finding(index=None, what=f"its head is over {count_entries(head.size)}, and it has {size}"))
    return (head,)


def _heads(
    by_size: dict[int, bytes], heads: Iterable[Head], size: int, which: str, gaps: Sequence[Gap]
) -> Iterable[Finding]:
    """Hold the roots against heads, smallest first: what a good one covers is good."""
    good = 0
    for head in heads:
        gap = declaring(gaps, head) if by_size.get(head.size) != head.root else None
        if gap is not None:
            what = f"{which} is over {count_entries(head.size)}, {_lost(gap, head.size)}"
            yield Finding(index=gap.shared, what=what, declared=True)
        elif head.size > size:
            what = (
                f"{which} is over {count_entries(head.size)}: {count(head.size - size, 'is', 'are')} gone from the end"
            )
            yield Finding(index=size, what=what)
        elif by_size[head.size] == head.root:
            good = head.size
        else:
            what = f"{which} is over other entries: one from {good} to {head.size - 1} was changed, added, moved or cut"
            yield Finding(index=good, what=what)


def _lost(gap: Gap, size: int) -> str:
    return f"of which the last {size - gap.shared} are declared lost by entry {gap.declared_at}"


def _receipts(receipts: Iterable[Receipt], leaves: Sequence[bytes], gaps: Sequence[Gap]) -> Iterable[Finding]:
    for receipt in receipts:
        there = receipt.index < len(leaves) and leaves[receipt.index].hex() == receipt.leaf
        gap = next((gap for gap in gaps if gap.covers_entry(receipt.index)), None)
        if gap is not None and not there:
            what = f"it was receipted, and is declared lost by entry {gap.declared_at}"
            yield Finding(index=receipt.index, what=what, declared=True)
        elif not 0 <= receipt.index < len(leaves):
            yield Finding(index=receipt.index, what="it was receipted, and it is gone")
        elif leaves[receipt.index].hex() != receipt.leaf:
            yield Finding(index=receipt.index, what="it is not the entry that was receipted")


def _entries(lines: Iterable[bytes], gaps: list[Gap]) -> Iterable[Finding]:
    """Read each entry, and collect what is declared lost."""
    given: set[tuple[str, UsedLine]] = set()
    for index, line in enumerate(lines):
        try:
            entry = read(line)
            gap = gap_of(index, entry)
        except LedgerBroken as broken:
            yield Finding(index=index, what=str(broken))
            continue
        if gap is not None:
            gaps.append(gap)
        if isinstance(entry, ActionLine) and entry.grants:
            yield from (Finding(index=index, what=what) for what in _consents(entry, given))


def _consents(entry: ActionLine, given: set[tuple[str, UsedLine]]) -> Iterable[str]:
    """Hold each yes against its signature where a key gave it, and whatever a yes opened against who said it."""
    for grant in entry.grants:
        if entry.kind is Kind.GRANTED:
            given.add((entry.action, grant))
            detail = entry.detail
            text = consent_text(entry.action, detail.get("digest", ""), detail.get("seen", ""))
            signed = proves(detail.get("signature", ""), grant.known_by, text)
            if not signed and ("signature" in detail or grant.known_by.startswith(BY_KEY)):
                yield f"the yes of `{grant.person}` is not signed by the key that it names"
        elif entry.kind is Kind.STARTED and (entry.action, grant) not in given:
            yield f"it was started by a yes of `{grant.person}` that no entry before it tells of"
