"""Statements that are tried on Postgres before they are needed: what is wrong is said as they are published."""

from collections.abc import Generator
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest

from interlock.contract.ir import Contract
from interlock.core.errors import ContractInvalid, SecretUnknown
from interlock.core.ids import TenantId
from interlock.core.value import replace
from interlock.tool.kinds import describe
from interlock.tool.manifest import Asking, Manifest
from interlock.tool.sql_try import trials
from postgres import Server
from tools.drawer import Drawer
from tools.operations import DEV, a_contract
from tools.silent_database import silence
from tools.statements import a_line

pytestmark = pytest.mark.slow

TABLES = """\
create table orders (id integer primary key, code text, paid boolean, total numeric, tenant text, at date);
create table hidden (id integer);
create sequence taken;
create function next_taken() returns integer language sql immutable as $$ select nextval('taken')::integer $$;
alter table orders enable row level security;
create policy own on orders using (tenant = current_setting('app.tenant'));
do $$ begin create role clerk; exception when duplicate_object then null; end $$;
grant select, insert, update on orders to clerk;
grant usage, select on sequence taken to clerk;
"""


@pytest.fixture(scope="module")
def orders(postgres_server: Server) -> Generator[str]:
    url = postgres_server.a_database(f"orders_{token_hex(4)}")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(TABLES)
    yield url


def of(folder: Path, text: str, url: str = "", *, more: str = "", role: str = "clerk") -> Contract:
    (folder / "s.sql").write_text(f"-- name: it\n{text}", encoding="utf-8")
    where = f"address: '{url}', role: {role}" if url else f"role: {role}"
    contract = a_contract(a_line("it", more), more=f"databases: {{ s.sql: {{ postgres: {{ {where} }} }} }}\n")
    return replace(contract, tenant=TenantId("acme"))


def published(folder: Path, contract: Contract, drawer: Drawer | None = None) -> Manifest:
    """Find out about the statement as publishing does."""
    (tool,) = contract.tools.values()
    asking = Asking(tool=tool, contract=contract, folder=folder, environment=DEV)
    return describe(asking, drawer or Drawer())


@pytest.mark.parametrize(
    "text",
    [
        "-- param id: integer\nselect code from orders where id = :id and tenant = :interlock_tenant",
        "-- param code: string?\nselect id from orders where :code::text is null or code = :code",
        "-- param total: number\n-- param at: string\nselect id from orders where total < :total and at > :at limit 5",
        "-- param n: integer\nselect left(code, :n) as a, '100%' as p from orders limit :n",
        "-- param paid: boolean\nupdate orders set paid = :paid where code = :interlock_key returning id",
        "-- param id: integer\n-- param at: string\ninsert into orders (id, at) values (:id, :at)",
        "with x as (select 1 as a) select a from x",
        "-- param id: integer\nselect 1 / :id as a",
    ],
)
def test_a_statement_that_the_database_takes_is_published_without_a_word(
    tmp_path: Path, orders: str, text: str
) -> None:
    (note,) = published(tmp_path, of(tmp_path, text, orders)).notes
    assert note.startswith("the statement ")


@pytest.mark.parametrize("text", ["update orders set paid = true where id = next_taken()", "select next_taken() as n"])
def test_a_function_that_is_not_what_it_is_declared_as_writes_nothing_as_a_statement_is_tried(
    tmp_path: Path, orders: str, text: str
) -> None:
    with pytest.raises(ContractInvalid, match="it wants to write as it is planned") as wrong:
        published(tmp_path, of(tmp_path, text, orders))
    assert "declare it `volatile`" in wrong.value.fix
    with psycopg.connect(orders) as db:
        assert db.execute("select is_called from taken").fetchone() == (False,)


@pytest.mark.parametrize(
    ("text", "says", "fix"),
    [
        ("select nothing from orders", 'column "nothing" does not exist', "correct the statement, or the database"),
        ("select id from order_s", 'relation "order_s" does not exist', "correct the statement, or the database"),
        ("selct 1", "it begins with `selct`", "write one SELECT"),
        ("select id from orders where", "syntax error at end of input", "correct the statement, or the database"),
        ("select id from hidden", "permission denied for table hidden", "grant `clerk` what the statement needs"),
        ("delete from orders", "permission denied for table orders", "grant `clerk` what the statement needs"),
        ("update orders set paid = true returning nothing", 'column "nothing"', "correct the statement"),
        (
            "-- param id: string\nselect code from orders where id = :id",
            "`:id` is of type integer to the database, and its argument is a text",
            "write `-- param id: integer`, or cast it: `:id::text`",
        ),
        (
            "-- param paid: string?\nselect code from orders where paid = :paid",
            "`:paid` is of type boolean to the database, and its argument is a text",
            "write `-- param paid: boolean`, or cast it: `:paid::text`",
        ),
        (
            "-- param code: integer\nselect id from orders where code = :code",
            "operator does not exist: text = integer",
            "",
        ),
        (
            "-- param id: string\nselect code from orders where :id is null",
            "could not determine data type of parameter $1",
            "cast the parameter in the statement",
        ),
    ],
)
def test_what_the_database_does_not_take_is_not_published(
    tmp_path: Path, orders: str, text: str, says: str, fix: str
) -> None:
    with pytest.raises(ContractInvalid) as refused:
        published(tmp_path, of(tmp_path, text, orders))
    assert says in str(refused.value)
    assert fix in refused.value.fix


