"""One process that kills children on one store and prints a line of JSON for each: `python -m interlock.verify.kill`.

It is a process of its own because children are forked, and who forks may have no threads.
"""

import argparse
import json
import os
import random
import sys
from contextlib import nullcontext
from pathlib import Path

from interlock import app
from interlock.verify.check import Broken
from interlock.verify.kill.matrix import freeze, freezes, kill, kills
from interlock.verify.scratch import folder_in_use, schema_in_use


def main() -> int:
    """Work through the cases, and end with 1 at the first that shows a broken promise."""
    parser = argparse.ArgumentParser(prog="python -m interlock.verify.kill", description=__doc__)
    parser.add_argument("--folder", required=True, type=Path, help="where the children leave what they do")
    parser.add_argument("--kills", type=int, default=0, help="how many children die")
    parser.add_argument("--freezes", type=int, default=0, help="how many children are frozen past their lease")
    parser.add_argument("--seed", type=int, default=1, help="for the moments that are drawn")
    given = parser.parse_args()
    store = os.environ["INTERLOCK_STORE"]  # a scratch store; what is in it is not looked at
    chance = random.Random(given.seed)  # noqa: S311  the same moments again
    kind = "postgres" if app.is_postgres(store) else "sqlite"
    _make_tables(store, given.folder)
    # Whoever began this may be killed: what children work on must not be swept up under them.
    with folder_in_use(given.folder), schema_in_use(store) if kind == "postgres" else nullcontext():
        return _worked(kind, store, given, chance)


def _worked(kind: str, store: str, given: argparse.Namespace, chance: random.Random) -> int:
    try:
        for case in kills(kind, store, given.folder, given.kills, chance):
            _tell(stop="killed", point=case.point, ended=kill(case, chance))
        for case in freezes(kind, store, given.folder, given.freezes):
            _tell(stop="frozen", point=case.point, ended=freeze(case))
    except Broken as found:
        _tell(broken=str(found))
        return 1
    return 0


def _make_tables(store: str, folder: Path) -> None:
    app.open_store(store, folder / "keys").close()


def _tell(**what: str) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


raise SystemExit(main())
