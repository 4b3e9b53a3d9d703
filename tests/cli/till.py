"""A till for tests: a contract whose tools get secrets, and typing one on standard input."""

import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from command_line import Shell

CANARY = "sk_live_C4narY/51+x="
NAMES = ("echo", "echo_async", "fail", "fall_silent", "crash")
CONTRACT = """\
interlock: 1
workflow: till
tenant: {tenant}
environments: {{ prod: {{ mode: act }}, dark: {{ mode: act }} }}
agents: {{ bot: {{}} }}
tools:
{tools}
permissions: {{ allowed_tools: [{names}] }}
budgets: {{ per_day: {{ tool_calls: 1000 }}, per_run: {{ tool_calls: 100 }} }}
"""
TOOL = """\
  {name}:
    from: "python:tools.secret_tools:{name}"
    effect: {effect}
    tier: green
    price: 0
    secret: pay
"""


@dataclass
class Till:
    """Sets secrets, and calls tools that get them."""

    shell: Shell
    monkeypatch: pytest.MonkeyPatch

    def contract(self, *names: str, effect: str = "opaque") -> str:
        tools = "".join(TOOL.format(name=name, effect=effect) for name in names or NAMES)
        text = CONTRACT.format(tenant=self.shell.tenant, tools=tools, names=", ".join(names or NAMES))
        path = self.shell.folder / "till.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def publish(self, *names: str, code: int = 0) -> str:
        return self.shell("contract", "publish", self.contract(*names), "--env", "prod", code=code)

    def typing(self, text: str | bytes) -> None:
        raw = text if isinstance(text, bytes) else text.encode()
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))

    def set(self, text: str | bytes = CANARY, *more: str, name: str = "pay", env: str = "prod") -> Any:
        self.typing(text)
        return self.shell.data("secret", "set", name, "--workflow", "till", "--env", env, *more)

    @property
    def keys(self) -> Path:
        return self.shell.folder / "keys"
