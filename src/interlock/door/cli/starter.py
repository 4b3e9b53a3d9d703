"""What `contract init` begins with: for each domain a contract, tools that work, and cases, ready to be made one's own.

The files are in `starters/`, and are what they look like: the tests check, publish and call them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "starters"
IGNORED = """\
# The store and its keys, and what the tools remember.
/.interlock/
*.db
__pycache__/
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """One domain: what its agents do, and two calls to try, of which the second waits for a person."""

    name: str
    says: str
    runs: tuple[str, str]
    """Tool and arguments of a write that runs."""
    asks: tuple[str, str]

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def writes(self) -> tuple[str, ...]:
        """The tools that write and that agents may call."""
        return tuple(dict.fromkeys((self.runs[0], self.asks[0])))

    def files(self, *, workflow: str, tenant: str, mode: str, person: str) -> Mapping[str, str]:
        """Write every file, by its name: with these names, and this mode where it counts."""
        module, contract, cases = f"{self.module}.py", "contract.yaml", "cases.yaml"
        text = self._text(contract)
        for line, said in (
            (r"workflow: \S+", f"workflow: {_quoted(workflow)}"),
            (r"tenant: \S+", f"tenant: {_quoted(tenant)}"),
            (r"  prod: .*", f"  prod: {{ mode: {mode} }}".ljust(30) + f" # for real: {MODES[mode]}"),
        ):
            text = re.sub(f"^{line}", lambda _, said=said: said, text, count=1, flags=re.MULTILINE)
        text = text.replace("[ann]", f"[{_quoted(person)}]", 1)
        return {contract: text, module: self._text(module), cases: self._text(cases), ".gitignore": IGNORED}

    def _text(self, name: str) -> str:
        return (FOLDER / self.module / name).read_text(encoding="utf-8")


def _quoted(name: str) -> str:
    """Write a name so that YAML reads a text, whatever it looks like."""
    return name if re.fullmatch(r"[a-z][a-z_-]*", name) and name not in _OTHER_THINGS else json.dumps(name)


_OTHER_THINGS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})

MODES: Mapping[str, str] = {
    "read_only": "agents look, and change nothing",
    "suggest": "what an agent would do is shown and not done; `ask` lets people agree",
    "ask": "every write waits for a person; `act` lets the small ones run",
    "act": "what the rules below let through runs",
}
"""How far production may go, and what that means."""

STARTERS: tuple[Starter, ...] = (
    Starter(
        name="support-refunds",
        says="give money back for orders",
        runs=("refund_order", '{"order":"O-1001","amount_usd":20}'),
        asks=("refund_order", '{"order":"O-1002","amount_usd":80}'),
    ),
    Starter(
        name="it-access",
        says="let people into systems",
        runs=("grant_access", '{"user":"sam","system":"wiki"}'),
        asks=("grant_access", '{"user":"sam","system":"payroll"}'),
    ),
    Starter(
        name="crm-hygiene",
        says="keep a customer list tidy",
        runs=("set_phone", '{"contact":"C-3","old":"555-0199","new":"555-0101"}'),
        asks=("merge_contacts", '{"keep":"C-1","drop":"C-2"}'),
    ),
    Starter(
        name="code-changes",
        says="propose and merge changes of code",
        runs=("propose_change", '{"path":"README","text":"Welcome."}'),
        asks=("merge_change", '{"change":"C-1"}'),
    ),
    Starter(
        name="finance-anomaly",
        says="note and hold payments that are odd",
        runs=("flag_payment", '{"payment":"P-2","note":"odd"}'),
        asks=("hold_payment", '{"payment":"P-3","amount_usd":4800}'),
    ),
)
