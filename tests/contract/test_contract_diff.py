"""What changed between two contracts: each change in words, with its places, and which way it goes."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlock.contract.diff import differences, opens
from interlock.contract.ir import Contract
from interlock.contract.read import load
from interlock.core.effect import Mode
from interlock.core.ids import Environment
from interlock.core.value import replace
from interlock.policy.rule import Always, FactIsNot

SHOP = (Path(__file__).parent.parent / "cli" / "shop.yaml").read_text(encoding="utf-8")
ORG = '@id("org.night") forbid(principal, action, resource) unless { context.hour > 6 };'
ASKS = '@id("org.asks") @effect("ask") @approvers("lead") forbid(principal, action in Action::"write", resource);'
TIERS = '@id("org.tier") forbid(principal, action, resource) when { context.tier == "red" };'
PERMITS = '@id("org.open") permit(principal, action, resource);'


def written(tmp_path: Path, name: str, text: str, cedar: str = "") -> Contract:
    (tmp_path / name).write_text(text, encoding="utf-8")
    contract = load(tmp_path / name)
    return replace(contract, cedar={"org/a.cedar": cedar}) if cedar else contract


def told(tmp_path: Path, *changes: tuple[str, str], cedar: tuple[str, str] = ("", "")) -> list[str]:
    """Return each change of the shop's contract as `way about: what`."""
    text = SHOP
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    lines = differences(written(tmp_path, "old.yaml", SHOP, cedar[0]), written(tmp_path, "new.yaml", text, cedar[1]))
    return [f"{line.weight.value} {line.about}: {line.what}" for line in lines]


CHANGES = """\
over_usd: 50 => over_usd: 80
    looser `refund`: require_human_approval_over_usd 50 -> 80
over_usd: 50 => over_usd: 20.5
    tighter `refund`: require_human_approval_over_usd 50 -> 20.5
max_amount_usd: 200 => max_amount_usd: 100
    tighter `refund`: max_amount_usd 200 -> 100
deny_if_fraud: true => require_human_approval_if_fraud: true
    looser `refund`: rule `refund.fraud` removed: it denies unless `fraud` is false
    tighter `refund`: rule `refund.approval_if_fraud` added: asks unless `fraud` is false, 1 of lead within 1h
allowed_tools: [look, => allowed_tools: [
    tighter `look`: rule `allow.look` removed: it allows always
mode: act => mode: ask
    tighter environment `prod`: mode act -> ask
mode: read_only => mode: suggest
    looser environment `dark`: mode read_only -> suggest
, dark: { mode: read_only } =>
    other environment `dark`: gone from the file; what is in force there stays
bot: {} => bot: {}, other: {}
    looser agent `other`: new
usd: 1.00 => usd: 2.50
    looser budget usd per day: limit 1 -> 2.5
tool_calls: 8 => tool_calls: 5
    tighter budget tool_calls per run: limit 8 -> 5
  per_run: { tool_calls: 8 } =>
    looser budget tool_calls per run: limit 8 -> none
within: 24h } => within: 2h }
    looser `refund`: undo by `take_back` within 1d -> by `take_back` within 2h
within: 24h } => within: 48h }
    other `refund`: undo by `take_back` within 1d -> by `take_back` within 2d
within: 30d => within: 60d
    tighter `refund`: unique on args.invoice within 30d -> on args.invoice within 60d
    check: ["result.id == 7"] =>
    looser `refund`: check ["result.id == 7"] -> none
price: 0.05 => price: 0.01
    other `refund`: price 0.05 -> 0.01
corner_shop:look => corner_shop:refund
    other `look`: source python:corner_shop:look -> python:corner_shop:refund
is_fraud, args => look, args
    other fact `fraud`: looked up with {"args":{"invoice":"$.args.invoice"},"tool":"is_fraud","within":0} -> \
{"args":{"invoice":"$.args.invoice"},"tool":"look","within":0}
lead: [kim, ann] => lead: [kim]
    tighter role `lead`: `ann` may not agree any more
yellow: { approvers: [lead], quorum: 1 => yellow: { approvers: [lead], quorum: 2
    tighter `refund`: require_human_approval_over_usd: 1 of lead within 1h -> 2 of lead within 1h
    tighter approvals.yellow: 1 of lead within 1h -> 2 of lead within 1h
tenant: default => {tenant: default, owner: ops}
    neither owner: none -> ops
tenant: default => {tenant: default, loop: { equal_calls: 2 }}
    tighter loop: equal calls 3 -> 2
"""


def _changes() -> Iterator[tuple[str, str, list[str]]]:
    for block in re.split(r"\n(?=.* =>)", CHANGES):
        change, *lines = block.strip("\n").split("\n")
        old, _, new = change.partition(" =>")
        new = "\n".join(new[2:-1].split(", ")) if new.startswith(" {t") else new[1:]
        yield old, new, [line.removeprefix("    ") for line in lines]


@pytest.mark.promise("explain")
@pytest.mark.parametrize(("old", "new", "lines"), list(_changes()))
def test_each_change_is_told_with_the_way_it_goes(tmp_path: Path, old: str, new: str, lines: list[str]) -> None:
    assert told(tmp_path, (old, new)) == lines


