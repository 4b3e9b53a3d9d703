"""The contract of the demo is one that Interlock honours, and says the same as the code around it."""

from pathlib import Path

import interlock_demo
from interlock.contract.ir import Contract
from interlock.contract.read import load
from interlock.core.charge import Unit
from interlock.core.effect import EffectClass, Mode
from interlock.core.ids import Environment, ToolName
from interlock.policy.rule import Above, Outside
from interlock_demo.kinds import ALONE_CENTS_MAX, REFUND_CENTS_MAX
from interlock_demo.tickets import DAY_CENTS_MAX
from tools.functions import manifest_of

CENT = 10_000
"""In micro-dollars."""


def contract() -> Contract:
    return load(Path(interlock_demo.__file__).with_name("contract.yaml"))


def test_the_contract_loads_with_nothing_assumed_and_everything_enforced() -> None:
    loaded = contract()
    assert loaded.modes == {Environment("demo"): Mode.ACT}
    assert (loaded.assumptions, loaded.unenforced) == ((), ())


def test_the_contract_and_the_tickets_agree_on_the_amounts() -> None:
    loaded = contract()
    conditions = [rule.when for rule in loaded.rules]
    moved = [budget.limit for budget in loaded.budgets if budget.unit is Unit.USD_OF_ARGS]
    assert Outside(path="args.amount_usd", low=0, high=REFUND_CENTS_MAX * CENT) in conditions
    assert Above(path="args.amount_usd", micros=ALONE_CENTS_MAX * CENT) in conditions
    assert moved == [DAY_CENTS_MAX * CENT]


def test_every_tool_is_there_and_takes_what_the_contract_says() -> None:
    for tool in contract().tools.values():
        schema = manifest_of(tool.source).schema
        assert set(tool.arguments) <= set(schema["properties"]), tool.name


def test_whatever_reads_only_is_said_to_and_the_rest_is_not() -> None:
    reads = {name for name, tool in contract().tools.items() if tool.effect is EffectClass.READ}
    writes = {"create_refund", "cancel_refund", "send_reply", "update_ticket", "close_account"}
    assert contract().tools.keys() - reads == {ToolName(name) for name in writes}
