"""Named statements as tools of a world, on a real database."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlock.app import describe, gateway_on
from interlock.core.ids import Environment, WorkflowId
from interlock.core.outcome import Done, Failed, Outcome
from interlock.core.value import replace
from interlock.gateway.publish import Publication, publish_contract
from interlock.ports import Performers
from interlock.tool.manifest import Asking, Manifest
from interlock.tool.sql import describe_sql
from tools.operations import a_contract, is_there
from world import KIM, World

DEV = Environment("dev")
ON_FILE = "databases: { s.sql: { sqlite: data.db } }\n"


def a_line(name: str, more: str = "", source: str = "") -> str:
    return f'  {name}: {{ from: "sql:s.sql#{source or name}", tier: green, price: 0{more} }}\n'


def described(folder: Path, text: str, more: str = "", *, databases: str = ON_FILE, name: str = "it") -> Manifest:
    """What publishing finds out about one statement of a file."""
    (folder / "s.sql").write_text(text, encoding="utf-8")
    sqlite3.connect(folder / "data.db").close()
    contract = a_contract(a_line(name, more), more=databases)
    (found,) = contract.tools.values()
    return describe_sql(Asking(tool=found, contract=contract, folder=folder, environment=DEV))


@dataclass
class Data:
    """A world whose tools are the statements of a file, on a SQLite file or on Postgres."""

    world: World
    folder: Path
    tools: Performers
    databases: str = ON_FILE

    def run(self, script: str) -> None:
        """Change the SQLite file as its owner does."""
        with sqlite3.connect(self.folder / "data.db") as db:
            db.executescript(script)
        db.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        db = sqlite3.connect(self.folder / "data.db")
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()

    async def publish(self, text: str, **tools: str) -> Publication:
        """Publish statements of a file, each with what the contract says of it."""
        (self.folder / "s.sql").write_text(text, encoding="utf-8")
        lines = "".join(a_line(name, f", {more}" if more else "") for name, more in tools.items())
        contract = replace(a_contract(lines, more=self.databases), tenant=self.world.tenant)
        self.world.gateway = gateway_on(self.world.opened, self.tools)
        return await publish_contract(
            self.world.store, contract, DEV, KIM, folder=self.folder, describe=describe, look=is_there
        )

    async def call(self, name: str = "it", arguments: Mapping[str, Any] | None = None) -> Outcome:
        caller = replace(self.world.caller(), workflow=WorkflowId("w"), environment=DEV)
        return await self.world.call(json.dumps(arguments or {}), tool=name, caller=caller)

    async def done(self, name: str = "it", /, **arguments: Any) -> Any:
        outcome = await self.call(name, arguments)
        assert isinstance(outcome, Done), outcome
        return outcome.result

    async def failed(self, name: str = "it", /, **arguments: Any) -> str:
        outcome = await self.call(name, arguments)
        assert isinstance(outcome, Failed), outcome
        return outcome.why
