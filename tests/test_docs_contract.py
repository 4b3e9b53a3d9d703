"""The page of the contract names every key there is and no other, and everything that it shows is tried."""

import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from command_line import ROOT
from interlock.contract.read import loads
from interlock.contract.schema import schema
from interlock.contract.shape import Shape, Table
from interlock.contract.shorthand import SHORT_SHAPES
from interlock.contract.unenforced import SECTIONS
from interlock.door.cli.person import user_name
from transcript import type_again

PAGE = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
CODE = ROOT / "docs_src" / "contract"
FULL_SHAPE, _, SHORT_SHAPE = PAGE.partition("## Short shapes")

Key = tuple[str, ...]
"""The way to a key. `*` stands for a name that the contract chooses."""


def keys_of(node: Mapping[str, Any], at: Key = ()) -> set[Key]:
    """Every key that a JSON Schema knows."""
    named = dict(node.get("properties", {}))
    named |= {pattern.strip("^.") + "*": inner for pattern, inner in node.get("patternProperties", {}).items()}
    if isinstance(node.get("additionalProperties"), dict):
        named["*"] = node["additionalProperties"]
    found = {(*at, key) for key in named}.union(*(keys_of(inner, (*at, key)) for key, inner in named.items()))
    return found.union(*(keys_of(each, at) for each in (*node.get("anyOf", ()), *filter(None, [node.get("items")]))))


def keys_of_shape(shape: Shape) -> set[Key]:
    """The ways to the values of a short shape, as far as its keys are fixed."""
    if not isinstance(shape, Table) or shape.others is not None:
        return set()
    return {(key, *rest) for key, inner in shape.keys.items() for rest in keys_of_shape(inner) or {()}}


def written(text: str) -> Key:
    """A key as a page writes it: `TOOL.undo.within`, `TOOL.deny_if_FACT`."""
    return tuple(re.sub(r"(?:NAME|TOOL|ENV|FACT|ROLE)$", "*", part) for part in text.split("."))


def rows(page: str, head: str) -> Iterable[tuple[list[Key], list[Key]]]:
    """The keys of each row of the tables that begin with `head`, and the sections that the heading above names."""
    at: list[Key] = [()]
    table = False
    for line in page.splitlines():
        if line.startswith("#"):
            at = [written(each) for each in re.findall(r"`([^`]+)`", line)] or [()]
        table = line.startswith(f"| {head} |") or (table and line.startswith("|"))
        if table and line.startswith("| `"):
            yield at, [written(each) for each in re.findall(r"`([^`]+)`", line.split("|")[1])]


def test_every_key_of_the_schema_is_on_the_page_and_no_other() -> None:
    named = {(*section, *key) for sections, keys in rows(FULL_SHAPE, "key") for section in sections for key in keys}
    ways = {key[:length] for key in named for length in range(1, len(key) + 1)}
    known = keys_of(schema())
    assert sorted(".".join(key) for key in known - ways) == []
    assert sorted(".".join(key) for key in ways - known) == []


def test_every_key_of_the_short_shapes_is_on_the_page_and_no_other() -> None:
    named = {key for _, keys in rows(SHORT_SHAPE, "short key") for key in keys}
    known = set[Key]().union(*map(keys_of_shape, SHORT_SHAPES))
    # A key whose own table is that of the full shape is said to be the same, and no more.
    whole = {("fallback",), ("agent", "permissions")}
    assert {key for key in known if key[:1] not in whole and key[:2] not in whole} | whole == named


def test_what_is_not_enforced_is_on_the_page_with_who_will_honour_it() -> None:
    table = re.findall(r"^\| (`[^|]+) \| ([^|]+) \| (yes|) *\|$", PAGE, re.MULTILINE)
    found = {
        name: (by.strip(), protects == "yes")
        for names, by, protects in table
        for name in re.findall(r"`([^`]+)`", names)
    }
    known = {name: (each.honoured_by, each.protects) for name, each in SECTIONS.items()}
    assert {name: found[name] for name in found.keys() & known.keys()} == known


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = {key: merged(one[key], other[key]) for key in one.keys() & other.keys() if isinstance(other[key], dict)}
    return {**one, **other, **both}


def test_every_contract_and_every_piece_of_one_is_read() -> None:
    whole = yaml.safe_load((CODE / "rooms.yaml").read_text(encoding="utf-8"))
    pieces = re.findall(r"```(yaml|sh)\n(.*?)```", PAGE, re.DOTALL)
    assert len(pieces) == PAGE.count("```yaml") + PAGE.count("```sh") > 6
    for language, text in pieces:
        stands_alone = language == "sh" or text in SHORT_SHAPE or text.startswith("interlock: 1")
        said = text if stands_alone else yaml.safe_dump(merged(whole, cast("dict[str, Any]", yaml.safe_load(text))))
        assert loads(said, "page.env" if language == "sh" else "page.yaml").tenant == "default"


def test_every_piece_of_code_on_the_page_is_a_piece_of_a_file() -> None:
    blocks = re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert {name for name, _ in blocks} == {str(path.relative_to(ROOT)) for path in CODE.iterdir() if path.is_file()}
    for name, code in blocks:
        assert code in (ROOT / name).read_text(encoding="utf-8"), code


def test_the_page_shows_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "rooms"
    shutil.copytree(CODE, here)
    contract = (here / "rooms.yaml").read_text(encoding="utf-8")
    (here / "rooms.yaml").write_text(contract.replace("[ann]", f"[{user_name()}]"), encoding="utf-8")
    monkeypatch.chdir(here)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delitem(sys.modules, "rooms", raising=False)
    for name in ("INTERLOCK_STORE", "INTERLOCK_KEYS", "INTERLOCK_TENANT"):
        monkeypatch.delenv(name, raising=False)
    type_again(PAGE, capsys)
