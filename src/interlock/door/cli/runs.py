"""`run`: list, show. A run is one task of an agent: the calls that it makes under one name."""

from collections.abc import Mapping, Sequence
from typing import Any

from interlock.core.errors import InterlockError, UsageWrong
from interlock.core.ids import RunId
from interlock.core.limits import SAFE_INTEGER
from interlock.door.cli.actions import LOOKED_AT_MAX, note_the_rest, remark
from interlock.door.cli.render import block, clean, listed, since, table, usd
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, session
from interlock.door.told.action import row_data
from interlock.door.told.run import TOLD_OF, newest_of_run, run_data, run_lines
from interlock.gateway.listing import Filter, page_of
from interlock.ports import Wanted

_LIST_MAX = 1_000
_NAMED_MAX = 5


class RunUnknown(InterlockError):
    """No action is of that run."""


def unknown(id: str) -> RunUnknown:
    """Say that there is no such run."""
    return RunUnknown(f"there is no run `{id}`", fix="list them: `interlock run list`")


@awaited
async def list_runs(typed: Typed) -> int:
    """List runs, the one whose action changed last first."""
    given = typed.given
    if not 1 <= given.limit <= _LIST_MAX:
        raise UsageWrong(f"a list has 1 to {_LIST_MAX:,} lines", fix="say `--limit 50`")
    narrow = Filter(workflow=given.workflow, environment=given.env, agent=given.agent)
    with session(typed) as here:
        wanted = Wanted(latest_of_run=True, limit=given.limit)
        rows, more = await page_of(here.store, wanted, narrow.fits, looks_at=LOOKED_AT_MAX)
        data, now = await run_lines(here, rows), (await here.rows()).now
    lines = [
        [
            each["id"],
            clean(f"{each['workflow']} in {each['environment']}"),
            clean(_whose(each, each["agent"])),
            each["calls"],
            since(row.changed_at, now),
            clean(f"{row.action.tool}: {row.state.value}"),
        ]
        for each, row in zip(data, rows, strict=True)
    ]
    heads = ["RUN", "WORKFLOW", "AGENT", "CALLS", "CHANGED", "LAST"]
    typed.screen.show(data, table(heads, lines, typed.screen.broad, right=(3,)) if rows else "no such run")
    note_the_rest(typed, len(rows), "runs", more=more is not None)
    return 0


@awaited
async def show(typed: Typed) -> int:
    """Show what became of a run: its actions, what they cost, who is waited for, what stands of it."""
    given = typed.given
    if not 1 <= given.limit <= TOLD_OF:
        raise UsageWrong(f"a list has 1 to {TOLD_OF:,} lines", fix="say `--limit 50`")
    with session(typed) as here:
        rows = await newest_of_run(here.store, RunId(given.run))
        if not rows:
            raise unknown(given.run)
        data, now = await run_data(here, RunId(given.run), rows), (await here.rows()).now
    shown = sorted(rows[: given.limit], key=lambda row: (row.action.asked_at, row.action.id))
    lines = [
        [
            row.action.id,
            row.state.value,
            row.action.tool,
            str(usd(row.cost.micros)),
            since(row.changed_at, now),
            remark(row),
        ]
        for row in shown
    ]
    heads = ["ACTION", "STATE", "TOOL", "COST", "CHANGED", "REMARK"]
    text = f"{block(_pairs(data), typed.screen.width)}\n\n{table(heads, lines, typed.screen.broad, right=(3,))}"
    typed.screen.show({**data, "actions": [row_data(row) for row in shown]}, text)
    if len(rows) > given.limit:
        typed.screen.note(f"note: only the newest {given.limit}; say `--limit N` for more")
    return 0


def _whose(data: Mapping[str, Any], agent: str) -> str:
    """Say whose a run is: its agent's, or that of people."""
    kind = "a person" if len(data["by"]) == 1 else "people"
    return f"{listed(data['by'])}, {kind}" if data["by"] else agent


def _pairs(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    states = ", ".join(f"{count} {state}" for state, count in data["states"].items())
    undos = f", {data['undos']} of them to undo others" if data["undos"] else ""
    of = f", of the newest {data['told_of']:,} actions" if data["older"] else ""
    return [
        ("run", data["id"]),
        ("workflow", clean(f"{data['workflow']} in {data['environment']}")),
        ("agent", clean(_whose(data, f"{data['agent']} for {data['principal']}"))),
        ("began", data["began_at"].short()),
        ("calls", f"{data['calls']}{undos}: {states}{of}"),
        ("cost", f"{data['cost_usd']}{of}"),
        *(("budget", clean(_budget(each))) for each in data["budgets"]),
        ("waits", _some(data["waits"], "`interlock approvals show {}`")),
        ("stands", _standing(data)),
    ]


def _standing(data: Mapping[str, Any]) -> str:
    count = len(data["stands"])
    effects = "1 effect" if count == 1 else f"{count} effects"
    return f"{effects}: `interlock undo --run {data['id']} --plan`" if count else ""


def _budget(each: Mapping[str, Any]) -> str:
    """Say where the budget of a run stands, in the unit that it counts."""
    limited = each["limit"].count < SAFE_INTEGER
    held = f", {each['held']} held" if each["held"].count else ""
    left = f", {each['left']} left" if limited else ""
    return f"{each['spent']} spent{held}{left}"


def _some(ids: Sequence[str], how: str) -> str:
    more = f", and {len(ids) - _NAMED_MAX} more" if len(ids) > _NAMED_MAX else ""
    return f"{listed([how.format(id) for id in ids[:_NAMED_MAX]])}{more}" if ids else ""
