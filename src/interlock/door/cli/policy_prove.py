"""`policy prove`: what holds of every call that an agent could make, shown by a solver, or the call that breaks it."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from interlock import app
from interlock.contract.invariants import load_invariants
from interlock.contract.read import load
from interlock.contract.written import Written, day, json_value, yaml_text
from interlock.core.errors import InterlockError, UsageWrong
from interlock.core.limits import PROVE_SECONDS_MAX
from interlock.door.cli.render import clean, wrapped
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import find_tools_here
from interlock.gateway.described import Described, described
from interlock.policy.cases import Case
from interlock.prove.example import Example, Trial
from interlock.prove.formula import Solve
from interlock.prove.prover import RANK, Prover, Result, Verdict
from interlock.prove.standing import standing

A_PERSON_SHOULD_LOOK = 3
_HANG = 10  # the widest word for a verdict, and a space
_WORDS: dict[Verdict, str] = {"encoding_error": "wrong proof", "vacuous": "says nothing"}


def proved(typed: Typed) -> int:
    """Put the invariants to the contract, and say of each whether it holds."""
    given = typed.given
    version, solve = _solver(_seconds(given.seconds))
    path = Path(given.contract)
    find_tools_here()
    known = described(load(path), folder=path.parent, describe=app.describe)
    prover = Prover(contract=known.contract, policies=known.policies, solve=solve)
    own = [invariant for name in given.invariant or () for invariant in load_invariants(Path(name))]
    results = [prover.prove(invariant) for invariant in own]
    results += [] if given.only_these else standing(prover)
    if not results:
        raise UsageWrong("there is nothing to prove", fix="name a file: `--invariant FILE`")
    results.sort(key=lambda each: RANK[each.verdict])
    data = {
        "contract": given.contract,
        "solver": f"z3 {version}",
        "assumed": list(known.assumed),
        "results": list(map(_data, results)),
    }
    typed.screen.show(data, _told(given.contract, results, typed.screen.width))
    _remark(typed, known, results)
    return _code({each.verdict for each in results})


def _code(verdicts: set[Verdict]) -> int:
    if "encoding_error" in verdicts:
        return 1
    if verdicts & {"refuted", "vacuous"}:
        return A_PERSON_SHOULD_LOOK
    return 1 if "unknown" in verdicts else 0


def _solver(seconds: int) -> tuple[str, Solve]:
    try:
        # z3 is an extra of 90 MB: few prove anything.
        from interlock.prove import solver  # noqa: PLC0415
    except ImportError as error:
        what = "proofs need the solver z3, which is not here"
        raise InterlockError(what, fix="install it with its extra: `pip install 'interlock[prove]'`") from error
    return solver.VERSION, partial(solver.solve, millis=1000 * seconds)


def _seconds(said: int) -> int:
    if not 1 <= said <= PROVE_SECONDS_MAX:
        raise UsageWrong(f"{said} is no time for a proof", fix=f"say 1 to {PROVE_SECONDS_MAX} seconds")
    return said


def _told(file: str, results: Sequence[Result], width: int) -> str:
    counts = Counter(each.verdict for each in results)
    summary = ", ".join(f"{counts[verdict]} {_WORDS.get(verdict, verdict)}" for verdict in RANK if counts[verdict])
    return "\n".join([clean(f"{file}: {summary}"), "", *(_one(each, width) for each in results)])


def _one(result: Result, width: int) -> str:
    word = _WORDS.get(result.verdict, result.verdict).upper()
    # A longer word stands alone, or its line would begin further right than the others.
    first = f"{word:9} {result.name}" if len(word) < _HANG else f"{word}: {result.name}"
    lines = [wrapped(clean(first), width, hang=_HANG)]
    lines += [_below(part, width) for part in (result.says, str(result.place or "") if result.says else "") if part]
    if not result.says and result.place is not None and result.verdict != "proved":
        lines.append(_below(str(result.place), width))
    if result.why:
        lines.append(_below(result.why, width))
    if result.verdict == "proved" and result.tools:
        lines.append(_below(f"holds of {', '.join(result.tools)}", width))
    if result.verdict in ("proved", "unknown") and result.arbitrary:
        lines.append(_below(f"taken to be anything: {'; '.join(result.arbitrary)}", width))
    if result.example is not None:
        lines += _example(result.example, width)
    return "\n".join(lines)


def _below(text: str, width: int) -> str:
    return wrapped(" " * _HANG + clean(text), width, hang=_HANG)


def _example(example: Example, width: int) -> list[str]:
    by = f" by {', '.join(f'`{rule}`' for rule in example.rules)}" if example.rules else ""
    hour = example.case.now // 3_600_000_000 % 24
    at = f", at {hour}:00 UTC" if hour else ""
    said = _below(f"the policy says `{example.case.expect}`{by} to this call{at}:", width)
    return [said, *(" " * _HANG + clean(line) for line in case_text(example.case).splitlines())]


def case_text(case: Case) -> str:
    """Write a case as an item of a file for `policy test`."""
    return yaml_text([_case(case)]).rstrip("\n")


_FLAGS = ("tainted", "corroborated", "undo", "by_operator", "started_by_person")


def _case(case: Case) -> dict[str, Written]:
    flags = {name: True for name in _FLAGS if getattr(case, name)}
    return {
        "name": case.name,
        "tool": case.tool,
        **({"agent": case.caller.agent} if case.caller.agent != Trial().agent else {}),
        "args": json_value(dict(case.args)),
        **({"facts": json_value(dict(case.facts))} if case.facts else {}),
        "mode": case.mode.value,
        **({"on": day(case.now)} if case.now else {}),
        **flags,
        "expect": case.expect,
    }


def _data(result: Result) -> dict[str, Any]:
    example = result.example
    return {
        "name": result.name,
        "says": result.says,
        "place": str(result.place) if result.place is not None else None,
        "verdict": result.verdict,
        "tools": list(result.tools),
        "why": result.why,
        "arbitrary": list(result.arbitrary),
        "example": None if example is None else {"case": _plain(example), "rules": list(example.rules)},
    }


def _plain(example: Example) -> dict[str, Any]:
    case = example.case
    return {
        "tool": case.tool,
        "agent": case.caller.agent,
        "args": dict(case.args),
        "facts": dict(case.facts),
        "mode": case.mode.value,
        "now": case.now,
        "decision": case.expect,
    }


def _remark(typed: Typed, known: Described, results: Sequence[Result]) -> None:
    for each in known.assumed:
        typed.screen.note(f"note: {each}")
    arbitrary = dict.fromkeys(each for result in results for each in result.arbitrary)
    if arbitrary:
        typed.screen.note(f"note: taken to be anything, so that a proof holds whatever it is: {'; '.join(arbitrary)}")
