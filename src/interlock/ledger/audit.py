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
from interlock.ledger.note import Verifier, over
from interlock.ledger.proposal import problem
from interlock.ledger.pruned import Span, declared, is_pruned, leaf_of, lengthen, undeclared
from interlock.ledger.reading import ActionLine, EntryLine, UsedLine, read
from interlock.ledger.rotation import Chain, Generation, beyond, rotation_of
from interlock.ledger.seal import Kind
from interlock.ledger.tree import Growing, Head

_ROTATED = b'"kind":"rotated"'  # in a line that may be a rotation: only there the root before it is wanted


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
    generations: tuple[Generation, ...] = ()
    """Who signs heads of which sizes, oldest first."""
    pruned: int = 0
    """How many entries were taken out: of these the hashes alone were looked at."""

    @property
    def sound(self) -> bool:
        return not self.findings


def audit(
    export: Export, *, pinned: Verifier | None = None, heads: Iterable[str] = (), receipts: Sequence[Receipt] = ()
) -> Report:
    """Check that an export is one history, signed, and goes on from everything that was kept of it.

    From the pinned key, of whichever generation, the entries that rotate it lead to all others.

    Args:
        export: what `ledger.export.read` returned.
        pinned: a public key as you know it. Without it, the one in the export is taken at its word.
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
            pinned: a public key as you know it, of whichever generation.
            heads: signed notes that you kept.
            receipts: what callers were given.
        """
        self._signer, self._announced, self._pinned, self._receipts = signer, announced, pinned, receipts
        self._notes = tuple(dict.fromkeys([*heads, *(receipt.head for receipt in receipts)]))
        """Whose they are to sign is known once every rotation has gone by."""
        self._tree = Growing({0, announced, *map(over, self._notes)})
        self._chain: Chain | None = None
        """Begins with the first rotation that holds."""
        self._receipted: dict[int, str] = {}
        """The leaves at the places that receipts name."""
        self._places = {receipt.index for receipt in receipts}
        self._gaps: list[Gap] = []
        self._given: dict[str, set[UsedLine]] = {}
        """Every yes to an action that has not ended."""
        self._pruned: list[Span] = []
        """The entries that were taken out, and"""
        self._named: list[Span] = []
        """what entries say was taken out."""
        self._about: list[Finding] = []
        self._found: list[Finding] = []

    def add(self, line: bytes) -> None:
        """Go on by one entry: hash it, read it, hold every yes in it against those before."""
        index, leaf = self._tree.size, leaf_of(line)
        before = self._tree.root() if _ROTATED in line else b""
        self._tree.add(leaf)
        if index in self._places:
            self._receipted[index] = leaf.hex()
        if is_pruned(line):
            lengthen(self._pruned, index)
            return
        try:
            entry = read(line)
            gap = gap_of(index, entry)
            self._named += declared(index, entry)
            self._rotated(Head(size=index, root=before), entry)
        except LedgerBroken as broken:
            self._about.append(Finding(index=index, what=str(broken)))
            return
        if gap is not None:
            self._gaps.append(gap)
        if isinstance(entry, ActionLine):
            if wrong := problem(entry):
                self._about.append(Finding(index=index, what=wrong))
            if entry.grants:
                self._about += (Finding(index=index, what=what) for what in _consents(entry, self._given))
            if not NEXT[entry.state]:
                self._given.pop(entry.action, None)  # nothing starts it any more

    def _rotated(self, before: Head, entry: EntryLine) -> None:
        """Go on by an entry that rotates the key, given the head of all before it."""
        rotation = rotation_of(entry)
        if rotation is None:
            return
        if self._chain is None and rotation.old.origin == self._signer.origin and not rotation.problem():
            self._chain = Chain.begun(rotation.old)
        chain = self._chain or Chain.begun(self._signer)
        if wrong := chain.problem(rotation, before):
            self._about.append(Finding(index=before.size, what=f"it is no rotation of the key: {wrong}"))
        else:
            self._chain = chain.after(rotation)

    def _followed(self) -> Chain:
        """Return the generations that the pinned key leads to, or that key alone if it leads nowhere."""
        chain, pinned = self._chain or Chain.begun(self._signer), self._pinned
        if chain.now.key != self._signer:
            what = "it names another key as its own than its rotations lead to"
            self._found.append(Finding(index=None, what=what))
        if pinned is None or chain.has(pinned):
            return chain
        what = f"it is signed by `{self._signer}`, not by the key that you know"
        self._found.append(Finding(index=None, what=what))
        return Chain.begun(pinned)

    def report(self, head: str) -> Report:
        """Say what was found, now that the head over all entries is known."""
        size, chain = self._tree.size, self._followed()
        opened = _opened(self._notes, chain, self._found)
        own = self._own(head, chain)
        roots = {**self._tree.roots, size: self._tree.root()}
        kept = _in_range(opened, roots, self._gaps, self._found)
        return Report(
            origin=self._signer.origin,
            entries=size,
            root=roots[size],
            pinned=self._pinned is not None,
            heads=len(kept),
            receipts=len(self._receipts),
            findings=(
                *self._found,
                *_heads(roots, own, size, "the signed head of this export", ()),
                *_heads(roots, kept, size, "a head that you kept", self._gaps),
                *self._held_against_receipts(),
                *self._taken_out(),
                *self._about,
            ),
            gaps=tuple(self._gaps),
            generations=chain.generations,
            pruned=sum(last - first + 1 for first, last in self._pruned),
        )

    def _own(self, note: str, chain: Chain) -> tuple[Head, ...]:
        size, found = self._tree.size, self._found
        if size != self._announced:
            found.append(Finding(index=None, what=f"it announces {count_entries(self._announced)} and has {size}"))
        if not note:
            if size or self._announced:
                found.append(Finding(index=None, what="it has no signed head: the file was cut off"))
            return ()
        try:
            head, by = chain.opened(note)
        except LedgerBroken as broken:
            found.append(Finding(index=None, what=str(broken)))
            return ()
        if wrong := beyond(head, by):
            found.append(Finding(index=by.last, what=f"the signed head of this export {wrong}"))
        if head.size != size:
            found.append(Finding(index=None, what=f"its head is over {count_entries(head.size)}, and it has {size}"))
        return (head,)

    def _taken_out(self) -> Iterable[Finding]:
        for first, last in undeclared(self._pruned, self._named):
            which = "it was" if first == last else f"{first} to {last} were"
            yield Finding(index=first, what=f"{which} taken out, and no entry says so")

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


