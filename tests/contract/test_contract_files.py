import pytest
from inline_snapshot import snapshot

from contract_files import FOLDER, NAMES, file
from interlock.contract.ir import Argument, Budget, Consent, Hook, Undo, Unique
from interlock.contract.unenforced import holding_back
from interlock.core.charge import Unit
from interlock.core.effect import EffectClass, Mode, Tier
from interlock.core.ids import Micros, Role, ToolName
from interlock.policy.rule import Place, Rule


def rules_of(name: str) -> list[str]:
    return [f"{rule.effect.value} {rule.id} {rule.when}".replace("path=", "") for rule in file(name).rules]


def assumed_of(name: str) -> list[str]:
    return [f"{each.place.line}: {each.text}" for each in file(name).assumptions]


def limits_of(name: str) -> list[str]:
    return [_limit(budget) for budget in file(name).budgets]


def days(count: int) -> Micros:
    return Micros(count * 86_400_000_000)


def minutes(count: int) -> Micros:
    return Micros(count * 60_000_000)


def _limit(budget: Budget) -> str:
    return f"{budget.tool or 'workflow'}: {budget.unit.show(budget.limit)} a {budget.period}"


def test_the_full_contract_becomes_these_rules() -> None:
    assert rules_of("support-refunds.yaml") == snapshot(
        [
            "permit allow.lookup_customer Always()",
            "permit allow.read_ticket Always()",
            "permit allow.list_invoices Always()",
            "permit allow.create_refund Always()",
            "permit allow.send_reply Always()",
            "permit allow.close_account Always()",
            "permit allow.cancel_refund.as_undo AsUndo()",
            "deny create_refund.max_amount Outside('args.amount_usd', low=0, high=100000000)",
            "ask create_refund.approval_over Above('args.amount_usd', micros=50000000)",
            "deny create_refund.chargeback_last_180d FactIsNot(name='chargeback_last_180d', value=False)",
            "ask first_weeks.create_refund Before(instant=1797724800000000)",
        ]
    )


def test_the_full_contract_becomes_these_limits() -> None:
    assert limits_of("support-refunds.yaml") == snapshot(
        [
            "workflow: $0.60 a run",
            "workflow: 12,000 tokens a run",
            "workflow: 8 tool calls a run",
            "workflow: 8 model calls a run",
            "workflow: 25 s a run",
            "workflow: 3 retries a run",
            "workflow: $200.00 a day",
            "workflow: $4,000.00 a month",
            "create_refund: $2,000.00 a day",
            "create_refund: 1 call a run",
            "send_reply: 30 calls a hour",
        ]
    )


def test_the_full_contract_leaves_one_thing_to_assume() -> None:
    assert assumed_of("support-refunds.yaml") == snapshot(
        ["78: `openapi:billing.yaml#previewRefund` says no price: unknown, so its calls are refused (`0` is a price)"]
    )


def test_the_full_contract_says_what_this_version_does_not_enforce() -> None:
    listed = [f"{each.place.line}: {each.section} -> {each.honoured_by}" for each in file(NAMES[-1]).unenforced]

    assert listed == snapshot(
        [
            "8: on_call -> incidents",
            "9: class -> runs",
            "12: environments.autonomy -> releases",
            "14: input -> runs",
            "17: outcome -> metrics",
            "18: slo -> metrics",
            "23: prompts -> model routing",
            "26: knowledge -> knowledge",
            "30: providers -> model routing",
            "35: models -> model routing",
            "90: tools.args.domains -> trust",
            "91: tools.args.templates -> trust",
            "118: escalate_when -> runs",
            "121: budgets.per_run.tokens -> model routing",
            "121: budgets.per_run.model_calls -> model routing",
            "123: budgets.per_month.alert_at -> metrics",
            "127: budgets.soft -> runs",
            "128: budgets.people -> metrics",
            "130: trust -> trust",
            "134: redaction -> redaction",
            "136: breakers -> breakers",
            "145: fallback.handoff.keep -> runs",
            "147: done -> runs",
            "150: evals -> evaluations",
            "153: rollout -> releases",
            "154: retention.trace -> traces",
        ]
    )


def test_what_protects_and_is_not_enforced_holds_mode_act_back() -> None:
    assert sorted({each.section for each in holding_back(file("support-refunds.yaml"))}) == snapshot(
        [
            "breakers",
            "done",
            "escalate_when",
            "providers",
            "redaction",
            "rollout",
            "tools.args.domains",
            "tools.args.templates",
            "trust",
        ]
    )


