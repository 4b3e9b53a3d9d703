"""The five contracts that must load as they stand, and small ones to take apart."""

from pathlib import Path

import pytest

from interlock.contract.ir import Contract
from interlock.contract.problem import ContractProblems
from interlock.contract.read import load, loads

FOLDER = Path(__file__).parent / "contract" / "files"
NAMES = ("guardrails-a.yaml", "guardrails-b.yaml", "guardrails-c.yaml", "guardrails-d.env", "support-refunds.yaml")

KEYS = f"""{{ ada: ["key:SHA256:{"a" * 43}"], kay: ["key:SHA256:{"k" * 43}"] }}"""
HEAD = """\
interlock: 1
workflow: refunds
tenant: acme
environments: { prod: { mode: ask } }
approvals: { people: { lead: [ada], boss: [kay] }, keys: KEYS,
  yellow: { approvers: [lead], quorum: 1, expires: 1h },
  red: { approvers: [lead, boss], quorum: 2, expires: 2h, step_up: true } }
""".replace("KEYS", KEYS)

READ = "{ from: 'python:shop:look', effect: read, tier: green, price: 0 }"
WRITE = "{ from: 'mcp:shop/pay', effect: opaque, tier: yellow, price: 0, args: { usd: { role: quantity, unit: usd } } }"


EVERYTHING = (
    HEAD
    + f"""\
agents: {{ bot: {{}} }}
unsafe_durability: true
accept_unenforced: [trust, budgets.soft]
loop: {{ equal_calls: 5 }}
tool_defaults: {{ timeout: 9s }}
tools:
  look: {READ}
  hidden: {{ from: 'python:shop:hidden', effect: read, tier: green }}
  owed: {{ from: 'openapi:x.yaml#owed', effect: read, tier: green, price: 0, secrets: {{ a-key: one, b.key: two }} }}
  back: {WRITE}
  pay:
    from: 'python:shop:pay'
    description: "pays: 'now' # and \\u00e9\\nsecond line"
    effect: idempotent
    tier: green
    class: refund
    price: {{ usd_per_call: 0.000001 }}
    timeout: 1500ms
    retries: 2
    resend_within: 0s
    slots: 3
    isolate: true
    outside: true
    args:
      usd: {{ role: quantity, unit: usd }}
      to: {{ role: target, domains: [a.example] }}
      kind: {{ role: const }}
    result: {{ trust: trusted, labels: [{{ path: '$.a[*].b', trust: untrusted, shape: 'no', pii: email }}] }}
    subject: args.to
    preview: {{ tool: look, args: {{ a: $.args.usd, b: 'no', c: '5' }} }}
    reconcile: 'openapi:x.yaml#find'
    before: {{ tool: 'python:shop:state', price: 0.5 }}
    after: {{ tool: 'python:shop:state', price: 0.5 }}
    expect: [etag]
    undo: {{ tool: back, args: {{ id: $.result.id }}, within: 90m }}
    on_repeat: ask
    schema: {{ type: object, properties: {{ usd: {{ type: number, minimum: 0.01, default: null }} }} }}
    result_schema: {{ type: array }}
permissions:
  allowed_tools: [pay]
  approval_required_tools: [look, pay: {{ kinds: ['on', '1'], to: [x] }}]
  require_approval_for: [{{ action: refund, threshold_usd: 2.5 }}]
  look: {{ deny_unless_open: true, require_human_approval_if_fraud: true }}
  pay: {{ require_human_approval_unless_open: true, deny_if_fraud: true, max_amount_usd: 0.000001 }}
facts:
  fraud: {{ tool: 'openapi:x.yaml#fraud', args: {{ a: $.args.usd }}, price: 1 }}
  open: unknown
budgets:
  per_hour: {{ seconds: 0.5, retries: 0 }}
  per_run: {{ tokens: 5 }}
  limits:
    pay: {{ rate: 5/d, calls_per_run: 0, usd_of_args: 0.01, per: month }}
    look: {{ rate: 1/h }}
  soft: {{ usd: 0.00001, then: warn }}
fallback: {{ on_loop: stop }}
trust: {{ untrusted_context: {{ writes: observe, unless_corroborated: no }} }}
"""
)
"""A contract in which every key of the typed part is said."""


def file(name: str) -> Contract:
    """Load one of the five as it stands."""
    return load(FOLDER / name)


def full(text: str) -> Contract:
    """Load a contract of the full shape that begins with `HEAD`."""
    return loads(HEAD + text, "c.yaml")


def problems_of(text: str, name: str = "c.yaml") -> list[str]:
    """Load what cannot be honoured, and return what is said of it."""
    with pytest.raises(ContractProblems) as refused:
        loads(text, name)
    return [str(problem) for problem in refused.value.problems]


def wrong(text: str) -> list[str]:
    """Load a full contract that cannot be honoured, and return what is said of it, without the place."""
    with pytest.raises(ContractProblems) as refused:
        full(text)
    return [problem.what for problem in refused.value.problems]
