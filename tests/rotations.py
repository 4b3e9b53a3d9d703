"""A ledger whose key was rotated twice, and somebody who holds whichever of its keys they have stolen."""

from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from interlock.core.ids import Instant, ProcessId, TenantId
from interlock.ledger.audit import Report, audit
from interlock.ledger.export import read, write
from interlock.ledger.note import Verifier, signed
from interlock.ledger.rotation import Rotation, detail
from interlock.ledger.seal import ChangeEntry, Kind, seal
from interlock.ledger.tree import Tree

KEYS = {n: Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3, 7)}
"""Of generations 1 to 3, and one of a thief."""


def verifier(n: int, tenant: str = "acme") -> Verifier:
    return Verifier.of(TenantId(tenant), KEYS[n].public_key().public_bytes_raw())


def a_change(n: int) -> bytes:
    return an_entry(Kind.CLOCK, n, {"accepted": n})


def an_entry(kind: Kind, n: int, detail: dict[str, str | int]) -> bytes:
    entry = ChangeEntry(
        kind=kind, at=Instant(n), epoch=n, process=ProcessId("p"), by="kim", known_by="os:1", detail=detail
    )
    return seal(entry)


def tree_of(lines: list[bytes]) -> Tree:
    tree = Tree()
    for line in lines:
        tree = tree.add(line)
    return tree


def rotation(lines: list[bytes], was: int, to: int, tenant: str = "acme", number: int | None = None) -> Rotation:
    """Make the rotation that goes behind these lines, signed by both keys."""
    plain = Rotation(
        generation=number or to, before=tree_of(lines).head(), old=verifier(was, tenant), new=verifier(to, tenant)
    )
    text = plain.text()
    return replace(plain, by_old=KEYS[was].sign(text), by_new=KEYS[to].sign(text))


def rotated(made: Rotation) -> bytes:
    return an_entry(Kind.ROTATED, made.before.size, detail(made, why="leaked"))


def note(lines: list[bytes], by: int) -> str:
    return signed(verifier(by), tree_of(lines).head(), KEYS[by].sign)


@dataclass
class Turned:
    """Generation 1 signs over 0 to 5 entries, 2 over 6 to 11, 3 over 12 and more."""

    lines: list[bytes] = field(default_factory=list[bytes])

    def __post_init__(self) -> None:
        for was, to in ((1, 2), (2, 3)):
            self.grow(5)
            self.lines.append(rotated(rotation(self.lines, was, to)))
        self.grow(4)

    def grow(self, by: int) -> None:
        self.lines += [a_change(len(self.lines) + n) for n in range(by)]

    def head(self, size: int, by: int) -> str:
        return note(self.lines[:size], by)


ALL = (1, 2, 3)
KEPT = ((1, 1), (5, 1), (6, 2), (11, 2), (12, 3), (15, 3))
"""Sizes of heads, and which generation signs each."""


def audited(lines: list[bytes], *heads: str, pinned: int | None = 1, by: int = 3) -> Report:
    """Audit an export of these lines whose head `by` has signed."""
    export = read(write(verifier(by), lines, size=len(lines), head=note(lines, by)))
    return audit(export, pinned=verifier(pinned) if pinned else None, heads=heads)


def told(report: Report) -> list[tuple[int | None, str]]:
    return [(finding.index, finding.what) for finding in report.findings]
