"""Who else has seen the ledger, by what is kept of it: cosignatures of witnesses whose keys are known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interlock.core.errors import LedgerBroken
from interlock.core.ids import Instant
from interlock.ledger.anchor import Anchor
from interlock.ledger.audit import Finding
from interlock.ledger.cosign import Cosigner, checkpoint, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Somebody saw so many entries, and signed that with the time of their own clock."""

    by: str
    size: int
    at: Instant


def sightings(anchors: Iterable[Anchor], witnesses: Sequence[Cosigner]) -> tuple[list[Sighting], list[Finding]]:
    """Check every cosignature by the keys that are known, and say who saw which size when, oldest first.

    Whether what they saw is what the ledger says is for the audit: give it the same heads.
    """
    seen: list[Sighting] = []
    wrong: list[Finding] = []
    for anchor in dict.fromkeys(anchors):
        for witness in witnesses:
            try:
                note = parse(anchor.head)
                at = witness.seen_at(note)
                size = checkpoint(note.text).head.size
            except LedgerBroken as broken:
                wrong.append(Finding(index=None, what=f"an anchor is of no use: {broken}"))
                continue
            if at is not None:
                seen.append(Sighting(by=witness.name, size=size, at=Instant(at * 1_000_000)))
    for witness in witnesses:
        if not any(each.by == witness.name for each in seen):
            what = f"nothing that you kept is cosigned by the witness {witness.name}"
            wrong.append(Finding(index=None, what=what))
    return sorted(seen, key=lambda each: (each.at, each.size)), wrong


def unchecked(anchors: Iterable[Anchor], witnesses: Sequence[Cosigner]) -> list[str]:
    """Name everybody else who signed, whose keys are not known."""
    known = {witness.name for witness in witnesses}
    names: set[str] = set()
    for anchor in dict.fromkeys(anchors):
        try:
            note = parse(anchor.head)
        except LedgerBroken:
            continue
        names |= {each.name for each in note.signatures} - known - {anchor.origin}
    return sorted(names)
