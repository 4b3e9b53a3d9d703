"""`ledger`: show, verify, prove, export. Verifying a file needs neither a store nor a secret."""

import os
import re
from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from interlock.core.errors import LedgerBroken, UsageWrong
from interlock.core.ids import Instant
from interlock.core.limits import SAFE_INTEGER
from interlock.door.cli.anchored import LastAnchor, last_anchor, last_in_file
from interlock.door.cli.generations import chain_in, generation_data, generations_text
from interlock.door.cli.outside import Outside, kept_outside, opened_text, text_of
from interlock.door.cli.reading import InputWrong, key_of
from interlock.door.cli.render import Time, block, clean, count, table, usd, wrapped
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, session
from interlock.door.cli.sighted import Sighted, sighted
from interlock.gateway.compare import verify_state
from interlock.gateway.history import audited, exported, proved, signer_of
from interlock.ledger import export
from interlock.ledger.audit import Finding, Report, audit
from interlock.ledger.gap import Gap
from interlock.ledger.note import Verifier, over
from interlock.ledger.pruned import is_pruned, leaf_of
from interlock.ledger.rotation import Chain
from interlock.owned import sync_folder

_FINDINGS_SHOWN = 20
_LIST_MAX = 10_000
_HASH = re.compile(r"[0-9a-f]{64}")
_BRIEF = 16
_UNSHOWN = ("contract", "old", "new", "by_old", "by_new", "rows")  # keys, hashes and signatures, that nobody reads
_PROOF = "c2sp.org/tlog-proof"
_AROUND = 2  # lines of an export that are no entry: the first and the last


@awaited
async def show(typed: Typed) -> int:
    """Print entries, the last ones if nothing else is said."""
    given = typed.given
    if not 1 <= given.limit <= _LIST_MAX:
        raise UsageWrong(f"a list has 1 to {_LIST_MAX:,} lines", fix="say `--limit 50`")
    if given.after is not None and not 0 <= given.after <= SAFE_INTEGER:
        raise UsageWrong(f"no entry has the index `{given.after}`", fix="count from 0")
    with session(typed) as here:
        size = await _size(here)
        first = max(0, size - given.limit) if given.after is None else given.after
        lines = list(enumerate(await here.store.entries(after=first, limit=given.limit), first))
        if given.action is not None:
            row = await here.action(given.action)
            lines = list(await here.store.entries_of(row.action.id))
        last = await last_anchor(here.store, typed.settings.keys)
    entries: list[tuple[int, str, dict[str, Any]]] = [
        (index, leaf_of(line).hex(), {} if is_pruned(line) else msgspec.json.decode(line)) for index, line in lines
    ]
    data = [{"index": index, "leaf": leaf, "entry": entry or None} for index, leaf, entry in entries]
    cells = [_cells(index, entry) for index, _, entry in entries]
    heads = ["INDEX", "AT", "WHAT", "ACTION", "TOOL", "WHO", "WHY"]
    text = table(heads, cells, typed.screen.broad, right=(0,), fold=4)
    typed.screen.show(data, text if cells else "no entry is there")
    typed.screen.note(f"last anchor: {last}")
    return 0


@awaited
async def verify(typed: Typed) -> int:
    """Check a file by its public key, or the store by its own, with everything that was kept outside."""
    given = typed.given
    outside, key = kept_outside(typed), _key(typed)
    if given.file is not None:
        return _file(typed, given.file, outside, key)
    with session(typed) as here, _older(typed, _origin(here)) as older:
        secrets = here.gateway.secrets
        origin = _origin(here)
        kept = [each for each in outside.anchors if each.origin == origin]
        heads = [each.head for each in kept]
        report = await audited(here.store, secrets, pinned=key, heads=heads, receipts=outside.receipts, older=older)
        differences = await verify_state(here.store, secrets) if given.state else ()
        last = await last_anchor(here.store, typed.settings.keys, kept)
    findings = [*report.findings, *(Finding(index=None, what=f"{d.where}: {d.what}") for d in differences)]
    return _told(typed, report, findings, rows=given.state, last=last, others=sighted(typed, kept))


