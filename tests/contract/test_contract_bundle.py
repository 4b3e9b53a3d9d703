import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract_files import EVERYTHING, FOLDER, NAMES, file
from interlock.contract.bundle import decode, encode
from interlock.contract.read import loads
from interlock.core.errors import ContractInvalid
from interlock.core.ids import Instant, RuleId
from interlock.core.value import replace
from interlock.policy.rule import Above, Always, Before, Condition, FactIsNot, OneOf, Outside, Place, Rule, RuleEffect


@pytest.mark.parametrize("name", NAMES)
def test_a_contract_comes_back_from_its_bytes(name: str) -> None:
    hash, written = encode(file(name))

    assert decode(written) == file(name)
    assert encode(decode(written)) == (hash, written)


def test_every_part_of_a_contract_comes_back() -> None:
    contract = loads(EVERYTHING, "c.yaml")

    assert decode(encode(contract)[1]) == contract


@pytest.mark.parametrize(
    "condition",
    [
        Always(),
        Above(path="args.usd", micros=5),
        Outside(path="args.usd", low=0, high=5),
        OneOf(path="args.kind", values=("a", "b")),
        FactIsNot(name="fraud", value=False),
        FactIsNot(name="count", value=0),
        FactIsNot(name="level", value="low"),
        Before(instant=Instant(5)),
    ],
)
def test_every_condition_comes_back_as_it_was(condition: Condition) -> None:
    rule = Rule(id=RuleId("r"), effect=RuleEffect.ASK, place=Place(file="c.yaml"), when=condition)
    back = decode(encode(replace(file("guardrails-b.yaml"), rules=(rule,)))[1]).rules[0].when

    assert back == condition
    if isinstance(condition, FactIsNot) and isinstance(back, FactIsNot):
        assert type(back.value) is type(condition.value)


def test_the_hash_does_not_depend_on_the_order_of_names_or_on_the_process() -> None:
    contract = file("support-refunds.yaml")
    turned = replace(contract, tools=dict(reversed(tuple(contract.tools.items()))))
    code = (
        "import sys; from pathlib import Path; from interlock.contract.read import load; "
        "from interlock.contract.bundle import encode; print(encode(load(Path(sys.argv[1])))[0])"
    )
    elsewhere = {
        subprocess.run(
            [sys.executable, "-c", code, str(FOLDER / "support-refunds.yaml")],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }

    assert {encode(contract)[0], encode(turned)[0]} == elsewhere


@given(st.binary(max_size=40) | st.sampled_from([b"{}", b"[]", b"null", b'{"workflow": 5}', b"[" * 100_000]))
def test_bytes_that_are_no_contract_are_refused(written: bytes) -> None:
    with pytest.raises(ContractInvalid):
        decode(written)
