import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from contract_files import EVERYTHING, HEAD, NAMES, WRITE, file
from interlock.contract.ir import Contract
from interlock.contract.read import loads
from interlock.contract.show import same, show

MICROS = st.integers(0, 10**14)


def round_trip(contract: Contract) -> Contract:
    shown = show(contract)
    again = loads(shown, "shown.yaml")
    assert show(again) == shown
    return again


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_is_the_same_contract(name: str) -> None:
    assert same(round_trip(file(name)), file(name))


def test_a_shorthand_is_shown_in_the_full_shape() -> None:
    assert show(file("guardrails-c.yaml")) == snapshot("""\
interlock: 1
workflow: support_refund_agent
tenant: default
agents:
  support_refund_agent: {}
environments:
  prod:
    mode: ask
tools:
  lookup_customer:
    effect: opaque
    tier: red
  list_invoices:
    effect: opaque
    tier: red
  create_refund:
    effect: opaque
    tier: red
    args:
      amount_usd:
        role: quantity
        unit: usd
permissions:
  allowed_tools:
  - lookup_customer
  - list_invoices
  - create_refund
  create_refund:
    max_amount_usd: 100
    require_human_approval_over_usd: 50
    deny_if_chargeback_last_180d: true
facts:
  chargeback_last_180d: unknown
budgets:
  per_run:
    usd: 0.02
    tool_calls: 6
breakers:
- when: action_error_rate > 0.5% over 5m
  do: suggest_only
""")


def test_the_classes_of_shorthand_b_are_shown() -> None:
    assert show(file("guardrails-b.yaml")) == snapshot("""\
interlock: 1
workflow: guardrails-b
tenant: default
environments:
  prod:
    mode: ask
tool_defaults:
  timeout: 6s
permissions:
  require_approval_for:
  - action: refund
    threshold_usd: 200
  - action: delete_record
    any: true
budgets:
  per_run:
    usd: 0.6
    tokens: 12000
    tool_calls: 8
    seconds: 25
""")


def test_every_key_comes_back() -> None:
    contract = loads(EVERYTHING, "c.yaml")

    assert same(round_trip(contract), contract)
    assert not same(contract, loads(EVERYTHING.replace("equal_calls: 5", "equal_calls: 6"), "c.yaml"))


@settings(max_examples=40, deadline=None)
@given(
    most=MICROS,
    price=MICROS,
    millis=st.integers(1, 120_000),
    within=st.integers(0, 10**9),
    text=st.text(
        st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=30
    ),
    rate=st.integers(1, 10**9 - 1),
)
def test_every_value_comes_back(most: int, price: int, millis: int, within: int, text: str, rate: int) -> None:
    if not text.strip():
        text = "x"
    quoted = "".join(f"\\U{ord(character):08x}" for character in text)
    written = (
        HEAD
        + f'owner: "{quoted}"\n'
        + f"tools: {{ pay: {WRITE.replace('price: 0', f'price: {price / 10**6:.6f}, timeout: {millis}ms')} }}\n"
        + f"facts: {{ f: {{ tool: 'python:a:b', args: {{ a: \"x{quoted}\" }}, within: {within}ms, price: 0 }} }}\n"
        + f"permissions: {{ pay: {{ max_amount_usd: {most // 10**6}.{most % 10**6:06d} }} }}\n"
        + f"budgets: {{ limits: {{ pay: {{ rate: {rate}/h }} }} }}\n"
    )
    contract = loads(written, "c.yaml")

    assert contract.owner == text
    assert same(round_trip(contract), contract)
