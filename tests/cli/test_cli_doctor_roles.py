"""What the doctor says where Interlock runs under a role of Postgres that does not own its tables."""

from secrets import token_hex

import psycopg
from psycopg import sql
from test_cli_doctor import own_database as own_database
from test_cli_doctor import said_of, states

from command_line import Shell


def test_a_role_that_leaves_destroyed_keys_in_the_file_of_their_table_is_told(own_database: Shell) -> None:
    own_database.publish()
    assert states(own_database)["keys"] == "ok"
    role = f"clerk_{token_hex(4)}"
    with psycopg.connect(own_database.where, autocommit=True) as db:
        db.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
        db.execute(sql.SQL("grant all on all tables in schema public to {}").format(sql.Identifier(role)))
        db.execute(sql.SQL("grant create on schema public to {}").format(sql.Identifier(role)))
        db.execute(sql.SQL("revoke maintain on interlock_key from {}").format(sql.Identifier(role)))
    own_database.where = own_database.where.replace("//postgres:", f"//{role}:")
    assert states(own_database)["keys"] == "warning"
    assert "vacuum full interlock_key" in said_of(own_database, "keys")
    with psycopg.connect(own_database.where.replace(f"//{role}:", "//postgres:"), autocommit=True) as db:
        db.execute(sql.SQL("alter table interlock_key owner to {}").format(sql.Identifier(role)))
    assert states(own_database)["keys"] == "ok"
