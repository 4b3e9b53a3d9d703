import pytest

from contract_files import HEAD, READ, WRITE, file, full, problems_of, wrong
from interlock.contract.bundle import decode, encode
from interlock.contract.check import check
from interlock.contract.ir import Contract
from interlock.contract.lint import lint
from interlock.contract.read import loads


def tools(**named: str) -> str:
    return "tools: { " + ", ".join(f"{name}: {text}" for name, text in named.items()) + " }\n"


def loaded(text: str) -> Contract:
    return loads(text, "c.yaml")


def with_(tool: str, more: str) -> str:
    return f"{tool.removesuffix('}')}, {more} }}"


def test_what_is_well_has_no_problem() -> None:
    contract = file("support-refunds.yaml")

    assert check(contract) == ()
    assert check(decode(encode(contract)[1])) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("permissions: { allowed_tools: [py] }\n", ["no tool is named `py`"]),
        ("permissions: { approval_required_tools: [py] }\n", ["no tool is named `py`"]),
        ("budgets: { limits: { py: { calls_per_run: 5 } } }\n", ["no tool is named `py`"]),
        (
            "budgets: { limits: { look: { usd_of_args: 5, per: day } } }\n",
            ["no argument of `look` says how much money it moves"],
        ),
        ("budgets: { limits: { pay: { usd_of_args: 5 } } }\n", ["`usd_of_args` and `per` belong together"]),
        ("budgets: { limits: { pay: {} } }\n", ["the limit of `pay` limits nothing"]),
        ("facts: { f: { tool: loo } }\n", ["no tool is named `loo`"]),
        ("facts: { f: { tool: pay } }\n", ["the fact `f` names `pay`, whose effect is `opaque`; a hook only reads"]),
        ("facts: { f: { tool: look, price: 0 } }\n", ["the price belongs to the tool `look`"]),
        (
            "facts: { f: { tool: look, args: { a: $.result.id } } }\n",
            ["the fact `f` looks at `$.result.id`; it sees `$.args`"],
        ),
        (
            "permissions: { pay: { deny_if_f: true } }\n",
            ["the rule `pay.f` asks for the fact `f`, and no fact has that name"],
        ),
        (
            "permissions: { pay: { deny_if_f: true } }\nfacts: { f: { tool: look, args: { a: $.args.usdd } } }\n",
            ["the fact `f` looks at the argument `usdd`, which `pay` does not declare"],
        ),
        ("accept_unenforced: [trusty]\n", ["`trusty` is no section that may be unenforced"]),
    ],
)
def test_names_lead_somewhere(text: str, said: list[str]) -> None:
    assert wrong(tools(pay=WRITE, look=READ) + text) == said


def test_permissions_of_a_tool_that_is_not_there_are_refused() -> None:
    assert wrong(tools(look=READ) + "permissions: { pay: { deny_if_f: true } }\nfacts: { f: unknown }\n") == [
        "no tool is named `pay`"
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("undo: { tool: pay, args: {}, within: 1h }", "`pay` undoes itself"),
        ("undo: { tool: look, args: {}, within: 1h }", "`look` only reads, so it undoes nothing"),
        ("undo: { tool: bak, args: {}, within: 1h }", "no tool is named `bak`"),
        (
            "undo: { tool: back, args: { id: $.args.ud }, within: 1h }",
            "`undo` looks at the argument `ud`, which `pay` does not declare",
        ),
        ("undo: { tool: back, args: { id: $.reslt.id }, within: 1h }", "`undo` looks at `$.reslt.id`"),
        (
            "undo: { tool: turn, args: {}, within: 1h }",
            "`turn` undoes `pay` and has an undo of its own: undoing could go in circles",
        ),
        ("preview: back", "`preview` of `pay` names `back`, whose effect is `opaque`; a hook only reads"),
        ("before: nothing", "no tool is named `nothing`"),
        (
            "reconcile: { tool: look, args: { a: $.before.x } }",
            "`reconcile` of `pay` looks at `$.before.x`; it sees `$.action` and `$.args` and `$.key`",
        ),
        ("serialize: result.id", "`serialize` names an argument, found `result.id`"),
        ("serialize: args.ud", "`serialize` looks at the argument `ud`, which `pay` does not declare"),
        ("unique: { on: [args.ud], within: 1h }", "`unique` looks at the argument `ud`, which `pay` does not declare"),
        ("subject: args.ud", "`subject` looks at the argument `ud`, which `pay` does not declare"),
        ("check: ['results.ok']", "`check` looks at `results.ok`; it sees `args` and `result`"),
        ("check: ['result.ok == args.ud']", "`check` looks at the argument `ud`, which `pay` does not declare"),
        ("check: ['result.ok = 1']", "`= 1` is no part of an expression (column 11 of the expression)"),
        ("after: { tool: look, args: { a: args.usd } }", "`args.usd` would be sent as a text"),
        ("after: { tool: look, args: { a: $args.usd } }", "`$args.usd` would be sent as a text"),
        ("expect: [etag]", "`pay` expects fields of a preview and has none"),
    ],
)
def test_a_tool_does_not_contradict_itself(more: str, said: str) -> None:
    turn = with_(WRITE, "undo: { tool: back, args: {}, within: 1h }")
    text = tools(pay=with_(WRITE, more), look=READ, back=WRITE, turn=turn)

    assert wrong(text) == [said]


