"""What others say of a ledger, as `ledger verify` shows it: who saw which size when."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.anchor.places import stamped_at
from interlock.core.errors import LedgerBroken
from interlock.door.cli.reading import key_of
from interlock.door.cli.render import Time, clean, count
from interlock.door.cli.screen import Typed
from interlock.ledger.anchor import Anchor
from interlock.ledger.audit import Finding
from interlock.ledger.cosign import Cosigner
from interlock.ledger.sighted import Sighting, sightings, unchecked

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighted:
    """Checked words of others, and what is wrong with them."""

    seen: tuple[Sighting, ...]
    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...]
    """Whose signatures could not be checked."""
    unstamped: int
    """How many time stamps could not be checked."""

    @property
    def pairs(self) -> list[tuple[str, object]]:
        """Lay it out: the last ones of all."""
        lines = [
            f"{clean(each.by)}: {count(each.size, 'entry', 'entries')}, at {Time(each.at).short()}"
            for each in self.seen[-_SHOWN:]
        ]
        more = len(self.seen) - _SHOWN
        names = ", ".join(map(clean, self.unchecked))
        stamps = count(self.unstamped, "time stamp", "time stamps")
        return [
            ("seen by", "\n".join([*lines, *([f"and {more} times before"] if more > 0 else [])])),
            ("not checked", f"what {names} signed: give their keys with `--witness KEY`" if names else ""),
            ("not checked", f"{stamps}: give certificates with `--tsa CERTFILE`" if self.unstamped else ""),
        ]

    @property
    def as_data(self) -> list[dict[str, Any]]:
        return [{"by": each.by, "entries": each.size, "at": Time(each.at)} for each in self.seen]


def sighted(typed: Typed, anchors: Iterable[Anchor]) -> Sighted:
    """Check what others signed by the keys that the line names.

    Raises:
        UsageWrong: one of them is no key.
    """
    witnesses = [key_of(Cosigner.parse, each) for each in typed.given.witness or ()]
    kept = tuple(anchors)
    seen, wrong = sightings(kept, witnesses)
    stamped = [each for each in dict.fromkeys(kept) if each.stamp]
    files = [Path(each) for each in typed.given.tsa or ()]
    if files:
        more, bad = _stamps(stamped, files)
        seen, wrong = sorted([*seen, *more], key=lambda each: (each.at, each.size)), [*wrong, *bad]
    return Sighted(
        seen=tuple(seen),
        findings=tuple(wrong),
        unchecked=tuple(unchecked(kept, witnesses)),
        unstamped=0 if files else len(stamped),
    )


def _stamps(anchors: Iterable[Anchor], files: list[Path]) -> tuple[list[Sighting], list[Finding]]:
    """Check every time stamp. One that is named and checks nothing is a finding, as with witnesses."""
    seen: list[Sighting] = []
    wrong: list[Finding] = []
    for each in anchors:
        try:
            at = stamped_at(each.stamp, each.head, files)
        except LedgerBroken as broken:
            wrong.append(Finding(index=None, what=f"an anchor is of no use: {broken}"))
        else:
            seen.append(Sighting(by=f"a time stamp ({each.to.partition('#')[0]})", size=each.size or 0, at=at))
    if not seen:
        wrong.append(Finding(index=None, what="nothing that you kept has a time stamp by these certificates"))
    return seen, wrong
