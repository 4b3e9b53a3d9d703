"""What publishing makes of a named statement: its arguments, its effect, what it refuses."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.core.effect import EffectClass
from interlock.core.errors import ContractInvalid
from interlock.tool.sql_text import returns_rows, tokens, with_parameters
from tools.statements import described

SELECT = "-- name: it\nselect 1 as a"


def refused(folder: Path, text: str, more: str = "", **other: str) -> str:
    with pytest.raises(ContractInvalid) as error:
        described(folder, text, more, **other)
    assert error.value.fix
    return str(error.value)


def test_the_comment_says_what_a_statement_takes_and_returns(tmp_path: Path) -> None:
    text = (
        "-- a file of ours\n\n-- name: other\nselect 2;\n\n-- name: it\n-- Find it.\n-- In two lines.\n"
        "-- param mail: string\n-- param most: integer?\n-- returns one\n"
        "select :mail as a, ':no' as b, \"c:d\" as e -- :nor this\n, /* ; :nor that */ :most as f\nlimit 1;\n-- end\n"
    ).replace('"c:d" as e', "'x' as e")
    found = described(tmp_path, text)
    assert found.description == "Find it.\nIn two lines."
    assert found.schema == {
        "type": "object",
        "properties": {"mail": {"type": "string"}, "most": {"type": ["integer", "null"]}},
        "required": ["mail"],
        "additionalProperties": False,
    }
    assert found.result_schema == {"type": ["object", "null"]}
    assert found.effect is EffectClass.READ
    assert found.how is not None
    assert (found.how["parameters"], found.how["reads"], found.how["seconds"]) == (["mail", "most"], True, 27.0)
    assert found.how["sqlite"] == str(tmp_path / "data.db")
    assert found.how["text"].endswith("limit 1")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("select 1", "s.sql: a statement has no name"),
        ("-- name: other\nselect 1", "s.sql: no statement is named `it`"),
        (f"{SELECT};\n{SELECT}", "s.sql: two statements are named `it`"),
        (f"{SELECT}; select 2", "s.sql: `it`: there is more than one statement"),
        (f"{SELECT}; drop table x; -- y", "s.sql: `it`: there is more than one statement"),
        ("-- name: it\n", "s.sql: `it`: it is empty"),
        ("-- name: it\ndrop table x", "s.sql: `it`: it begins with `drop`"),
        ("-- name: it\npragma query_only = off", "s.sql: `it`: it begins with `pragma`"),
        ("-- name: it\nattach 'x' as y", "s.sql: `it`: it begins with `attach`"),
        ("-- name: it\nselect 1 into x", "s.sql: `it`: `select into` makes a table"),
        ("-- name: it\nselect 'x", "s.sql: `it`: a text in quotes has no end"),
        ("-- name: it\nselect $$x$$", "s.sql: `it`: a text is quoted by dollars"),
        ("-- name: it\nselect :x", "the parameter `x` of `it` has no type"),
        ("-- name: it\n-- param y: string\nselect 1", "s.sql: `it`: it has no parameter `y`"),
        ("-- name: it\n-- param x: text\nselect :x", "s.sql: `it`: `text` is no type"),
        ("-- name: it\n-- param x\nselect :x", "s.sql: `it`: `-- param x` cannot be read"),
        ("-- name: it\n-- returns some\nselect 1", "s.sql: `it`: `returns some` is unknown"),
        ("-- name: it\n-- retuns one\nselect 1", "s.sql: `it`: `-- retuns one` is nearly `-- returns ...`"),
        ("-- name: it\n-- parm x: string\nselect :x", "s.sql: `it`: `-- parm x: string` is nearly `-- param ...`"),
        ("-- name: it\nselect :interlock_keys", "s.sql: `it`: `:interlock_keys` is unknown"),
        (
            "-- name: it\n-- param interlock_key: string\nselect :interlock_key",
            "s.sql: `it`: `:interlock_key` is filled in by Interlock",
        ),
        ("-- name: it\n-- returns happened\nselect 1", "`it` says whether something happened, and not to what"),
        ("-- name: it\nselect a from gone", "the database does not take `it`: no such table: gone"),
        (
            "-- name: it\nselect load_extension('x')",
            "the database does not take `it`: not authorized to use function: load_extension",
        ),
        ("-- name: it\nselect (", "the database does not take `it`: incomplete input"),
    ],
)
def test_a_statement_that_cannot_be_a_tool_says_why(tmp_path: Path, text: str, says: str) -> None:
    assert refused(tmp_path, text) == says


WRITE = "-- name: it\ninsert into t values (1)"


@pytest.mark.parametrize(
    ("text", "more", "says"),
    [
        (WRITE, ", effect: read", "it is to be a `read`, and the statement `it` writes"),
        (
            "-- name: it\nwith x as (delete from t returning 1) select 1",
            ", effect: read",
            "it is to be a `read`, and the statement `it` writes",
        ),
        (WRITE, ", effect: queryable", "nobody could find out whether `it` happened"),
        (WRITE, ", effect: idempotent_key", "nobody could find out whether `it` happened"),
    ],
)
def test_an_effect_that_the_words_speak_against_is_refused(tmp_path: Path, text: str, more: str, says: str) -> None:
    assert refused(tmp_path, text, more) == says


@pytest.mark.parametrize(
    ("databases", "more", "says"),
    [
        ("", "", None),
        ("databases: { s.sql: { sqlite: gone.db } }\n", "", "gone.db` cannot be opened"),
        ("databases: { s.sql: { sqlite: { test: data.db } } }\n", "", "`s.sql` has no database in `dev`"),
        ("databases: { s.sql: { postgres: {} } }\n", "", "nobody says where the database of `s.sql` is"),
        (
            "databases: { s.sql: { postgres: { address: 'postgresql://h/d' } } }\n",
            ", secret: s",
            "a secret and an address both say",
        ),
        (
            "databases: { s.sql: { postgres: { address: 'postgresql://u:p@h/d' } } }\n",
            "",
            "the address of `s.sql` has a password in it",
        ),
        (
            "databases: { s.sql: { postgres: { address: { test: 'postgresql://h/d' } } } }\n",
            "",
            "`s.sql` has no database in `dev`",
        ),
    ],
)
def test_a_database_that_nobody_can_find_is_refused(
    tmp_path: Path, databases: str, more: str, says: str | None
) -> None:
    if says is None:
        with pytest.raises(ContractInvalid, match="says no database for its statement"):
            described(tmp_path, SELECT, more, databases=databases)
    else:
        assert says in refused(tmp_path, SELECT, more, databases=databases)


def test_of_postgres_only_the_address_without_a_password_is_pinned(tmp_path: Path) -> None:
    postgres = "databases: { s.sql: { postgres: { role: reader, tenant_setting: my.tenant } } }\n"
    found = described(tmp_path, SELECT, ", secret: crm-read", databases=postgres)
    assert found.how is not None
    assert {name: found.how.get(name) for name in ("address", "role", "tenant_setting", "sqlite")} == {
        "address": None,
        "role": "reader",
        "tenant_setting": "my.tenant",
        "sqlite": None,
    }


@settings(deadline=None)
@given(st.text(alphabet="a:;'\"`-/*$ \n\\E()[]1", max_size=40))
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    try:
        assert "".join(token.text for token in tokens(text)) == text
    except ValueError:
        return


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("select :a, :b_1 || ':c', x::text, 5 % 2", "select %(a)s, %(b_1)s || ':c', x::text, 5 %% 2"),
        ("-- :a\nselect '100%', E'\\':a', \":a\", xs[1:a]", "-- :a\nselect '100%%', E'\\':a', \":a\", xs[1:a]"),
        ("/* :a */ select (:a)::int", "/* :a */ select (%(a)s)::int"),
    ],
)
def test_parameters_are_found_and_nothing_else_is(text: str, written: str) -> None:
    assert with_parameters(text, lambda name: f"%({name})s", lambda rest: rest.replace("%", "%%")) == written


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("select 1", True),
        ("values (1)", True),
        ("insert into a values (1)", False),
        ("insert into a select 1", False),
        ("insert into a values (1) RETURNING id", True),
        ("insert into a values ('returning (') -- returning (", False),
        ('update a set "returning" = 1 /* returning */', False),
        ("update a set x = E'\\'(' returning x", True),
        ("with x as (delete from a returning id) select id from x", True),
        ("with x as (delete from a returning id) insert into b select id from x", False),
        ("with x as (select 1 as (y)) update a set z = 1 returning z", True),
        ("merge into a using b on true when matched then delete", False),
    ],
)
def test_which_statements_return_rows(text: str, rows: bool) -> None:
    assert returns_rows(text) == rows
