"""Cases in YAML into typed ones: a call, what is known, what must become of it. Read as strictly as a contract."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from interlock.contract.full_shape import MODES
from interlock.contract.node import Map, Node, plain
from interlock.contract.problem import ContractProblems, Findings, Problem
from interlock.contract.row import Row
from interlock.contract.scalar import DATE, FLAG, NAME, PERSON, TEXT, Leaf, one_of
from interlock.contract.shape import AnyJson, Many, Table, fit
from interlock.contract.yaml_text import parse_yaml
from interlock.core.action import Caller
from interlock.core.canonical import JsonObject
from interlock.core.effect import Mode
from interlock.core.ids import AgentId, Environment, Instant, PrincipalId, RuleId, TenantId, ToolName, WorkflowId
from interlock.core.limits import CONTRACT_BYTES_MAX
from interlock.policy.cases import Case, Verdict
from interlock.policy.rule import Place

VERDICTS: Leaf[Verdict] = one_of("allow", "ask", "suggest", "draft", "deny")
_CASE = Table(
    keys={
        "name": TEXT,
        "tool": NAME,
        "args": AnyJson(),
        "facts": AnyJson(),
        "mode": MODES,
        "expect": VERDICTS,
        "rules": Many(of=TEXT),
        "environment": NAME,
        "agent": NAME,
        "principal": PERSON,
        "on": DATE,
        "tainted": FLAG,
        "corroborated": FLAG,
        "undo": FLAG,
        "by_operator": FLAG,
        "started_by_person": FLAG,
    },
    needed=frozenset({"name", "tool", "expect"}),
)
CASES = Table(
    keys={"contract": TEXT, "mode": MODES, "environment": NAME, "agent": NAME, "cases": Many(of=_CASE, least=1)},
    needed=frozenset({"cases"}),
)
"""The whole file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """The cases of one file."""

    contract: Path | None
    """The contract that the file names, beside itself."""
    cases: tuple[Case, ...]


def load_cases(path: Path) -> CaseFile:
    """Read a file of cases.

    Raises:
        ContractProblems: it cannot be read; every problem says where, what and how to correct it.
        OSError: it cannot be opened.
    """
    return read_cases(text_of(path), str(path))


def text_of(path: Path) -> str:
    """Read a file that stands beside a contract.

    Raises:
        ContractProblems: it is too long, or no text.
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        written = file.read(CONTRACT_BYTES_MAX + 1)
    try:
        text = written.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(str(path), "the file is not UTF-8 text", "save it as UTF-8") from error
    if len(written) > CONTRACT_BYTES_MAX:
        raise _refused(str(path), f"the file has more than {CONTRACT_BYTES_MAX:,} bytes", "split it")
    return text


def read_cases(text: str, file: str) -> CaseFile:
    """Read cases from text. `file` names it in messages, and is where the contract is looked for.

    Raises:
        ContractProblems: it cannot be read.
    """
    findings = Findings()
    node = parse_yaml(text, file, findings)
    if isinstance(node, Map) and "interlock" in node.entries:
        raise _refused(file, "this is a contract, and no table of cases", "name the file that has `cases`")
    fitted = fit(CASES, node, findings) if node is not None else None
    if findings.problems or not isinstance(fitted, Map):
        raise refusal(findings.problems)
    root = Row(fitted)
    named = root.text("contract")
    cases = tuple(_case(Row(item), root) for item in root.items("cases") if isinstance(item, Map))
    return CaseFile(contract=Path(file).parent / named if named else None, cases=cases)


def _case(row: Row, root: Row) -> Case:
    everywhere = root.get("environment", NAME, "staging")
    return Case(
        name=row.text("name"),
        tool=ToolName(row.text("tool")),
        args=_json(row.node("args")),
        facts=dict(_json(row.node("facts"))),
        mode=_mode(row.get("mode", MODES, root.get("mode", MODES, "act"))),
        expect=row.get("expect", VERDICTS, "deny"),
        rules=frozenset(RuleId(name) for name in row.many("rules", TEXT)) if row.has("rules") else None,
        caller=Caller(
            tenant=TenantId("tenant"),
            workflow=WorkflowId("workflow"),
            environment=Environment(row.get("environment", NAME, everywhere)),
            agent=AgentId(row.get("agent", NAME, root.get("agent", NAME, "agent"))),
            principal=PrincipalId(row.get("principal", PERSON, "principal")),
        ),
        now=row.get("on", DATE, Instant(0)),
        tainted=row.get("tainted", FLAG, False),
        corroborated=row.get("corroborated", FLAG, False),
        undo=row.get("undo", FLAG, False),
        by_operator=row.get("by_operator", FLAG, False),
        started_by_person=row.get("started_by_person", FLAG, False),
    )


def _json(node: Node | None) -> JsonObject:
    return cast("JsonObject", plain(node)) if isinstance(node, Map) else {}


def _mode(said: str) -> Mode:
    return Mode.ASK if said == "suggest_then_act" else Mode(said)


def _refused(file: str, what: str, fix: str) -> ContractProblems:
    return refusal([Problem(place=Place(file=file), what=what, fix=fix)])


def refusal(problems: Sequence[Problem]) -> ContractProblems:
    """Say everything that is wrong with a file, from its beginning on."""
    in_order = sorted(problems, key=lambda each: (each.place.line, each.place.column))
    return ContractProblems(in_order, then="try again")
