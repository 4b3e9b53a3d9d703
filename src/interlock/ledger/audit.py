"""The audit of an export, by the public key and what was kept outside. It needs neither a store nor a secret."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interlock.core.action import NEXT
from interlock.core.errors import LedgerBroken
from interlock.core.outcome import Receipt
from interlock.core.wording import count, count_entries
from interlock.ledger.consent import BY_KEY, consent_text, proves
from interlock.ledger.export import Export
from interlock.ledger.gap import Gap, declaring, gap_of
from interlock.ledger.note import Verifier, opened
from interlock.ledger.reading import ActionLine, UsedLine, read
from interlock.ledger.seal import Kind
from interlock.ledger.tree import Growing, Head, leaf_hash


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
    under_way = Audit(export.signer, announced=export.size, pinned=pinned, heads=heads, receipts=receipts)
    for line in export.lines:
        under_way.add(line)
    return under_way.report(export.head)


class Audit:
    """An audit under way. Entries go by one at a time, and none is held."""

    def __init__(
        self,
        signer: Verifier,
        *,
        announced: int,
        pinned: Verifier | None = None,
        heads: Iterable[str] = (),
        receipts: Sequence[Receipt] = (),
    ) -> None:
        """Begin with what is known before the first entry.

        Args:
            signer: who signs, by the ledger's own word.
            announced: how many entries there are to be.
            pinned: the public key as you know it.
            heads: signed notes that you kept.
            receipts: what callers were given.
        """
        self._signer, self._announced, self._pinned, self._receipts = signer, announced, pinned, receipts
        self._found: list[Finding] = []
        if pinned not in (None, signer):
            what = f"it is signed by `{signer}`, not by the key that you know"
            self._found.append(Finding(index=None, what=what))
        self._kept = _opened([*heads, *(receipt.head for receipt in receipts)], pinned or signer, self._found)
        self._tree = Growing({0, announced, *(head.size for head in self._kept)})
        self._receipted: dict[int, str] = {}
        """The leaves at the places that receipts name."""
        self._places = {receipt.index for receipt in receipts}
        self._gaps: list[Gap] = []
        self._given: dict[str, set[UsedLine]] = {}
        """Every yes to an action that has not ended."""
        self._about: list[Finding] = []

    def add(self, line: bytes) -> None:
        """Go on by one entry: hash it, read it, hold every yes in it against those before."""
        index, leaf = self._tree.size, leaf_hash(line)
        self._tree.add(leaf)
        if index in self._places:
            self._receipted[index] = leaf.hex()
        try:
            entry = read(line)
            gap = gap_of(index, entry)
        except LedgerBroken as broken:
            self._about.append(Finding(index=index, what=str(broken)))
            return
        if gap is not None:
            self._gaps.append(gap)
        if isinstance(entry, ActionLine):
            if entry.grants:
                self._about += (Finding(index=index, what=what) for what in _consents(entry, self._given))
            if not NEXT[entry.state]:
                self._given.pop(entry.action, None)  # nothing starts it any more

    def report(self, head: str) -> Report:
        """Say what was found, now that the head over all entries is known."""
        size = self._tree.size
        own = self._own(head)
        roots = {**self._tree.roots, size: self._tree.root()}
        return Report(
            origin=self._signer.origin,
            entries=size,
            root=roots[size],
            pinned=self._pinned is not None,
            heads=len(self._kept),
            receipts=len(self._receipts),
            findings=(
                *self._found,
                *_heads(roots, own, size, "the signed head of this export", ()),
                *_heads(roots, self._kept, size, "a head that you kept", self._gaps),
                *self._held_against_receipts(),
                *self._about,
            ),
            gaps=tuple(self._gaps),
        )

    def _own(self, note: str) -> tuple[Head, ...]:
        size, found = self._tree.size, self._found
        if size != self._announced:
            found.append(Finding(index=None, what=f"it announces {count_entries(self._announced)} and has {size}"))
        if not note:
            if size or self._announced:
                found.append(Finding(index=None, what="it has no signed head: the file was cut off"))
            return ()
        try:
            head = opened(note, self._pinned or self._signer)
        except LedgerBroken as broken:
            found.append(Finding(index=None, what=str(broken)))
            return ()
        if head.size != size:
            found.append(Finding(index=None, what=f"its head is over {count_entries(head.size)}, and it has {size}"))
        return (head,)

    def _held_against_receipts(self) -> Iterable[Finding]:
        for receipt in self._receipts:
            leaf = self._receipted.get(receipt.index)
            gap = next((gap for gap in self._gaps if gap.covers_entry(receipt.index)), None)
            if gap is not None and leaf != receipt.leaf:
                what = f"it was receipted, and is declared lost by entry {gap.declared_at}"
                yield Finding(index=receipt.index, what=what, declared=True)
            elif leaf is None:
                yield Finding(index=receipt.index, what="it was receipted, and it is gone")
            elif leaf != receipt.leaf:
                yield Finding(index=receipt.index, what="it is not the entry that was receipted")


def _opened(notes: Iterable[str], signer: Verifier, found: list[Finding]) -> tuple[Head, ...]:
    heads: dict[Head, None] = {}
    for note in dict.fromkeys(notes):
        try:
            heads[opened(note, signer)] = None
        except LedgerBroken as broken:
            found.append(Finding(index=None, what=f"a head that you kept is of no use: {broken}"))
    return tuple(sorted(heads, key=lambda head: head.size))


def _heads(
    by_size: dict[int, bytes], heads: Iterable[Head], size: int, which: str, gaps: Sequence[Gap]
) -> Iterable[Finding]:
    """Hold the roots against heads, smallest first: what a good one covers is good."""
    good = 0
    for head in heads:
        if head.size < size and head.size not in by_size:
            continue  # the export's own, over a number of entries that it does not announce: that is found already
        gap = declaring(gaps, head) if by_size.get(head.size) != head.root else None
        if gap is not None:
            what = f"{which} is over {count_entries(head.size)}, {_lost(gap, head.size)}"
            yield Finding(index=gap.shared, what=what, declared=True)
        elif head.size > size:
            what = (
                f"{which} is over {count_entries(head.size)}: {count(head.size - size, 'is', 'are')} gone from the end"
            )
            yield Finding(index=size, what=what)
        elif by_size.get(head.size) == head.root:
            good = head.size
        else:
            what = f"{which} is over other entries: one from {good} to {head.size - 1} was changed, added, moved or cut"
            yield Finding(index=good, what=what)


def _lost(gap: Gap, size: int) -> str:
    return f"of which the last {size - gap.shared} are declared lost by entry {gap.declared_at}"


def _consents(entry: ActionLine, given: dict[str, set[UsedLine]]) -> Iterable[str]:
    """Hold each yes against its signature where a key gave it, and whatever a yes opened against who said it."""
    for grant in entry.grants:
        if entry.kind is Kind.GRANTED:
            given.setdefault(entry.action, set()).add(grant)
            detail = entry.detail
            text = consent_text(entry.action, detail.get("digest", ""), detail.get("seen", ""))
            signed = proves(detail.get("signature", ""), grant.known_by, text)
            if not signed and ("signature" in detail or grant.known_by.startswith(BY_KEY)):
                yield f"the yes of `{grant.person}` is not signed by the key that it names"
        elif entry.kind is Kind.STARTED and grant not in given.get(entry.action, ()):
            yield f"it was started by a yes of `{grant.person}` that no entry before it tells of"
