"""A contract file into a `Contract`, or into everything that is wrong with it at once."""

from pathlib import Path

from interlock.contract.build import build
from interlock.contract.check import check
from interlock.contract.env_text import looks_like_variables, parse_variables
from interlock.contract.ir import Contract
from interlock.contract.node import Map
from interlock.contract.problem import ContractProblems, Findings, Problem
from interlock.contract.row import place_in
from interlock.contract.shorthand import to_full, variables_to_full
from interlock.contract.yaml_text import parse_yaml
from interlock.core.limits import CONTRACT_BYTES_MAX
from interlock.policy.rule import Place


def load(path: Path) -> Contract:
    """Read a contract file, in the full shape or in one of the short ones.

    Raises:
        ContractProblems: it cannot be honoured; every problem says where, what and how to correct it.
    """
    try:
        with path.open("rb") as file:
            written = file.read(CONTRACT_BYTES_MAX + 1)
        text = written.decode("utf-8-sig")
    except OSError as error:
        raise _refused(str(path), f"the file cannot be read: {error.strerror}", "name a file that is there") from error
    except UnicodeDecodeError as error:
        raise _refused(str(path), "the file is not UTF-8 text", "save it as UTF-8") from error
    if len(written) > CONTRACT_BYTES_MAX:
        raise _refused(str(path), f"the file has more than {CONTRACT_BYTES_MAX:,} bytes", "split the workflow")
    return loads(text, str(path))


def loads(text: str, file: str) -> Contract:
    """Read a contract from text. `file` names it in messages; `.env` makes it shell variables.

    Raises:
        ContractProblems: it cannot be honoured.
    """
    if len(text) > CONTRACT_BYTES_MAX:
        raise _refused(file, f"the file has more than {CONTRACT_BYTES_MAX:,} bytes", "split the workflow")
    findings = Findings()
    root = _root(text, file, findings)
    contract = build(root, findings) if root is not None else None
    if contract is not None and root is not None:
        findings.problems += check(contract, lambda *keys: place_in(root, *keys))
    if findings.problems or contract is None:
        raise ContractProblems(_in_order(findings.problems))
    return contract


def _root(text: str, file: str, findings: Findings) -> Map | None:
    if file.endswith(".env") or looks_like_variables(text):
        return variables_to_full(parse_variables(text, file, findings), file, findings)
    node = parse_yaml(text, file, findings)
    if isinstance(node, Map) and "cases" in node.entries and "interlock" not in node.entries:
        raise _refused(file, "this is a table of cases, and no contract", "judge it: `interlock policy test FILE`")
    return to_full(node, file, findings) if node is not None else None


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """Sort by place, each once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda each: (each.place.line, each.place.column, each.what)))


def _refused(file: str, what: str, fix: str) -> ContractProblems:
    return ContractProblems([Problem(place=Place(file=file), what=what, fix=fix)])
