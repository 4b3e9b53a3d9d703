"""What goes over the wire about the ledger and contracts, as types."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from interlock.door.http.shapes import Name

Index = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class Entry(Struct, frozen=True, kw_only=True):
    """One entry as it was written; nothing in place of one that was pruned."""

    index: int
    leaf: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    entry: dict[str, Any] | None


class Entries(Struct, frozen=True, kw_only=True):
    """Entries in their order, and how many there are in all."""

    entries: list[Entry]
    size: int


class ListEntries(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entries are wanted."""

    after: Index = 0
    """The index of the first one."""
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class FromHead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An older head that was kept."""

    from_: Annotated[int, Meta(ge=1, le=2**53 - 1)] = field(name="from")
    """Over how many entries it is."""
    root: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)", min_length=64, max_length=64)]
    """Its root, in hex."""


class Consistency(Struct, frozen=True, kw_only=True):
    """What leads from the older head to the one of now (RFC 6962, section 2.1.2)."""

    path: list[Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]]
    head: str
    """The signed note that it leads to."""


class Key(Struct, frozen=True, kw_only=True):
    """Who signs the ledger now: what others are to pin."""

    key: str


class FollowEvents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to begin."""

    after: Index | None = None
    """The index of the first entry that is wanted; `Last-Event-ID` goes before it. Nothing said is what comes now."""


class Place(Struct, frozen=True, kw_only=True):
    """A contract that is in force for a workflow in an environment, and how far that may go today."""

    workflow: Name
    environment: Name
    mode: str
    contract: str


class Places(Struct, frozen=True, kw_only=True):
    """The contracts that are in force."""

    contracts: list[Place]
    epoch: int


class Contract(Place, frozen=True, kw_only=True):
    """A contract that is in force, written out in full."""

    yaml: str