@awaited
async def prove(typed: Typed) -> int:
    """Print what proves one entry to whoever knows the public key."""
    said = typed.given.entry
    with session(typed) as here, _older(typed, _origin(here)) as older:
        if said.isascii() and said.isdecimal():
            index = int(said)
        else:
            row = await here.action(said)
            index = (await here.store.entries_of(row.action.id))[-1][0]
        found = await proved(here.store, index, older=older)
        last = await last_anchor(here.store, typed.settings.keys)
    text = export.write_proof(found)
    typed.screen.show({"index": index, "proof": text, "last_anchor": last}, text.rstrip("\n"))
    typed.screen.note(f"last anchor: {last}")
    return 0


@awaited
async def export_all(typed: Typed) -> int:
    """Write the whole ledger out, as a file that stands for itself."""
    out: str | None = typed.given.out
    with session(typed) as here:
        signer = await signer_of(here.store, here.gateway.secrets)
        if out is None:
            async for line in exported(here.store, here.gateway.secrets):
                typed.screen.out.write(line)
            return 0
        size = await write_export(here, Path(out))
    pairs = [("entries", size), ("file", out), ("public key", signer)]
    typed.screen.show({"entries": size, "file": out, "key": str(signer)}, block(pairs, typed.screen.width))
    return 0


async def write_export(here: Session, out: Path) -> int:
    """Write the whole ledger into a file, and return how many entries that are.

    Raises:
        LedgerBroken: the file cannot be written.
    """
    return await _write(out, exported(here.store, here.gateway.secrets)) - _AROUND


@contextmanager
def _older(typed: Typed, origin: str) -> Generator[export.Older]:
    """Open the archives of a ledger."""
    with ExitStack() as files:
        archives: list[Iterable[bytes]] = []
        for name in typed.given.archive or ():
            found = export.read(files.enter_context(opened_text(Path(name))))
            if found.signer.origin != origin:
                raise InputWrong(f"`{name}` is an export of `{found.signer.origin}`", fix=f"name one of `{origin}`")
            archives.append(found.lines)
        yield export.Older(archives)


def _origin(here: Session) -> str:
    return Verifier.of(here.store.tenant, b"").origin


def _key(typed: Typed) -> Verifier | None:
    return key_of(Verifier.parse, typed.given.key) if typed.given.key else None


def _file(typed: Typed, name: str, outside: Outside, key: Verifier | None) -> int:
    if text_of(Path(name), chars=len(_PROOF)) == _PROOF:
        return _proof(typed, text_of(Path(name)), key)
    with opened_text(Path(name)) as file:
        found = export.read(file)
        origin = found.signer.origin
        kept = [each for each in outside.anchors if each.origin == origin]
        with _older(typed, origin) as older:
            found.lines = (older.put_back(line, index) for index, line in enumerate(found.lines))
            report = audit(found, pinned=key, heads=[each.head for each in kept], receipts=outside.receipts)
    last = last_in_file(kept, origin, report.entries)
    return _told(typed, report, report.findings, rows=None, last=last, others=sighted(typed, kept))


def _proof(typed: Typed, text: str, key: Verifier | None) -> int:
    if key is None:
        raise UsageWrong("a proof is checked by a public key", fix="say `--key KEY`, from `interlock ledger keys`")
    proved = export.read_proof(text)
    chain = chain_in(Path(typed.given.chain), key) if typed.given.chain else Chain.begun(key)
    holds = export.proves(proved, chain)
    said = "is in the ledger" if holds else "is not proved to be in the ledger"
    typed.screen.show({"index": proved.index, "proved": holds}, f"entry {proved.index} {said} of {key.origin}")
    return 0 if holds else 1


def _told(
    typed: Typed, report: Report, findings: Iterable[Finding], *, rows: bool | None, last: LastAnchor, others: Sighted
) -> int:
    """Print what was found. A file has no rows."""
    lost = sum(gap.lost for gap in report.gaps)
    known = typed.given.lost == lost
    found = [*findings, *others.findings]
    wrong = [each for each in found if not (each.declared and known)]
    looked = "held against the entries" if rows else "not looked at: `--state` does"
    pairs: list[tuple[str, object]] = [
        ("ledger", report.origin),
        ("entries", _entries(report)),
        ("root", report.root.hex()),
        ("public key", _pinned(report, typed.given.key)),
        ("generations", generations_text(report.generations)),
        ("kept outside", f"{count(report.heads, 'head', 'heads')}, {count(report.receipts, 'receipt', 'receipts')}"),
        *others.pairs,
        ("last anchor", last),
        ("rows", looked if rows is not None else ""),
        ("declared lost", "\n".join(map(_gap, report.gaps))),
        ("verdict", _verdict(wrong, lost)),
    ]
    width = typed.screen.width
    shown = [
        wrapped(f"  {'' if f.index is None else f'entry {f.index}: '}{f.what}", width, hang=4)
        for f in found[:_FINDINGS_SHOWN]
    ]
    more = [f"  and {len(found) - _FINDINGS_SHOWN} more"] if len(found) > _FINDINGS_SHOWN else []
    data: dict[str, Any] = {
        "ledger": report.origin,
        "entries": report.entries,
        "pruned": report.pruned,
        "root": report.root.hex(),
        "pinned": report.pinned,
        "generations": [generation_data(each) for each in report.generations],
        "heads": report.heads,
        "receipts": report.receipts,
        "seen": others.as_data,
        "last_anchor": last,
        "rows": bool(rows),
        "sound": not wrong,
        "lost": lost,
        "findings": [_finding(each) for each in found],
    }
    typed.screen.show(data, "\n".join([block(pairs, width), *shown, *more]))
    return 1 if wrong else 0


