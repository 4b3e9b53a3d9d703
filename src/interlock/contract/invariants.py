"""Invariants in YAML into typed ones: what must hold of every call that an agent could make. Read as a contract is."""

from pathlib import Path

from interlock.contract.cases import VERDICTS, refusal, text_of
from interlock.contract.expr import parse, paths
from interlock.contract.invariant import EVERY_VERDICT, Invariant
from interlock.contract.node import Map, Scalar
from interlock.contract.path import Path as ValuePath
from interlock.contract.problem import Findings
from interlock.contract.row import Row
from interlock.contract.scalar import EXPRESSION, NAME, TEXT, Leaf, T, Wrong, one_of
from interlock.contract.shape import Either, Many, Table, fit
from interlock.contract.yaml_text import parse_yaml
from interlock.core.effect import Mode
from interlock.core.ids import ToolName

_EVERY_TOOL = "*"


def _read_tool(scalar: Scalar) -> str | Wrong:
    return _EVERY_TOOL if scalar.text == _EVERY_TOOL else NAME.read(scalar)


_TOOL = Leaf(says="the name of a tool, or `*` in quotes", read=_read_tool, schema={"type": "string"})
_MODES = one_of("read_only", "suggest", "ask", "act")
_INVARIANT = Table(
    keys={
        "name": TEXT,
        "tool": _TOOL,
        "mode": Either(short=_MODES, long=Many(of=_MODES, least=1)),
        "never": Either(short=VERDICTS, long=Many(of=VERDICTS, least=1)),
        "always": Either(short=VERDICTS, long=Many(of=VERDICTS, least=1)),
        "when": EXPRESSION,
    },
    needed=frozenset({"name", "tool"}),
)
INVARIANTS = Table(keys={"invariants": Many(of=_INVARIANT, least=1)}, needed=frozenset({"invariants"}))
"""The whole file."""


def load_invariants(path: Path) -> tuple[Invariant, ...]:
    """Read a file of invariants.

    Raises:
        ContractProblems: it cannot be read; every problem says where, what and how to correct it.
        OSError: it cannot be opened.
    """
    return read_invariants(text_of(path), str(path))


def read_invariants(text: str, file: str) -> tuple[Invariant, ...]:
    """Read invariants from text. `file` names it in messages.

    Raises:
        ContractProblems: it cannot be read.
    """
    findings = Findings()
    node = parse_yaml(text, file, findings)
    fitted = fit(INVARIANTS, node, findings) if node is not None else None
    if findings.problems or not isinstance(fitted, Map):
        raise refusal(findings.problems)
    found = [_invariant(Row(item), findings) for item in Row(fitted).items("invariants") if isinstance(item, Map)]
    if findings.problems:
        raise refusal(findings.problems)
    return tuple(found)


def _invariant(row: Row, findings: Findings) -> Invariant:
    if row.has("never") is row.has("always"):
        fix = "write one of them: `never: allow`, or `always: [ask, deny]`"
        findings.wrong(row.place, "say what may never become of a call, or what always does", fix)
    word = "never" if row.has("never") else "always"
    named, when = _several(row, word, VERDICTS), row.find("when", EXPRESSION)
    expression = parse(when) if when is not None else None
    for path in paths(expression) if expression is not None else ():
        if not _decides(path):
            what = f"`when` looks at `{path}`; a decision is made from arguments and facts"
            findings.wrong(row.place_of("when"), what, "write `args.NAME` or `facts.NAME`")
    tool, modes = row.get("tool", _TOOL, _EVERY_TOOL), _several(row, "mode", _MODES)
    where = f" in {' or '.join(modes)}" if modes else ""
    return Invariant(
        name=row.text("name"),
        says=f"{tool}{where}: {word} {' or '.join(named)}" + (f" when {when}" if when is not None else ""),
        place=row.place,
        tool=None if tool == _EVERY_TOOL else ToolName(tool),
        modes=frozenset(map(Mode, modes)) or frozenset(Mode),
        bad=frozenset(named) if word == "never" else EVERY_VERDICT - frozenset(named),
        when=expression,
    )


def _several(row: Row, key: str, leaf: Leaf[T]) -> tuple[T, ...]:
    one = row.find(key, leaf)
    return row.many(key, leaf) if one is None else (one,)


def _decides(path: ValuePath) -> bool:
    """Whether a value at this path is there when a decision is made. A fact is a single value."""
    return len(path.steps) > 1 if path.root == "args" else path.root == "facts" and len(path.steps) == _FACT


_FACT = len(("facts", "name"))