def test_an_undo_sends_whose_data_it_is_about() -> None:
    back = with_(WRITE, "subject: args.customer").replace("args: {", "args: { customer: { role: id },")
    lacks, sends = (
        f"undo: {{ tool: back, args: {{ {name}: $.args.usd }}, within: 1h }}" for name in ("id", "customer")
    )
    assert wrong(tools(pay=with_(WRITE, lacks), look=READ, back=back)) == [
        "`back` has its subject at `args.customer`, and `undo` does not send that"
    ]
    assert loaded(HEAD + tools(pay=with_(WRITE, sends), look=READ, back=back)).tools


@pytest.mark.parametrize("kind", ["only_as_undo", "only_for_facts"])
def test_tools_that_are_not_for_agents_are_not_allowed(kind: str) -> None:
    said = wrong(tools(look=with_(READ, f"{kind}: true")) + "permissions: { allowed_tools: [look] }\n")

    assert len(said) == 1
    assert said[0].startswith("`look` is for")


def test_a_tool_is_not_named_like_a_key_of_permissions() -> None:
    assert wrong(tools(allowed_tools=READ)) == ["`allowed_tools` is a key of `permissions`"]


def test_a_problem_names_the_place_of_what_is_wrong() -> None:
    text = HEAD + tools(pay=with_(WRITE, "undo: { tool: bak, args: {}, within: 1h }"))

    assert problems_of(text) == [
        f"c.yaml:8:{text.splitlines()[7].index('tool: bak') + 1}: no tool is named `bak`\nfix: use one of `pay`"
    ]


def lints(text: str) -> list[str]:
    return [warning.text for warning in lint(full(text + "budgets: { per_run: { usd: 1, tool_calls: 8 } }\n"))]


def test_a_careful_contract_has_no_warning() -> None:
    assert lints(tools(pay=WRITE, look=READ) + "permissions: { allowed_tools: [pay, look] }\n") == []


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        (WRITE.replace("yellow", "green"), "`pay` writes, cannot be undone and asks nobody"),
        (with_(WRITE, "retries: 1"), "`pay` says 1 retry, and a tool that is `opaque` is tried once"),
        (
            with_(WRITE, "idempotency_header: Key"),
            "`pay` names a header for its key, which the effect `opaque` does not send",
        ),
        (
            WRITE.replace("opaque", "queryable"),
            "`pay` is `queryable` and says no `reconcile`: a person has to find out what became of it",
        ),
        (with_(WRITE, "cache: { ttl: 5m }"), "`pay` writes, so its cache is never used"),
    ],
)
def test_what_an_owner_should_know_is_said(tool: str, said: str) -> None:
    assert said in lints(tools(pay=tool) + "permissions: { allowed_tools: [pay] }\n")


def test_words_that_are_no_expression_are_named() -> None:
    assert lints("escalate_when: ['a lawyer writes', 'args.usd > 5']\ndone: { all: ['no action uncertain'] }\n") == [
        "`a lawyer writes` in `escalate_when` is no expression: somebody has to judge it by its words",
        "`no action uncertain` in `done` is no expression: somebody has to judge it by its words",
    ]


def test_a_contract_without_limits_is_named() -> None:
    assert [warning.text for warning in lint(full(""))] == [
        "no budget limits what the workflow costs",
        "no budget limits the calls of a run",
    ]