def _entries(report: Report) -> str:
    if not report.pruned:
        return f"{report.entries:,}"
    gone = count(report.pruned, "was", "were")
    return f"{report.entries:,}, of which {gone} pruned: the hash stands for each"


def _pinned(report: Report, key: str | None) -> str:
    if not report.pinned:
        return "taken from the file: pin it with `--key`"
    known = next((each.number for each in report.generations if str(each.key) == key), None)
    if known is None or len(report.generations) == 1:
        return "as you know it"
    return f"that of generation {known}, as you know it; the others by what both keys have signed"


def _verdict(wrong: Sequence[Finding], lost: int) -> str:
    if not wrong:
        return "sound"
    if all(each.declared for each in wrong):
        gone = count(lost, "entry is", "entries are")
        return f"{gone} lost, as an entry declares; if you know of it, say `--lost {lost}`"
    return f"{count(len(wrong), 'thing is', 'things are')} wrong"


def _gap(gap: Gap) -> str:
    return f"entries {gap.shared} to {gap.last.size - 1} of an earlier line, by {clean(gap.by)} in {gap.declared_at}"


def _finding(finding: Finding) -> dict[str, Any]:
    declared = {"declared": True} if finding.declared else {}
    return {"index": finding.index, "what": finding.what, **declared}


def _cells(index: int, entry: dict[str, Any]) -> list[object]:
    if not entry:
        return [index, "", "(pruned: its hash is here)", "", "", "", ""]
    at = Time(Instant(entry["at"])).short()
    if "action" not in entry:
        told = {name: _brief(value) for name, value in sorted(entry["detail"].items()) if name not in _UNSHOWN}
        detail = ", ".join(f"{name}={value}" for name, value in told.items())
        return [index, at, entry["kind"], "", "", entry["by"], detail]
    state = "" if entry["state"] == entry["kind"] else f" {entry['state']}"
    people = ", ".join(grant["person"] for grant in entry["grants"])
    why = entry["reason"] or ", ".join(entry["rules"]) or (str(usd(entry["cost"])) if entry["kind"] == "ended" else "")
    return [
        index,
        at,
        entry["kind"] + state,
        entry["action"],
        entry["tool"],
        people or entry["asked_by"] or entry["agent"],
        why,
    ]


def _brief(value: object) -> object:
    """Write the beginning of a hash: whole ones are wider than a screen, and stand in `--json`."""
    return f"{value[:_BRIEF]}..." if isinstance(value, str) and _HASH.fullmatch(value) else value


async def _size(here: Session) -> int:
    return over(await here.store.signed_head())


async def _write(file: Path, lines: AsyncIterator[str]) -> int:
    """Write lines into a file, and return how many. What stood there stays until all of them are written."""
    real, count = file.resolve(), 0
    plain = real.is_file() or not real.exists()  # a device or a pipe is written into as it is
    draft = real.with_name(f".{real.name}.{os.getpid()}.part") if plain else real
    try:
        with draft.open("w", encoding="utf-8", errors="surrogateescape", newline="") as out:
            async for line in lines:
                out.write(line)
                count += 1
            if plain:
                # What is pruned next may stand nowhere else.
                out.flush()
                os.fsync(out.fileno())
        if plain:
            draft.replace(real)
            sync_folder(real.parent)
    except OSError as error:
        raise LedgerBroken(f"`{file}` cannot be written ({error.strerror})", fix="name another file") from error
    finally:
        if plain:
            draft.unlink(missing_ok=True)
    return count
