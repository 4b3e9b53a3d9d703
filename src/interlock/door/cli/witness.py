"""`witness`: keys, and the process that cosigns heads of ledgers on another machine. It needs no store."""

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from interlock.anchor import witness_key
from interlock.anchor.seen import SeenFile
from interlock.app import SystemClock
from interlock.core.errors import InterlockError, NotPermitted, UsageWrong
from interlock.door.cli.reading import key_of
from interlock.door.cli.render import block
from interlock.door.cli.screen import Typed
from interlock.door.witness.server import Witness, WitnessServer
from interlock.ledger.note import Verifier
from interlock.ledger.witness import NOTHING


def key(typed: Typed) -> int:
    """Make a key file, or say again how it is known."""
    given = typed.given
    if given.verb == "show":
        cosigner = witness_key.load(Path(given.what)).cosigner
        typed.screen.show({"name": cosigner.name, "key": str(cosigner)}, str(cosigner))
        return 0
    path = Path(given.out or f"{given.what.rpartition('/')[2] or 'witness'}.key")
    try:
        made = witness_key.make(path, given.what)
    except FileExistsError as error:
        raise InterlockError(f"`{path}` is there already", fix="name another file: `--out FILE`") from error
    pairs = [
        ("key", path),
        ("known by", made),
        ("to serve", f"`interlock witness serve --key {path} --state {path.stem}.seen --trust KEY`"),
    ]
    data = {"name": made.name, "file": str(path), "key": str(made)}
    typed.screen.show(data, block(pairs, typed.screen.width))
    return 0


def serve(typed: Typed) -> int:
    """Cosign heads until it is interrupted."""
    given = typed.given
    host, port = _bind(given.bind)
    trusted: dict[str, list[Verifier]] = {}
    for each in dict.fromkeys(key_of(Verifier.parse, each) for each in given.trust):
        trusted.setdefault(each.origin, []).append(each)
    own = witness_key.load(Path(given.key))
    state = Path(given.state)
    if not state.exists():
        typed.screen.note(f"`{state}` is not there yet: this witness begins as one that has seen nothing")
    with closing(SeenFile.open(state, own.cosigner)) as seen:
        _not_past(typed, trusted, seen)
        witness = Witness(
            cosigner=own.cosigner,
            sign=own.sign,
            trusted=trusted,
            seen=seen,
            clock=typed.clock or SystemClock(),
        )
        with _listening(host, port, witness, typed) as server:
            _announce(typed, host, server.server_port, witness)
            server.serve_forever()
    return 0


def _not_past(typed: Typed, trusted: Mapping[str, Sequence[Verifier]], seen: SeenFile) -> None:
    """Say which of the keys sign nothing any more.

    Raises:
        NotPermitted: none of a ledger would.
    """
    for origin, keys in trusted.items():
        last = seen.last.get(origin, NOTHING)
        past = [each for each in keys if not last.may_sign(each, keys)]
        for each in past:
            typed.screen.note(f"`{each}` signs nothing any more: this witness has seen a newer key")
        if len(past) == len(keys):
            what = f"every key of {origin} is one that a newer key came after: nothing would be signed"
            raise NotPermitted(what, fix="say `--trust KEY` with what `interlock ledger keys --current` prints there")


def _listening(host: str, port: int, witness: Witness, typed: Typed) -> WitnessServer:
    try:
        return WitnessServer(host, port, witness, typed.screen.note)
    except OSError as error:
        what = f"nobody can listen at `{host}:{port}` ({(error.strerror or 'no such address').lower()})"
        raise InterlockError(what, fix="say `--bind HOST:PORT`") from error


def _announce(typed: Typed, host: str, port: int, witness: Witness) -> None:
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    to = f"witness:{url}#{witness.cosigner}"
    pairs = [
        ("witness", witness.cosigner.name),
        ("listens at", url),
        ("signs for", "\n".join(sorted(witness.trusted))),
        ("to anchor", f"`interlock ledger anchor --to '{to}'`"),
    ]
    data = {"witness": witness.cosigner.name, "url": url, "ledgers": sorted(witness.trusted), "to": to}
    typed.screen.show(data, block(pairs, typed.screen.width))


def _bind(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):(\d{1,5})", text, re.ASCII)
    if found is None or int(found[3]) > 65_535:
        raise UsageWrong(f"`{text}` is no place to listen at", fix="write `HOST:PORT`, such as `127.0.0.1:8733`")
    return found[1] or found[2], int(found[3])