def test_what_only_looks_tighter_is_not_called_so(tmp_path: Path) -> None:
    always = "  refund:\n    max_amount_usd: 200\n    require_human_approval_over_usd: 50\n    deny_if_fraud: true\n"
    unasked = SHOP.replace(always, "")
    old, new = written(tmp_path, "old.yaml", unasked), written(tmp_path, "new.yaml", SHOP)
    # A yellow tool asks always, until it has a first rule that says when.
    assert [line.what for line in opens(differences(old, new))] == [
        "asked always -> asks only where its rules do: `refund.approval_over`"
    ]
    # A switch may hold one class of effects back.
    assert told(tmp_path, ("effect: idempotent\n", "effect: opaque\n"))[0].startswith("other `take_back`: effect class")
    # Whoever agrees to red may be someone else than who agrees to yellow.
    red = ("opaque\n    tier: yellow", "opaque\n    tier: red")
    boss = ("red: { approvers: [lead]", "red: { approvers: [boss]")
    assert "other `refund`: tier yellow -> red" in told(tmp_path, red, boss)
    assert "tighter `refund`: tier yellow -> red" in told(tmp_path, red)
    # A policy of the organisation may look at what changes.
    undo = "price: 0\n    only_as_undo"
    raised = (f"tier: green\n    {undo}", f"tier: yellow\n    {undo}")
    assert told(tmp_path, raised, cedar=(TIERS, TIERS)) == ["other `take_back`: tier green -> yellow"]
    # What is filled in where nothing is said is not what is refused or asked about then.
    usd = "usd: { type: number"
    assert told(tmp_path, (usd, f"{usd}, default: 5"))[0].startswith("other `refund`: schema")
    assert told(tmp_path, (usd, f"{usd}, maximum: 60"))[0].startswith("tighter `refund`: schema")
    # While a fact is unknown, a rule that looks at it refuses; one that always asks only asks.
    asks = [("deny_if_fraud", "require_human_approval_if_fraud")]
    fact = written(tmp_path, "old.yaml", SHOP.replace(*asks[0]))
    rules = [replace(rule, when=Always()) if isinstance(rule.when, FactIsNot) else rule for rule in fact.rules]
    assert opens(differences(fact, replace(fact, rules=tuple(rules))))
    # Where nobody may agree, the higher mode refuses what the lower one shows.
    nobody = written(tmp_path, "new.yaml", SHOP)
    nobody = replace(nobody, approvals=replace(nobody.approvals, yellow=None))
    lower = replace(nobody, modes={**nobody.modes, Environment("prod"): Mode.SUGGEST})
    assert [line.weight.value for line in differences(nobody, lower)] == ["other"]


def test_policies_of_the_organisation_are_compared_one_by_one(tmp_path: Path) -> None:
    assert [line.partition(":")[0] for line in told(tmp_path, cedar=("", ORG))] == ["tighter policy `org.night`"]
    assert [line.partition(":")[0] for line in told(tmp_path, cedar=(ORG, ""))] == ["looser policy `org.night`"]
    assert [line.partition(":")[0] for line in told(tmp_path, cedar=("", PERMITS))] == ["looser policy `org.open`"]
    assert told(tmp_path, cedar=(f"{ORG}\n{ASKS}", f"{ASKS}\n// moved\n{ORG}")) == []
    assert told(tmp_path, cedar=(ORG, ORG.replace("> 6", "> 5"))) == [
        "other policy `org.night`: forbid(principal, action, resource) unless { (context.hour) > 6 }; "
        "-> forbid(principal, action, resource) unless { (context.hour) > 5 };"
    ]


def test_every_place_is_told_of_both_files(tmp_path: Path) -> None:
    old = written(tmp_path, "old.yaml", SHOP)
    new = written(
        tmp_path,
        "new.yaml",
        SHOP.replace("tenant: default", "# one more\ntenant: default").replace("over_usd: 50", "over_usd: 60"),
    )
    (line,) = differences(old, new)
    assert (Path(line.old.file).name, line.old.line) == ("old.yaml", 52)
    assert (Path(line.new.file).name, line.new.line) == ("new.yaml", 53)


def test_a_field_that_nobody_knows_is_never_called_safe(tmp_path: Path) -> None:
    contract = written(tmp_path, "old.yaml", SHOP)
    for name, other in (("kept", {"x": 1}), ("fallback", {"policy": "x"}), ("tenant", "t"), ("workflow", "w")):
        assert opens(differences(contract, replace(contract, **{name: other}))), name
    tool = contract.tools[next(iter(contract.tools))]
    for name, other in (
        ("subject", "args.x"),
        ("secret", "s"),
        ("secrets", {"a": "s"}),
        ("on_repeat", "new"),
        ("idempotency_header", "H"),
    ):
        changed = replace(contract, tools={**contract.tools, tool.name: replace(tool, **{name: other})})
        assert opens(differences(contract, changed)), name
