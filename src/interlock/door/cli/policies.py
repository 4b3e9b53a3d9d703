"""`policy`: explain, test. Why a call goes on or does not, and whether it still comes out as a table says."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from interlock import app
from interlock.contract.bundle import decode
from interlock.contract.cases import load_cases
from interlock.contract.ir import Contract
from interlock.contract.problem import nearest
from interlock.contract.read import load
from interlock.core.canonical import Json, JsonObject
from interlock.core.effect import Mode
from interlock.core.errors import UsageWrong
from interlock.core.fact import Known
from interlock.core.ids import Environment, ToolName
from interlock.core.value import replace
from interlock.door.cli.doors import mode_of
from interlock.door.cli.reading import InputWrong, arguments_text, json_of
from interlock.door.cli.render import clean, table, wrapped
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, find_tools_here, session
from interlock.door.told.payloads import Missing, opened_bytes
from interlock.gateway.described import described
from interlock.gateway.force import compiled
from interlock.policy.cases import Case, differences, question_for, verdict_of
from interlock.policy.decide import decide
from interlock.policy.explain import explain
from interlock.policy.load import Policies
from interlock.policy.vocabulary import Question, question_of


@awaited
async def explained(typed: Typed) -> int:
    """Say which rules decide a call: one that you make up, or one that is recorded."""
    given = typed.given
    if (given.action is None) == (given.tool is None):
        raise UsageWrong("say which call is meant", fix="name `TOOL ARGS --contract FILE`, or `--action ACTION`")
    policies, question = await _recorded(typed) if given.action is not None else _made_up(typed)
    judgement = decide(policies, question)
    lines = explain(policies, question, judgement)
    data = {"decision": verdict_of(judgement.decision), "rules": list(judgement.rules), "why": list(lines)}
    typed.screen.show(data, why_text(lines, typed.screen.width))
    unknown = [name for name, fact in sorted(question.facts.items()) if not isinstance(fact, Known)]
    if given.tool is not None and unknown:
        said = " ".join(f"--fact {name}=JSON" for name in unknown)
        typed.screen.note(f"hint: nothing is looked up here: say what is so with `{said}`")
    return 0


async def _recorded(typed: Typed) -> tuple[Policies, Question]:
    with session(typed) as here:
        row = await here.action(typed.given.action)
        kept = await opened_bytes(here, row.question)
        if not isinstance(kept, bytes):
            never = "no rule was asked about it" if row.pruned is None else "what policy was asked is pruned"
            why = f"its question is {kept.why}" if isinstance(kept, Missing) else never
            raise InputWrong(
                f"`{row.action.id}` cannot be explained: {why}", fix=f"run `interlock explain {row.action.id}`"
            )
        contract = decode(await here.store.contract(row.contract))
    return compiled(contract, row.contract).policies, question_of(kept)


def _made_up(typed: Typed) -> tuple[Policies, Question]:
    given = typed.given
    if given.contract is None:
        raise UsageWrong("no contract is named", fix="say `--contract FILE`")
    contract = load(Path(given.contract))
    policies = _policies(typed, contract, Path(given.contract).parent)
    if given.tool not in contract.tools:
        raise InputWrong(f"the contract has no tool `{given.tool}`", fix=nearest(given.tool, contract.tools))
    environment, mode = _where(typed, contract)
    case = Case(
        name="",
        tool=ToolName(given.tool),
        args=_object(arguments_text(typed)),
        facts=dict(_fact(text) for text in given.fact or ()),
        mode=mode,
        expect="allow",
        now=(typed.clock or app.SystemClock()).now(),
    )
    question = question_for(policies, case)
    caller = replace(case.caller, workflow=contract.workflow, environment=environment, tenant=contract.tenant)
    return policies, replace(question, caller=caller)


def _where(typed: Typed, contract: Contract) -> tuple[Environment, Mode]:
    said: str | None = typed.given.env
    if said is not None and said not in contract.modes:
        raise InputWrong(f"the contract has no environment `{said}`", fix=nearest(said, contract.modes))
    first = next(iter(contract.modes), Environment("prod"))
    environment = Environment(said) if said is not None else first
    mode = typed.given.mode
    return environment, mode_of(mode) if mode is not None else contract.modes.get(environment, Mode.READ_ONLY)


@awaited
async def tested(typed: Typed) -> int:
    """Judge a table of cases."""
    file = load_cases(Path(typed.given.file))
    named: str | None = typed.given.contract
    path = Path(named) if named is not None else file.contract
    if path is None:
        raise InputWrong("no contract is named", fix="write `contract: FILE` into the file, or say `--contract FILE`")
    policies = _policies(typed, load(path), path.parent)
    wrong = differences(policies, file.cases)
    count = f"{len(file.cases)} case{'s' if len(file.cases) != 1 else ''}"
    data = {
        "cases": len(file.cases),
        "failed": [
            {
                "name": each.case.name,
                "expected": each.case.expect,
                "expected_rules": sorted(each.case.rules) if each.case.rules is not None else None,
                "found": each.found,
                "rules": sorted(each.rules),
                "why": list(each.why),
            }
            for each in wrong
        ],
    }
    if not wrong:
        typed.screen.show(data, f"{count}: all as expected")
        return 0
    rows = [
        [each.case.name, _said(each.case.expect, each.case.rules), _said(each.found, each.rules), each.why[0]]
        for each in wrong
    ]
    whole = table(["CASE", "EXPECTED", "FOUND", "WHY"], rows, typed.screen.width)
    typed.screen.show(data, f"{count}: {len(wrong)} came out otherwise\n\n{whole}")
    return 1


def why_text(lines: Sequence[str], width: int) -> str:
    """Write what `explain` says, each line broken under its own beginning."""
    return "\n".join(_why_line(line, width) for line in lines)


def _why_line(line: str, width: int) -> str:
    indent = len(line) - len(line.lstrip())
    return " " * indent + wrapped(clean(line.strip()), width - indent, hang=2).replace("\n", "\n" + " " * indent)


def _said(verdict: str, rules: frozenset[str] | None) -> str:
    return f"{verdict} ({', '.join(sorted(rules))})" if rules else verdict


def _policies(typed: Typed, contract: Contract, folder: Path) -> Policies:
    find_tools_here()
    known = described(contract, folder=folder, describe=app.describe)
    for each in known.assumed:
        typed.screen.note(f"note: {each}")
    return known.policies


def _object(text: str) -> JsonObject:
    value = json_of(text, "what was given as arguments")
    if not isinstance(value, dict):
        raise UsageWrong("arguments are a JSON object", fix="quote it for the shell: '{\"id\": 7}'")
    return cast("JsonObject", value)


def _fact(text: str) -> tuple[str, Json]:
    name, there, value = text.partition("=")
    if not there or not name:
        raise UsageWrong(f"`{text}` is no fact", fix="write `--fact NAME=JSON`, such as `--fact fraud=false`")
    return name, json_of(value, f"the fact `{name}`")
