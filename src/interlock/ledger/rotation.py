"""Generations of a tenant's signing key, and the entries that lead from one to the next, signed by both keys.

A generation signs heads over the sizes of its range and no others: from just behind the entry that brought it in, to
the last size before the next such entry. The entry also has the head of all that stands before it, so the older key
holds that part of the ledger to its word, whatever becomes of the newer one.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from interlock.core.errors import LedgerBroken
from interlock.core.ids import TenantId
from interlock.core.limits import GENERATIONS_MAX
from interlock.ledger.note import Verifier, opened
from interlock.ledger.reading import ChangeLine, EntryLine
from interlock.ledger.seal import Kind
from interlock.ledger.tree import Head

Detail = dict[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """From one generation to the next. Nothing of it is checked yet."""

    generation: int
    """The number of the new one."""
    before: Head
    """All that stands before the entry. Its size is the index of the entry, and the last size that `old` signs."""
    old: Verifier
    new: Verifier
    by_old: bytes = b""
    by_new: bytes = b""

    def text(self) -> bytes:
        """Write down what both keys sign. No head begins like this, and no report."""
        root = base64.b64encode(self.before.root).decode()
        lines = (self.old.origin, self.generation, self.before.size, root, self.old, self.new)
        return "\n".join(["interlock key rotation 1", *map(str, lines), ""]).encode()

    def signed(self, sign: Callable[[int, bytes], bytes], *, was: int) -> "Rotation":
        """Return it with both signatures.

        Args:
            sign: signs a text with the key of a generation.
            was: the number of the old generation.
        """
        text = self.text()
        return replace(self, by_old=sign(was, text), by_new=sign(self.generation, text))

    def problem(self) -> str:
        """Say what is wrong with it by itself; empty if nothing is."""
        text = self.text()
        if self.old.origin != self.new.origin:
            return "it leads to the key of another ledger"
        if self.old == self.new:
            return "it leads to the key that it comes from"
        if not self.old.fits(self.by_old, text):
            return "the key that it takes over from has not signed it"
        if not self.new.fits(self.by_new, text):
            return "the key that it brings in has not signed it"
        return ""


def detail(rotation: Rotation, *, why: str) -> Detail:
    """Say it in an entry, with a code for why it was done."""
    return {
        "generation": rotation.generation,
        "entries": rotation.before.size,
        "root": rotation.before.root.hex(),
        "old": str(rotation.old),
        "new": str(rotation.new),
        "by_old": base64.b64encode(rotation.by_old).decode(),
        "by_new": base64.b64encode(rotation.by_new).decode(),
        "why": why,
    }


def rotation_of(entry: EntryLine) -> Rotation | None:
    """Return the rotation that an entry is, or nothing.

    Raises:
        LedgerBroken: it is one, and does not say all that it has to.
    """
    if not isinstance(entry, ChangeLine) or entry.kind is not Kind.ROTATED:
        return None
    said = entry.detail
    try:
        return Rotation(
            generation=int(said["generation"]),
            before=Head(size=int(said["entries"]), root=bytes.fromhex(str(said["root"]))),
            old=Verifier.parse(str(said["old"])),
            new=Verifier.parse(str(said["new"])),
            by_old=base64.b64decode(str(said["by_old"]), validate=True),
            by_new=base64.b64decode(str(said["by_new"]), validate=True),
        )
    except (KeyError, ValueError, binascii.Error, LedgerBroken) as error:
        raise LedgerBroken(
            "a rotation does not say from which key to which", fix="read it with the version that wrote it"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A key, and the sizes that it signs heads over."""

    number: int
    key: Verifier
    first: int
    last: int | None = None
    """Nothing while it signs."""

    def covers(self, size: int) -> bool:
        """Whether a head over so many entries is its to sign."""
        return self.first <= size and (self.last is None or size <= self.last)

    def range(self) -> str:
        """Say which heads are its to sign."""
        if self.last is None:
            return f"heads over {self.first:,} entries and more" if self.first else "heads of every size"
        return f"heads over {self.first:,} to {self.last:,} entries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The generations of one ledger, oldest first, each brought in by a rotation that holds."""

    generations: tuple[Generation, ...]

    @classmethod
    def begun(cls, key: Verifier) -> "Chain":
        """Begin with the key of the first generation."""
        return cls(generations=(Generation(number=1, key=key, first=0),))

    @property
    def now(self) -> Generation:
        """The one that signs."""
        return self.generations[-1]

    def has(self, key: Verifier) -> bool:
        return any(each.key == key for each in self.generations)

    def problem(self, rotation: Rotation, before: Head | None = None) -> str:
        """Say why a rotation does not go on from here; empty if it does.

        Args:
            rotation: the next one.
            before: the head of all that stands before its entry, where that is known.
        """
        now = self.now
        if wrong := rotation.problem():
            return wrong
        if rotation.old != now.key:
            return f"it takes over from a key that does not sign: generation {now.number} does"
        if rotation.generation <= now.number or self.has(rotation.new):
            return f"it brings in generation {rotation.generation} after generation {now.number}"
        if rotation.before.size < now.first or before not in (None, rotation.before):
            return "it was signed over other entries than those before it"
        return ""

    def after(self, rotation: Rotation) -> "Chain":
        """Go on by a rotation that has no problem."""
        size = rotation.before.size
        new = Generation(number=rotation.generation, key=rotation.new, first=size + 1)
        return Chain(generations=(*self.generations[:-1], replace(self.now, last=size), new))

    def opened(self, note: str) -> tuple[Head, Generation]:
        """Return the head that a note speaks of, and who signed it: whose range it is in, if several did.

        Raises:
            LedgerBroken: it is not well formed, or signed by none of them.
        """
        found: list[tuple[Head, Generation]] = []
        why: LedgerBroken | None = None
        for each in self.generations:
            try:
                found.append((opened(note, each.key), each))
            except LedgerBroken as broken:
                why = broken
        if not found:
            assert why is not None, "a chain has at least one generation"
            raise why
        return next((one for one in found if one[1].covers(one[0].size)), found[-1])


def beyond(head: Head, by: Generation) -> str:
    """Say that a generation has signed what is not its to sign; empty if it is."""
    if by.covers(head.size):
        return ""
    return f"is signed over {head.size:,} entries with the key of generation {by.number}, which signs {by.range()}"


def chain_of(rotations: Iterable[Rotation], otherwise: Verifier) -> Chain:
    """Follow rotations for as long as they hold, each by its signatures alone.

    Args:
        rotations: oldest first. One that does not hold is left out.
        otherwise: the key of the only generation, where there is no rotation.
    """
    each = tuple(rotations)
    chain = Chain.begun(first_key(each, otherwise))
    for rotation in each:
        if not chain.problem(rotation):
            chain = chain.after(rotation)
    return chain


def first_key(rotations: Iterable[Rotation], otherwise: Verifier) -> Verifier:
    """Return the key of the first generation: the one that the first rotation which holds takes over from."""
    own = (each.old for each in rotations if each.old.origin == otherwise.origin and not each.problem())
    return next(own, otherwise)


def signers(tenant: TenantId, public_key: Callable[[int], bytes]) -> Iterator[Verifier]:
    """Name the key of every generation that an installation can derive, the first one first."""
    for generation in range(1, GENERATIONS_MAX + 1):
        yield Verifier.of(tenant, public_key(generation))
