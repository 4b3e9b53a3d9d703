from typing import cast

import jsonschema_rs
import pytest

from contract_files import EVERYTHING, FOLDER, NAMES, file
from interlock.contract.node import plain
from interlock.contract.problem import Findings
from interlock.contract.schema import schema
from interlock.contract.show import show
from interlock.contract.yaml_text import parse_yaml
from interlock.core.canonical import Json

VALIDATOR = jsonschema_rs.Draft202012Validator(schema())


def as_json(text: str) -> dict[str, Json]:
    node = parse_yaml(text, "c.yaml", Findings())
    assert node is not None
    return cast("dict[str, Json]", plain(node))


FULL = as_json((FOLDER / "support-refunds.yaml").read_text(encoding="utf-8"))


def test_it_is_a_json_schema() -> None:
    jsonschema_rs.meta.validate(schema())


@pytest.mark.parametrize("name", NAMES)
def test_every_contract_that_is_shown_fits(name: str) -> None:
    VALIDATOR.validate(as_json(show(file(name))))


def test_the_full_contract_fits_as_it_stands() -> None:
    VALIDATOR.validate(FULL)
    VALIDATOR.validate(as_json(EVERYTHING))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("owners",), "x"),
        (("interlock",), 2),
        (("workflow",), "a b"),
        (("tools", "create_refund", "effct"), "read"),
        (("tools", "create_refund", "effect"), "readonly"),
        (("tools", "create_refund", "timeout"), "6"),
        (("tools", "create_refund", "price"), -1),
        (("tools", "create_refund", "undo", "tools"), "x"),
        (("tools", "a b"), {}),
        (("permissions", "create_refund", "deny_if_"), True),
        (("permissions", "create_refund", "allow_if_x"), True),
        (("permissions", "create_refund", "deny_if_x"), "yes"),
        (("approvals", "yellow", "quorum"), 0),
        (("budgets", "limits", "send_reply", "rate"), "30"),
        (("budgets", "per_run", "tokens"), 1.5),
        (("breakers",), [{"when": "often", "do": "stop"}]),
        (("facts", "x"), "known"),
    ],
)
def test_what_the_reader_refuses_does_not_fit(path: tuple[str, ...], value: Json) -> None:
    changed = as_json((FOLDER / "support-refunds.yaml").read_text(encoding="utf-8"))
    inner = changed
    for key in path[:-1]:
        below = inner[key]
        assert isinstance(below, dict)
        inner = below
    inner[path[-1]] = value

    assert not VALIDATOR.is_valid(changed)


@pytest.mark.parametrize("key", ["interlock", "workflow", "tenant"])
def test_what_is_needed_is_needed(key: str) -> None:
    assert not VALIDATOR.is_valid({name: value for name, value in FULL.items() if name != key})
