"""The long form of the crash matrix, on both stores: `python tests/crash.py --kills 2000 --freezes 120`.

It starts a Postgres of its own; `interlock verify --kill N` is the same on whatever store you have.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent / "src"), str(Path(__file__).parent)]

from interlock.core.effect import EffectClass  # noqa: E402
from interlock.verify.kill.case import POINTS  # noqa: E402
from interlock.verify.kill.matrix import FLOWS, FREEZES  # noqa: E402
from postgres import Server  # noqa: E402

Ended = Counter[tuple[str, str, str]]
"""How often a case of this store, stopped at this point, ended like this."""


def run(kind: str, where: str, folder: Path, options: argparse.Namespace) -> tuple[Ended, Ended]:
    command = [sys.executable, "-m", "interlock.verify.kill", "--folder", str(folder)]
    command += ["--kills", str(options.kills), "--freezes", str(options.freezes), "--seed", str(options.seed)]
    killed, frozen = Ended(), Ended()
    with subprocess.Popen(
        command, env={**os.environ, "INTERLOCK_STORE": where}, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            said = json.loads(line)
            if "broken" in said:
                raise SystemExit(f"BROKEN: {said['broken']}")
            (killed if said["stop"] == "killed" else frozen)[kind, said["point"], said["ended"]] += 1
    if child.returncode != 0:
        raise SystemExit(child.returncode)
    return killed, frozen


def report(title: str, ended: Ended, names: Sequence[str]) -> None:
    how = sorted({key[2] for key in ended})
    print(f"\n{title:36}" + "".join(f"{each:>12}" for each in how))
    for store, point in sorted({key[:2] for key in ended}, key=lambda key: (key[0], names.index(key[1]))):
        print(f"  {store:9} {point:24} " + "".join(f"{ended[store, point, each]:12}" for each in how))


def main(argv: Sequence[str]) -> int:
    every = len(POINTS) * len(EffectClass) * len(FLOWS)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=2 * every, help="how many children die, on all stores together")
    parser.add_argument("--freezes", type=int, default=0, help="how many children are frozen past their lease")
    parser.add_argument("--store", choices=["sqlite", "postgres", "both"], default="both")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    kinds = ["sqlite", "postgres"] if options.store == "both" else [options.store]
    options.kills, options.freezes = options.kills // len(kinds), options.freezes // len(kinds)
    begun = time.monotonic()
    killed, frozen = Ended(), Ended()
    with tempfile.TemporaryDirectory() as name:
        for kind in kinds:
            folder = Path(name) / kind
            folder.mkdir()
            server = Server.start(folder / "postgres") if kind == "postgres" else None
            where = server.url if server is not None else str(folder / "interlock.db")
            for known, found in zip((killed, frozen), run(kind, where, folder, options), strict=True):
                known.update(found)
            if server is not None:
                server.stop()
    report("killed at, and how it ended", killed, POINTS)
    if frozen:
        report("frozen at, and what others did", frozen, FREEZES)
    took = time.monotonic() - begun
    print(f"\n{killed.total()} kills, {frozen.total()} freezes, 0 duplicates, 0 lost holds, {took:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
