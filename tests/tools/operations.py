"""Operations of a document as tools of a world, with a server that misbehaves as it is told to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from interlock.app import describe, gateway_on
from interlock.contract.ir import Contract
from interlock.contract.problem import ContractProblems
from interlock.contract.read import loads
from interlock.core.ids import Environment, WorkflowId
from interlock.core.outcome import Outcome
from interlock.core.value import replace
from interlock.gateway.publish import Publication, publish_contract
from interlock.ports import Performers
from interlock.tool.manifest import Asking, Manifest
from interlock.tool.openapi import describe_openapi
from tools.http_peer import Peer
from world import KIM, World

DEV = Environment("dev")


def is_there(*_: str) -> None:
    """Find every secret."""


def an_answer(schema: Any = None, *, status: str = "200", kind: str = "application/json") -> dict[str, Any]:
    content = {} if schema is None else {"content": {kind: {"schema": schema}}}
    return {status: {"description": "it", **content}}


def a_document(paths: Mapping[str, Any], *, version: str = "3.1.0", **more: Any) -> dict[str, Any]:
    about = {"openapi": version, "info": {"title": "t", "version": "1"}}
    return {**about, "servers": [{"url": "https://api.acme.example/v1"}], "paths": paths, **more}


def one(method: str = "get", path: str = "/things", *, version: str = "3.1.0", **operation: Any) -> dict[str, Any]:
    """A document with the one operation `it`."""
    return a_document({path: {method: {"operationId": "it", **operation}}}, version=version)


def parameter(name: str, place: str = "query", schema: Any = None, **more: Any) -> dict[str, Any]:
    needed = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, "schema": {"type": "string"} if schema is None else schema, **needed, **more}


def body(schema: Any, kind: str = "application/json", **more: Any) -> dict[str, Any]:
    return {"required": True, "content": {kind: {"schema": schema}}, **more}


def a_contract(tools: str, *, more: str = "") -> Contract:
    """A contract with some tools, all of which agents may call."""
    names = ", ".join(yaml.safe_load(f"tools:\n{tools}")["tools"])
    head = (
        f"interlock: 1\nworkflow: w\ntenant: t\nenvironments: {{ dev: {{ mode: act }}, test: {{ mode: ask }} }}\n{more}"
    )
    return loads(f"{head}tools:\n{tools}permissions: {{ allowed_tools: [{names}] }}\n", "c.yaml")


def described(folder: Path, document: Mapping[str, Any], tool: str = "", *, more: str = "") -> Manifest:
    """What publishing finds out about the operation `it` of a document."""
    (folder / "api.json").write_text(json.dumps(document), encoding="utf-8")
    contract = a_contract(f'  it: {{ from: "openapi:api.json#it", tier: green, price: 0{tool} }}\n', more=more)
    (found,) = contract.tools.values()
    return describe_openapi(Asking(tool=found, contract=contract, folder=folder, environment=DEV))


@dataclass
class Api:
    """A world whose tools are the operations of a document, and the server that stands behind them."""

    world: World
    peer: Peer
    folder: Path
    tools: Performers

    async def publish(self, document: Mapping[str, Any], tool: str = "", *, name: str = "it") -> Publication:
        """Publish one operation of a document as the tool of its name."""
        (self.folder / "api.json").write_text(json.dumps(document), encoding="utf-8")
        hosts = f'hosts: {{ api.json: {{ url: "{self.peer.url("/v1")}", private: true }} }}\n'
        line = f'  {name}: {{ from: "openapi:api.json#{name}", tier: green, price: 0{tool} }}\n'
        contract = replace(a_contract(line, more=hosts), tenant=self.world.tenant)
        self.world.gateway = gateway_on(self.world.opened, self.tools)
        return await publish_contract(
            self.world.store, contract, DEV, KIM, folder=self.folder, describe=describe, look=is_there
        )

    async def call(self, arguments: Mapping[str, Any] | None = None, name: str = "it") -> Outcome:
        caller = replace(self.world.caller(), workflow=WorkflowId("w"), environment=DEV)
        return await self.world.call(json.dumps(arguments or {}), tool=name, caller=caller)

    def asked(self) -> tuple[str, dict[str, str], bytes]:
        """Return the line, the headers and the body of the one question that came."""
        (question,) = self.peer.questions
        head, _, sent = question.partition(b"\r\n\r\n")
        line, *headers = head.decode().split("\r\n")
        return line, {name.lower(): value for name, _, value in (each.partition(": ") for each in headers)}, sent


def problems(error: ContractProblems) -> list[str]:
    return [problem.what for problem in error.problems]
