"""The ledger: what was written, and what proves it to whoever knows the public key."""

from collections.abc import AsyncIterator

from orjson import Fragment

from interlock.door.http import shapes_ledger as shapes
from interlock.door.http.permissions import AUDITORS
from interlock.door.http.problem import nothing_there
from interlock.door.http.reading import index_in
from interlock.door.http.route import Answer, Route, Text
from interlock.door.http.visit import Visit
from interlock.gateway.history import exported, proved, signer_of
from interlock.ledger import export
from interlock.ledger.note import over
from interlock.ledger.pruned import is_pruned, leaf_of
from interlock.ledger.tree import Head

_PART_CHARS = 64 * 1024  # of an export, sent at once


async def checkpoint(visit: Visit[None, None]) -> Text:
    """Return the signed note that holds the ledger as it is now."""
    return Text(parts=_once(await visit.store.signed_head()))


async def key(visit: Visit[None, None]) -> Answer:
    """Name the key that signs."""
    return Answer(data={"key": str(await signer_of(visit.store, visit.gateway.secrets))})


async def entries(visit: Visit[shapes.ListEntries, None]) -> Answer:
    """Return entries as they were written."""
    first, limit = visit.query.after, visit.query.limit
    size = over(await visit.store.signed_head())
    lines = await visit.store.entries(after=first, limit=limit)
    found = [
        {"index": index, "leaf": leaf_of(line).hex(), "entry": None if is_pruned(line) else Fragment(line)}
        for index, line in enumerate(lines, first)
    ]
    return Answer(data={"entries": found, "size": max(size, first + len(lines)) if lines else size})


async def proof(visit: Visit[None, None]) -> Text:
    """Prove that an entry is in the ledger."""
    index = index_in(visit.path["index"])
    if index is None or index >= over(await visit.store.signed_head()):
        raise nothing_there()
    return Text(parts=_once(export.write_proof(await proved(visit.store, index))))


async def consistency(visit: Visit[shapes.FromHead, None]) -> Answer:
    """Prove that the ledger goes on from an older head."""
    old = Head(size=visit.query.from_, root=bytes.fromhex(visit.query.root))
    found = await visit.store.consistency(old)
    return Answer(data={"path": [each.hex() for each in found.path], "head": found.head})


async def whole(visit: Visit[None, None]) -> Text:
    """Write the whole ledger out, as a file that stands for itself."""
    return Text(parts=_in_parts(exported(visit.store, visit.gateway.secrets)))


async def _once(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


async def _in_parts(lines: AsyncIterator[str]) -> AsyncIterator[bytes]:
    """Send many lines at once, in the form in which a file has them."""
    kept, size = list[str](), 0
    async for line in lines:
        kept.append(line)
        size += len(line)
        if size >= _PART_CHARS:
            yield "".join(kept).encode("utf-8", "surrogateescape")
            kept, size = [], 0
    yield "".join(kept).encode("utf-8", "surrogateescape")


_TEXT = "text/plain; charset=utf-8"

ROUTES = (
    Route(
        method="GET",
        path="/v1/ledger/checkpoint",
        name="get_checkpoint",
        needs=AUDITORS,
        says="Return the signed head of the ledger as it is now, a note as C2SP writes it. Keep it outside.",
        does=checkpoint,
        answers={200: _TEXT},
    ),
    Route(
        method="GET",
        path="/v1/ledger/key",
        name="get_ledger_key",
        needs=AUDITORS,
        says="Name the key that signs the ledger now. Pin it.",
        does=key,
        answers={200: shapes.Key},
    ),
    Route(
        method="GET",
        path="/v1/ledger/entries",
        name="list_entries",
        needs=AUDITORS,
        says="Return entries as they were written, from an index on.",
        does=entries,
        query=shapes.ListEntries,
        answers={200: shapes.Entries},
    ),
    Route(
        method="GET",
        path="/v1/ledger/proof/{index}",
        name="get_proof",
        needs=AUDITORS,
        says="Prove that an entry is in the ledger, as `interlock ledger verify` reads it (C2SP tlog-proof).",
        does=proof,
        answers={200: _TEXT},
        problems=("nothing-there", "not-now"),
    ),
    Route(
        method="GET",
        path="/v1/ledger/consistency",
        name="get_consistency",
        needs=AUDITORS,
        says="Prove that the ledger goes on from an older head.",
        does=consistency,
        query=shapes.FromHead,
        answers={200: shapes.Consistency},
        problems=("not-now",),
    ),
    Route(
        method="GET",
        path="/v1/ledger/export",
        name="export_ledger",
        needs=AUDITORS,
        says="Write the whole ledger out, as a file that stands for itself: `interlock ledger verify FILE` checks it.",
        does=whole,
        answers={200: _TEXT},
    ),
)