def _opened(notes: Iterable[str], chain: Chain, found: list[Finding]) -> dict[Head, frozenset[Generation]]:
    """Open every head that was kept, and say who has signed it."""
    heads: dict[Head, frozenset[Generation]] = {}
    for note in notes:
        try:
            head, by = chain.opened(note)
        except LedgerBroken as broken:
            found.append(Finding(index=None, what=f"a head that you kept is of no use: {broken}"))
        else:
            heads[head] = heads.get(head, frozenset[Generation]()) | {by}
    return heads


def _in_range(
    opened: dict[Head, frozenset[Generation]], by_size: dict[int, bytes], gaps: Sequence[Gap], found: list[Finding]
) -> tuple[Head, ...]:
    """Return the heads that were theirs to sign who signed them, smallest first."""
    heads = sorted(opened, key=lambda head: head.size)
    for head in tuple(heads):
        # A line that is declared lost may have rotated its key elsewhere than this one.
        if by_size.get(head.size) != head.root and declaring(gaps, head) is not None:
            continue
        wrong = [(by.last, what) for by in opened[head] if (what := beyond(head, by))]
        found += [Finding(index=last, what=f"a head that you kept {what}") for last, what in sorted(wrong, key=str)]
        if len(wrong) == len(opened[head]):
            heads.remove(head)
    return tuple(heads)


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
