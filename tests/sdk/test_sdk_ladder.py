"""The SDK stands by itself: it knows the wire and nothing of the server, and the server nothing of it."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from desk import ROOT

SDK = ROOT / "sdk" / "src" / "interlock_sdk"
NEEDS = {"httpx2", "anyio"}
"""Both come with `httpx2`."""
EXTRAS = {
    "signing.py": {"cryptography", "rfc8785"},
    "adapters/langgraph.py": {"langchain_core", "langgraph"},
    "adapters/llama_index.py": {"llama_index", "workflows"},
    "adapters/openai_agents.py": {"agents"},
    "adapters/pydantic_ai.py": {"pydantic_ai", "pydantic_core"},
    "adapters/semantic_kernel.py": {"semantic_kernel"},
    "adapters/temporal.py": {"temporalio"},
}
"""What a module needs beyond that. It is an extra of its own, and no other module imports it."""


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_sdk_imports_nothing_of_the_server_and_an_extra_only_where_it_is_for_that() -> None:
    found = {
        str(file.relative_to(SDK)): {name.partition(".")[0] for name in imported(file)}
        - {"interlock_sdk", *sys.stdlib_module_names}
        for file in SDK.rglob("*.py")
    }
    assert {name: needs - NEEDS for name, needs in found.items() if needs - NEEDS} == EXTRAS


def test_no_module_imports_one_that_needs_an_extra() -> None:
    extras = {"interlock_sdk." + name.removesuffix(".py").replace("/", ".") for name in EXTRAS}
    wanting = {str(file): set(imported(file)) & extras for file in SDK.rglob("*.py")}
    assert not any(wanting.values()), wanting


def test_the_server_imports_nothing_of_the_sdk() -> None:
    for file in (ROOT / "src").rglob("*.py"):
        assert "interlock_sdk" not in {name.partition(".")[0] for name in imported(file)}, file