def test_a_tool_has_everything_that_the_full_contract_says_of_it() -> None:
    contract = file("support-refunds.yaml")
    refund = contract.tools[ToolName("create_refund")]

    assert (refund.effect, refund.tier, refund.price) == (EffectClass.IDEMPOTENT_KEY, Tier.YELLOW, 0)
    assert (refund.timeout, refund.retries, refund.backoff) == (6_000_000, 3, 200_000)
    assert (refund.secret, refund.idempotency_header) == ("billing-write", "Idempotency-Key")
    assert refund.unique == Unique(on=("args.invoice_id",), within=days(30))
    assert refund.serialize == "args.invoice_id"
    assert refund.arguments["amount_usd"] == Argument(role="quantity", unit="usd")
    assert refund.undo == Undo(tool=ToolName("cancel_refund"), args={"refund_id": "$.result.id"}, within=days(1))
    assert refund.check == ("result.amount == args.amount_usd", "result.status in ['pending','succeeded']")
    assert refund.place == Place(file=str(FOLDER / "support-refunds.yaml"), line=64, column=3)
    assert contract.tools[ToolName("lookup_customer")].price == 1_000
    assert contract.tools[ToolName("list_invoices")].cache_ttl == 600_000_000
    assert contract.facts == {
        "chargeback_last_180d": Hook(
            tool=ToolName("list_chargebacks"), args={"customer_id": "$.args.customer_id"}, within=minutes(5)
        )
    }


def test_a_preview_that_names_a_source_brings_a_tool_that_only_reads_and_only_for_hooks() -> None:
    contract = file("support-refunds.yaml")
    preview = contract.tools[ToolName("create_refund")].preview

    assert preview is not None
    brought = contract.tools[preview.tool]
    assert (brought.source, brought.effect) == ("openapi:billing.yaml#previewRefund", EffectClass.READ)
    assert brought.only_for_facts
    assert brought.price is None


def test_asking_rules_carry_the_consent_of_their_tools_tier() -> None:
    rules = {str(rule.id): rule for rule in file("support-refunds.yaml").rules}

    for name in ("create_refund.approval_over", "first_weeks.create_refund"):
        assert consent_of(rules[name]) == Consent(approvers=frozenset({Role("support-lead")}), expires=days(2))


def test_every_rule_knows_its_line() -> None:
    lines = {rule.id: (rule.place.line, rule.place.column) for rule in file("support-refunds.yaml").rules}

    assert lines == snapshot(
        {
            "allow.lookup_customer": (100, 19),
            "allow.read_ticket": (100, 36),
            "allow.list_invoices": (100, 49),
            "allow.create_refund": (100, 64),
            "allow.send_reply": (100, 79),
            "allow.close_account": (100, 91),
            "allow.cancel_refund.as_undo": (83, 3),
            "create_refund.max_amount": (102, 5),
            "create_refund.approval_over": (103, 5),
            "create_refund.chargeback_last_180d": (104, 5),
            "first_weeks.create_refund": (116, 42),
        }
    )


@pytest.mark.parametrize("name", NAMES[:-1])
def test_a_shorthand_never_says_more_than_opaque_red_and_unknown_of_a_tool(name: str) -> None:
    for tool in file(name).tools.values():
        assert (tool.effect, tool.tier, tool.price, tool.source) == (EffectClass.OPAQUE, Tier.RED, None, "")


@pytest.mark.parametrize("name", NAMES[:-1])
def test_a_shorthand_runs_in_mode_ask(name: str) -> None:
    assert {str(name): mode for name, mode in file(name).modes.items()} == {"prod": Mode.ASK}


def test_shorthand_a_becomes_this() -> None:
    assert rules_of("guardrails-a.yaml") == snapshot(
        [
            "permit allow.jira.create_ticket Always()",
            "permit allow.confluence.search Always()",
            "permit allow.slack.send_message Always()",
            "ask jira.close_ticket.approval Always()",
            "ask slack.send_message.approval_channels OneOf('args.channel', values=('#announcements', '#customers'))",
        ]
    )
    assert limits_of("guardrails-a.yaml") == snapshot(["workflow: 18,000 tokens a run", "workflow: 8 tool calls a run"])
    assert file("guardrails-a.yaml").kept == {"redaction": {"pii": True}}
    assert file("guardrails-a.yaml").fallback == {"on_timeout": "human_handoff", "on_policy_violation": "human_handoff"}


