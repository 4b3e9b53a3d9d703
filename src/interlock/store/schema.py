"""The tables, the same on both databases.

A row is its canonical body and a MAC over it. Every other column is derived from the body and serves to find it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import msgspec

from interlock.approval.grant import Grant
from interlock.budget.hold import Balance
from interlock.core.action import ActionState
from interlock.core.door import Door
from interlock.core.reason import Reason
from interlock.ports import ActionRow, Claim, Memo, Notice, RunRow
from interlock.store.database import Into, Type, Value

VERSION = 3
BACKED_UP_SINCE = 2
"""The version since which the tables that a backup has are what they are. Memos are in none."""

MEMO_DDL = """
create table if not exists memo (
  tenant text not null, id text not null, until {bigint} not null, body {blob} not null, mac {blob} not null,
  primary key (tenant, id)){strict};
create index if not exists memo_until on memo (tenant, until)"""

DDL = """
create table if not exists head (
  tenant text primary key, size {bigint} not null, peaks {blob} not null, at {bigint} not null,
  epoch {bigint} not null, note text not null, mac {blob} not null){strict};
create table if not exists door (
  tenant text primary key, body {blob} not null, mac {blob} not null){strict};
create table if not exists action (
  tenant text not null, id text not null, held_key text, run text not null, state text not null,
  lease_until {bigint} not null, undo_of text, changed_at {bigint} not null, body {blob} not null, mac {blob} not null,
  primary key (tenant, id)){strict};
create unique index if not exists action_key on action (tenant, held_key) where held_key is not null;
create index if not exists action_changed on action (tenant, changed_at);
create index if not exists action_run on action (tenant, run, changed_at);
create index if not exists action_state on action (tenant, state, changed_at);
create index if not exists action_undo on action (tenant, undo_of) where undo_of is not null;
create table if not exists budget (
  tenant text not null, id text not null, period text not null default '', body {blob} not null, mac {blob} not null,
  primary key (tenant, id)){strict};
create index if not exists budget_period on budget (tenant, period);
create table if not exists granted (
  tenant text not null, id text not null, action text not null, body {blob} not null, mac {blob} not null,
  primary key (tenant, id)){strict};
create index if not exists granted_action on granted (tenant, action);
create table if not exists claim (
  tenant text not null, id text not null, body {blob} not null, mac {blob} not null, primary key (tenant, id)){strict};
create table if not exists run (
  tenant text not null, id text not null, body {blob} not null, mac {blob} not null, primary key (tenant, id)){strict};
create table if not exists notice (
  tenant text not null, id text not null, at {bigint} not null, done {bigint} not null,
  body {blob} not null, mac {blob} not null, primary key (tenant, id)){strict};
create index if not exists notice_due on notice (tenant, at) where done = 0;
create table if not exists payload (
  tenant text not null, id text not null, sealed {blob} not null, primary key (tenant, id)){strict};
create table if not exists contract (
  tenant text not null, hash text not null, body {blob} not null, primary key (tenant, hash)){strict};
create table if not exists entry (
  tenant text not null, "index" {bigint} not null, action text not null, line {blob} not null,
  primary key (tenant, "index")){strict};
create index if not exists entry_action on entry (tenant, action);
create table if not exists tile (
  tenant text not null, level {bigint} not null, "index" {bigint} not null, root {blob} not null,
  hashes {blob} not null, primary key (tenant, level, "index")){strict};
{memo};
create table if not exists version (number {bigint} primary key){strict}
""".replace("{memo}", MEMO_DDL.strip())

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column that is derived from a row."""

    type: Type
    of: Callable[[str, Row], str | int | None]
    """Makes it of the id and the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Generic[Row]):
    """How rows of one kind are kept: what they are, and the columns that are derived from them."""

    name: str
    type: type[Row]
    columns: Mapping[str, Column[Row]]
    decode: Callable[[bytes], Row]
    into: Into

    def values(self, id: str, row: Row, body: bytes, mac: bytes) -> tuple[Value, ...]:
        """Put the values of a row in the order of the columns of `into`."""
        return (id, *[column.of(id, row) for column in self.columns.values()], body, mac)


def _table(name: str, type: type[Row], **columns: Column[Row]) -> Table[Row]:
    derived: dict[str, Type] = {name: column.type for name, column in columns.items()}
    into = Into(table=name, columns={"id": "text", **derived, "body": "blob", "mac": "blob"}, key=("id",))
    return Table(name=name, type=type, columns=columns, decode=msgspec.json.Decoder(type).decode, into=into)


ACTION = _table(
    "action",
    ActionRow,
    held_key=Column("text", lambda _, row: row.action.key if holds_key(row) else None),
    run=Column("text", lambda _, row: row.action.run),
    state=Column("text", lambda _, row: row.state.value),
    lease_until=Column("bigint", lambda _, row: row.lease_until),
    undo_of=Column("text", lambda _, row: row.action.undo_of),
    changed_at=Column("bigint", lambda _, row: 0 if row.pruned is not None else row.changed_at),
)
BUDGET = _table("budget", Balance, period=Column("text", lambda id, _: id.rpartition("/")[2]))
GRANT = _table("granted", Grant, action=Column("text", lambda _, row: row.action))
CLAIM = _table("claim", Claim)
RUN = _table("run", RunRow)
NOTICE = _table(
    "notice", Notice, at=Column("bigint", lambda _, row: row.at), done=Column("bigint", lambda _, row: int(row.done))
)
MEMO = _table("memo", Memo, until=Column("bigint", lambda _, row: row.until))

TABLES: tuple[Table[Any], ...] = (ACTION, BUDGET, GRANT, CLAIM, RUN, NOTICE)
"""What is backed up, and lasts."""

DOOR = Into(table="door", columns={"body": "blob", "mac": "blob"}, key=())
HEAD = Into(
    table="head",
    columns={"size": "bigint", "peaks": "blob", "at": "bigint", "epoch": "bigint", "note": "text", "mac": "blob"},
    key=(),
)
PAYLOAD = Into(table="payload", columns={"id": "text", "sealed": "blob"}, key=("id",))
CONTRACT = Into(table="contract", columns={"hash": "text", "body": "blob"}, key=("hash",), twice="keep")
ENTRY = Into(
    table="entry", columns={'"index"': "bigint", "action": "text", "line": "blob"}, key=('"index"',), twice="fail"
)
PRUNED_ENTRY = replace(ENTRY, twice="replace")
TILE = Into(
    table="tile",
    columns={"level": "bigint", '"index"': "bigint", "root": "blob", "hashes": "blob"},
    key=("level", '"index"'),
)

encode = msgspec.json.Encoder(order="deterministic").encode
decode_door = msgspec.json.Decoder(Door).decode


def holds_key(row: ActionRow) -> bool:
    """Whether a call with the key of this action is answered by it. A refusal by rule or budget is judged again."""
    if row.state is ActionState.REFUSED:
        return row.reason is Reason.APPROVAL_DENIED
    return row.state is not ActionState.SUGGESTED