def test_a_workflow_that_costs_nothing_needs_no_limit_on_what_it_costs() -> None:
    said = [each.text for each in lint(full(tools(look=READ)))]
    assert said == ["no budget limits the calls of a run"]


def test_a_limit_that_no_call_fits_into_is_named() -> None:
    look = with_(READ.replace("price: 0", "price: 0.5"), "timeout: 10s, retries: 3")
    text = tools(look=look, rest=READ) + "permissions: { allowed_tools: [look] }\n"

    def said(limits: str) -> list[str]:
        return [each.text for each in lint(full(f"{text}budgets: {{ per_run: {limits} }}\n")) if "aside" in each.text]

    assert said("{ usd: 2, seconds: 40, retries: 3 }") == []
    assert said("{ usd: 1.9, seconds: 39, retries: 2 }") == [
        "a call of `look` sets $2.00 aside, and the limit of a run is $1.90: it never starts",
        "a call of `look` sets 40 s aside, and the limit of a run is 39 s: it never starts",
        "a call of `look` sets 3 retries aside, and the limit of a run is 2 retries: it never starts",
    ]


def test_people_who_could_not_agree_are_named() -> None:
    def said(people: str) -> list[str]:
        text = HEAD.replace("people: { lead: [ada], boss: [kay] },", people)
        return [each.text for each in lint(loaded(text)) if "no budget" not in each.text]

    (boss, few) = said("people: { lead: [ada] },")
    assert boss.startswith("nobody holds the role `boss`, which approves `red`: name people under `approvals.people`")
    assert few == "`red` needs 2 people to agree, and 1 could"
    boss, lead = said("")
    assert boss.startswith("nobody holds the role `boss`, which approves `red`: ")
    assert lead.startswith("nobody holds the role `lead`, which approves `yellow` and `red`: ")


def test_signatures_that_nobody_could_give_are_named() -> None:
    assert [each.text for each in lint(full("")) if "step_up" in each.text] == []
    text = HEAD.replace("kay: [", "eve: [")
    (said,) = [each.text for each in lint(loaded(text)) if "step_up" in each.text]
    assert said.startswith("`red` wants signatures (`step_up`), and too few of those who could agree have a key")


def test_a_tool_that_only_undoes_is_not_blamed_for_having_no_undo() -> None:
    back = with_(WRITE.replace("yellow", "green").replace("opaque", "idempotent"), "only_as_undo: true")
    assert [each.text for each in lint(full(tools(back=back))) if "`back`" in each.text] == []


def test_mode_act_in_prod_is_held_back_by_what_protects_and_is_not_enforced() -> None:
    act = HEAD.replace("mode: ask", "mode: act")
    trust = "trust: { urls: { allow: [] } }\n"

    def held(more: str) -> list[str]:
        return [each.text.split("`")[1] for each in lint(loaded(act + trust + more)) if "mode `act`" in each.text]

    assert held("") == ["trust"]
    assert held("accept_unenforced: [trust]\n") == []


def test_a_key_that_nothing_honours_is_named_unless_it_is_switched_off() -> None:
    said = """\
unsafe_durability: true
budgets: { per_run: { tokens: 5, model_calls: 5, tool_calls: 5 } }
fallback: { on_loop: human_handoff, on_timeout: human_handoff }
"""
    more = "on_repeat: ask, idempotency_header: Key, secret: s"
    named = {each.section for each in loaded(HEAD + tools(pay=with_(WRITE, more)) + said).unenforced}

    assert named == {
        "budgets.per_run.model_calls",
        "budgets.per_run.tokens",
        "fallback.on_loop",
        "tools.on_repeat",
        "unsafe_durability",
    }
    assert loaded(HEAD + "unsafe_durability: false\n").unenforced == ()


@pytest.mark.parametrize("name", ["Pay_Out", "pay-out", "pay.out", "PAY_OUT", "pay_0ut"])
def test_names_that_are_hard_to_tell_apart_are_warned_of(name: str) -> None:
    said = [each.text for each in lint(full(tools(**{"pay_out": READ, name: READ, "pay_in": READ})))]
    assert [each for each in said if "hard to tell" in each] == [
        f"`{name}` is hard to tell from `pay_out`: who reads, or a client that rewrites names, may mix them up"
    ]