def test_shorthand_a_says_all_that_it_assumes() -> None:
    assert assumed_of("guardrails-a.yaml") == snapshot(
        [
            "2: no workflow is named: read as `guardrails-a`, after the file",
            "2: no tenant is named: read as `default`",
            "2: nobody is named who may agree: whatever asks is never done",
            "2: no environment is named: read as `prod` in mode `ask`",
            "5: `jira.create_ticket` says no source: it cannot be called until `from` says where it comes from",
            "5: `jira.create_ticket` says no effect: read as `opaque`, so nothing is ever sent twice",
            "5: `jira.create_ticket` says no tier: read as `red`, so an agent never starts it",
            "5: `jira.create_ticket` says no price: unknown, so its calls are refused (`0` is a price)",
            "6: `confluence.search` says no source: it cannot be called until `from` says where it comes from",
            "6: `confluence.search` says no effect: read as `opaque`, so nothing is ever sent twice",
            "6: `confluence.search` says no tier: read as `red`, so an agent never starts it",
            "6: `confluence.search` says no price: unknown, so its calls are refused (`0` is a price)",
            "7: `slack.send_message` says no source: it cannot be called until `from` says where it comes from",
            "7: `slack.send_message` says no effect: read as `opaque`, so nothing is ever sent twice",
            "7: `slack.send_message` says no tier: read as `red`, so an agent never starts it",
            "7: `slack.send_message` says no price: unknown, so its calls are refused (`0` is a price)",
            "9: `jira.close_ticket` says no source: it cannot be called until `from` says where it comes from",
            "9: `jira.close_ticket` says no effect: read as `opaque`, so nothing is ever sent twice",
            "9: `jira.close_ticket` says no tier: read as `red`, so an agent never starts it",
            "9: `jira.close_ticket` says no price: unknown, so its calls are refused (`0` is a price)",
            "9: `jira.close_ticket` has rules and is not in `allowed_tools`: it stays denied",
            "10: `channels` is read as the argument `channel` of `slack.send_message`; a call without it asks",
        ]
    )


def test_shorthand_b_allows_nothing_and_says_so() -> None:
    contract = file("guardrails-b.yaml")

    assert contract.rules == ()
    assert contract.tool_timeout == 6_000_000
    assert [(ask.kind, ask.over) for ask in contract.class_asks] == [("refund", 200_000_000), ("delete_record", None)]
    assert limits_of("guardrails-b.yaml") == snapshot(
        [
            "workflow: $0.60 a run",
            "workflow: 12,000 tokens a run",
            "workflow: 8 tool calls a run",
            "workflow: 25 s a run",
        ]
    )
    assert assumed_of("guardrails-b.yaml") == snapshot(
        [
            "2: no workflow is named: read as `guardrails-b`, after the file",
            "2: no tenant is named: read as `default`",
            "2: nobody is named who may agree: whatever asks is never done",
            "2: no environment is named: read as `prod` in mode `ask`",
            "9: no tool is allowed: everything is denied until `allowed_tools` names some",
            "11: no tool is named, so none is of the class `refund` that asks",
            "13: no tool is named, so none is of the class `delete_record` that asks",
        ]
    )


def test_shorthand_c_becomes_this() -> None:
    contract = file("guardrails-c.yaml")

    assert contract.workflow == "support_refund_agent"
    assert rules_of("guardrails-c.yaml") == snapshot(
        [
            "permit allow.lookup_customer Always()",
            "permit allow.list_invoices Always()",
            "permit allow.create_refund Always()",
            "deny create_refund.max_amount Outside('args.amount_usd', low=0, high=100000000)",
            "ask create_refund.approval_over Above('args.amount_usd', micros=50000000)",
            "deny create_refund.chargeback_last_180d FactIsNot(name='chargeback_last_180d', value=False)",
        ]
    )
    assert limits_of("guardrails-c.yaml") == snapshot(["workflow: $0.02 a run", "workflow: 6 tool calls a run"])
    assert contract.kept == snapshot({"breakers": [{"when": "action_error_rate > 0.5% over 5m", "do": "suggest_only"}]})


def test_shorthand_c_says_all_that_it_assumes() -> None:
    assert [each for each in assumed_of("guardrails-c.yaml") if "says no" not in each or "window" in each] == snapshot(
        [
            "2: no tenant is named: read as `default`",
            "2: nobody is named who may agree: whatever asks is never done",
            "4: no environment is named: the mode is that of `prod`",
            "4: `suggest_then_act` is read as mode `ask`: every write waits for a person",
            "6: a task is read as a run: the limit is one of each run",
            "13: the amount that `create_refund` moves is read from its argument `amount_usd`",
            "16: nobody can look up the fact `chargeback_last_180d`: it is unknown, and unknown is a no",
            "18: the breaker says no window: read as 5m",
        ]
    )


def test_shorthand_d_becomes_this() -> None:
    assert rules_of("guardrails-d.env") == snapshot(
        [
            "permit allow.lookup_customer Always()",
            "permit allow.get_order Always()",
            "permit allow.create_refund_request Always()",
            "permit allow.add_ticket_note Always()",
        ]
    )
    assert limits_of("guardrails-d.env") == snapshot(["workflow: 12,000 tokens a run", "workflow: 8 tool calls a run"])


def test_money_in_a_file_is_exact() -> None:
    limits = [budget.limit for budget in file("guardrails-c.yaml").budgets if budget.unit is Unit.USD]

    assert limits == [20_000]


def consent_of(rule: Rule) -> Consent:
    return Consent(
        approvers=rule.approvers,
        quorum=rule.quorum,
        each=rule.each,
        expires=rule.expires,
        step_up=rule.step_up,
        on_change=rule.on_change,
    )
