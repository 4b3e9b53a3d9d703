"""What a server says today against what was reviewed: tool by tool, and word by word where they differ."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from pathlib import Path
from typing import Literal

from interlock.contract.ir import Contract
from interlock.core.canonical import Json, JsonObject
from interlock.core.ids import Environment, ToolName
from interlock.tool.manifest import Manifest
from interlock.tool.mcp.beside import described
from interlock.tool.mcp.describe import Offers, offers_at, server_of
from interlock.tool.mcp.lock import Lock
from interlock.tool.mcp.reach import PREFIX, names_of, reach_of
from interlock.tool.with_secret import Broker

State = Literal["same", "new", "changed", "gone", "unfit"]

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_PAIRS_MAX = 100_000  # of equal words; what compares them takes a second for twice as many, and ever longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewable:
    """One tool of a contract that a server carries out."""

    server: str
    tool: str
    used_by: tuple[ToolName, ...]
    """The tools of the contract that are this one."""
    state: State
    offered: Manifest | None
    """What its server says of it today."""
    reviewed: Manifest | None
    why_not: str = ""
    hints: Mapping[str, Json]

    @property
    def name(self) -> str:
        return f"{self.server}/{self.tool}"


def reviewables(
    contract: Contract,
    lock: Lock,
    environment: Environment,
    folder: Path,
    *,
    broker: Broker,
    only: str | None = None,
) -> tuple[Reviewable, ...]:
    """Hold each tool of a contract that comes from a server against what was reviewed. It asks each server once.

    Raises:
        ContractInvalid: a server is not there, or the contract does not say where it is.
    """
    used: dict[tuple[str, str], list[ToolName]] = {}
    for tool in contract.tools.values():
        if tool.source.startswith(PREFIX) and described(names_of(tool.source)[1]) is None:
            used.setdefault(names_of(tool.source), []).append(tool.name)
    servers = sorted({server for server, _ in used if only in (None, server)})
    offers = {server: offered(contract, server, environment, folder, broker) for server in servers}
    return tuple(
        _held_against(server, tool, tuple(names), offers[server], lock)
        for (server, tool), names in sorted(used.items())
        if server in offers
    )


def offered(contract: Contract, server: str, environment: Environment, folder: Path, broker: Broker) -> Offers:
    """Ask a server what it has.

    Raises:
        ContractInvalid: it is not there, or the contract does not say where it is.
    """
    reach = reach_of(server, server_of(contract, server, environment), str(folder.resolve()))
    return offers_at(reach, broker, (contract.tenant, contract.workflow, environment))


def _held_against(server: str, tool: str, names: tuple[ToolName, ...], offers: Offers, lock: Lock) -> Reviewable:
    offer, reviewed = offers.get(tool), lock.tools.get((server, tool))
    manifest = offer.manifest if offer is not None else None
    return Reviewable(
        server=server,
        tool=tool,
        used_by=names,
        state=_state(offer is not None, manifest, reviewed),
        offered=manifest,
        reviewed=reviewed,
        why_not=offer.why_not if offer is not None else "",
        hints=offer.hints if offer is not None else {},
    )


def _state(there: bool, offered: Manifest | None, reviewed: Manifest | None) -> State:
    if not there:
        return "gone"
    if offered is None:
        return "unfit"
    if reviewed is None:
        return "new"
    return "same" if offered.pin == reviewed.pin else "changed"


def in_words(old: str, new: str) -> str:
    """Write a text with what is gone as `[-gone-]` and what has come as `{+come+}`.

    Where the same words stand in too many places, all between what both begin and end with is gone and come.
    """
    before, after = _WORD.findall(old), _WORD.findall(new)
    parts: list[str] = []
    for kind, a, b, c, d in _changes(before, after):
        gone, come = "".join(before[a:b]), "".join(after[c:d])
        if kind == "equal":
            parts.append(gone)
            continue
        parts.append(f"[-{gone}-]" if gone else "")
        parts.append(f"{{+{come}+}}" if come else "")
    return "".join(parts)


def _changes(before: Sequence[str], after: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    counts = Counter(before)
    if sum(counts[word] for word in after) <= _PAIRS_MAX:
        return SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    least = min(len(before), len(after))
    head = next((at for at in range(least) if before[at] != after[at]), least)
    tail = next((at for at in range(least - head) if before[-1 - at] != after[-1 - at]), least - head)
    gone, come = len(before) - tail, len(after) - tail
    middle = ("replace", head, gone, head, come)
    return (("equal", 0, head, 0, head), middle, ("equal", gone, len(before), come, len(after)))


def in_lines(old: JsonObject | None, new: JsonObject | None) -> Iterator[str]:
    """Return the lines of a schema that are not what they were, with some around them; all of a new one."""
    if old is None:
        yield from _lines(new)
        return
    yield from list(unified_diff(_lines(old), _lines(new), lineterm="", n=2))[2:]


def _lines(schema: JsonObject | None) -> list[str]:
    return [] if schema is None else json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
