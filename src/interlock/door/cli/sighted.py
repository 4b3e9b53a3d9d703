"""What others say of a ledger, as `ledger verify` shows it: who saw which size when."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

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

    @property
    def pairs(self) -> list[tuple[str, object]]:
        """Lay it out: the last ones of all."""
        lines = [
            f"{clean(each.by)}: {count(each.size, 'entry', 'entries')}, at {Time(each.at).short()}"
            for each in self.seen[-_SHOWN:]
        ]
        more = len(self.seen) - _SHOWN
        names = ", ".join(map(clean, self.unchecked))
        return [
            ("seen by", "\n".join([*lines, *([f"and {more} times before"] if more > 0 else [])])),
            ("not checked", f"what {names} signed: give their keys with `--witness KEY`" if names else ""),
        ]

    @property
    def as_data(self) -> list[dict[str, Any]]:
        return [{"by": each.by, "entries": each.size, "at": Time(each.at)} for each in self.seen]


def sighted(typed: Typed, anchors: Iterable[Anchor]) -> Sighted:
    """Check what others signed by the keys that the line names.

    Raises:
        LedgerBroken: one of them is no key.
    """
    witnesses = [Cosigner.parse(each) for each in typed.given.witness or ()]
    kept = tuple(anchors)
    seen, wrong = sightings(kept, witnesses)
    return Sighted(seen=tuple(seen), findings=tuple(wrong), unchecked=tuple(unchecked(kept, witnesses)))