def test_types_that_the_contract_says_are_held_against_those_of_the_database_too(tmp_path: Path, orders: str) -> None:
    text = "select code from orders where id = :id"
    said = "schema: {{ type: object, properties: {{ id: {{ type: {} }} }}, additionalProperties: false }}"
    with pytest.raises(ContractInvalid, match="is of type integer to the database, and its argument is a text"):
        published(tmp_path, of(tmp_path, text, orders, more=f", {said.format('string')}"))
    published(tmp_path, of(tmp_path, text, orders, more=f", {said.format('integer')}"))


@pytest.mark.parametrize(
    ("role", "says"),
    [("nobody_there", 'role "nobody_there" does not exist'), ("postgres", "`postgres` passes by row-level security")],
)
def test_a_role_that_would_be_refused_is_not_published(tmp_path: Path, orders: str, role: str, says: str) -> None:
    with pytest.raises(ContractInvalid) as refused:
        published(tmp_path, of(tmp_path, "select 1 as a", orders, role=role))
    assert says in str(refused.value)
    assert "role" in refused.value.fix


def test_nothing_is_carried_out_as_it_is_tried(tmp_path: Path, orders: str) -> None:
    with psycopg.connect(orders, autocommit=True) as db:
        db.execute(
            "create function leave() returns int language sql as 'insert into orders (id) values (7) returning 1'"
        )
    published(
        tmp_path, of(tmp_path, "insert into orders (id, tenant, code) values (8, 'acme', :interlock_key)", orders)
    )
    published(tmp_path, of(tmp_path, "select leave() as a", orders))
    with psycopg.connect(orders, autocommit=True) as db:
        assert db.execute("select id from orders").fetchall() == []


def test_the_address_may_be_a_secret_and_nothing_of_it_is_told(tmp_path: Path, orders: str) -> None:
    drawer = Drawer(orders)
    contract = of(tmp_path, "select id from orders", more=", secret: crm")
    published(tmp_path, contract, drawer)
    assert drawer.asked == [("acme", "w", "dev", "crm")]
    drawer.text = orders.replace("postgres:", "canary:canary").replace("host=", "host=/nowhere")
    (_, note) = published(tmp_path, replace(contract), drawer).notes
    said = "nobody has tried the statement, `interlock doctor` does: "
    assert note == f"{said}the database of `it` cannot be connected to"
    drawer.wrong = SecretUnknown("none", fix="set it")
    assert published(tmp_path, replace(contract), drawer).notes[-1] == f"{said}none"


def test_a_database_that_is_silent_is_asked_once_and_keeps_nobody_from_publishing(
    tmp_path: Path, orders: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interlock.tool.sql_postgres_try.SQL_SILENCE_SECONDS_MAX", 0.3)
    with silence(orders) as way:
        way.at = b"pg_roles"
        contract = of(tmp_path, "select id from orders", way.address, more=", timeout: 500ms")
        for _ in range(3):
            notes = published(tmp_path, contract).notes
            assert notes[-1].endswith("`interlock doctor` does: the database went away")
        assert way.connections == 1


def test_a_table_that_somebody_has_locked_keeps_nobody_from_publishing(tmp_path: Path, orders: str) -> None:
    contract = of(tmp_path, "select id from orders", orders, more=", timeout: 300ms")
    with psycopg.connect(orders) as db:
        db.execute("lock table orders in access exclusive mode")
        assert published(tmp_path, contract).notes[-1].endswith("the database does not answer, or is busy")
    assert len(published(tmp_path, replace(contract)).notes) == 1


def test_whoever_does_not_hand_out_secrets_asks_no_database(tmp_path: Path, orders: str) -> None:
    contract = of(tmp_path, "select nothing from orders", orders)
    (tool,) = contract.tools.values()
    describe(Asking(tool=tool, contract=contract, folder=tmp_path, environment=DEV))
    with pytest.raises(ContractInvalid):
        published(tmp_path, contract)


def in_force(folder: Path, contract: Contract) -> Contract:
    """The contract as it is kept once it is published."""
    made: dict[Any, Any] = {}
    for name, tool in contract.tools.items():
        found = describe(Asking(tool=tool, contract=contract, folder=folder, environment=DEV))
        made[name] = replace(tool, schema=found.schema, how=found.how)
    return replace(contract, tools=made)


def test_what_is_in_force_is_tried_again_by_whoever_looks_after_it(tmp_path: Path, orders: str) -> None:
    good = in_force(tmp_path, of(tmp_path, "-- param id: integer\nselect code from orders where id = :id", orders))
    assert list(trials(good, DEV, Drawer())) == [("it", "", "")]
    bad = in_force(tmp_path, of(tmp_path, "-- param id: string\nselect code from orders where id = :id", orders))
    ((tool, what, fix),) = trials(bad, DEV, Drawer())
    assert (tool, "is of type integer to the database" in what, "write `-- param id: integer`" in fix) == (
        "it",
        True,
        True,
    )
    gone = in_force(tmp_path, of(tmp_path, "select 1 as a", "postgresql://127.0.0.1:1/x"))
    more = replace(gone, tools={**gone.tools, "again": replace(next(iter(gone.tools.values())), name="again")})
    ((tool, what, _),) = trials(more, DEV, Drawer())
    assert (tool, what) == ("it", "the database of `it` cannot be connected to, so nothing was done")
