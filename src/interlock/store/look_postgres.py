"""A look at a store in Postgres from outside: it reads, and makes nothing."""

import psycopg
from psycopg.conninfo import conninfo_to_dict

from interlock.core.errors import StoreBusy, StoreClosed
from interlock.core.ids import Instant
from interlock.store.look import Look

_SETTINGS = ["synchronous_commit", "fsync", "full_page_writes", "server_version_num", "max_connections"]
_NOW = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint, to_regclass('version') is not null"

_KEYS_LEFT = """
select not (pg_has_role(c.relowner, 'usage') or pg_has_role(d.datdba, 'usage') or case
  when current_setting('server_version_num')::int >= 170000 then has_table_privilege(c.oid, 'maintain') else false end)
from pg_class c, pg_database d where c.oid = to_regclass('interlock_key') and d.datname = current_database()"""


def look_at_postgres(url: str) -> Look:
    """Look at a database.

    Raises:
        StoreBusy: it does not answer.
        StoreClosed: it refuses to say.
    """
    try:
        options = f"{conninfo_to_dict(url).get('options') or ''} -c statement_timeout=5s".strip()
        with psycopg.connect(url, autocommit=True, connect_timeout=5, options=options) as db:
            now, ours = db.execute(_NOW).fetchone() or (None, False)
            found = db.execute("select name, setting from pg_settings where name = any(%s)", [_SETTINGS]).fetchall()
            (used,) = db.execute("select count(*) from pg_stat_activity").fetchone() or (0,)
            keys_left = (db.execute(_KEYS_LEFT).fetchone() or (False,))[0]
            version = (db.execute("select max(number) from version").fetchone() or (None,))[0] if ours else None
    except psycopg.OperationalError as error:
        raise StoreBusy("the database does not answer", fix="start Postgres, or correct the address") from error
    except psycopg.Error as error:
        what = f"the database refused to say ({error.sqlstate})"
        raise StoreClosed(what, fix="give this user the right to read its tables") from error
    said = {**dict(found), "connections": str(used)}
    return Look(version=version, settings=said, now=now and Instant(now), keys_left=keys_left)
