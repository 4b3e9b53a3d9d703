"""`policy prove`: what holds of every call, for a person to review and for a machine to stop at."""

import sys
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from command_line import ROOT, Shell, variant
from interlock.prove import decided as encoding
from interlock.prove import solver
from interlock.prove.formula import NO, YES, Gone, Truth

pytestmark = pytest.mark.slow

OWN = """\
invariants:
  - { name: large ones never go on alone, tool: refund, never: allow, when: "args.usd > 50" }
  - { name: small ones do, tool: refund, mode: act, always: allow, when: "args.usd <= 50 and not facts.fraud" }
"""


def own(text: str = OWN) -> str:
    Path("own.yaml").write_text(text, encoding="utf-8")
    return "own.yaml"


@pytest.mark.promise("explain")
def test_what_is_refuted_comes_first_with_the_call_that_does_it(
    on_file: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    on_file.contract()
    said = on_file("policy", "prove", "shop.yaml", "--invariant", own(), code=3)
    assert said.partition("PROVED    no agent")[0] == snapshot("""\
shop.yaml: 1 refuted, 10 proved

REFUTED   small ones do
          refund in act: always allow when args.usd <= 50
          and not facts.fraud
          own.yaml:3:5
          the policy says `deny` by `refund.max_amount` to
          this call:
          - name: small ones do
            tool: refund
            args:
              invoice: x
              usd: -0.01
            facts:
              fraud: false
            mode: act
            expect: deny
PROVED    large ones never go on alone
          refund: never allow when args.usd > 50
          own.yaml:2:5
          holds of refund
""")
    case = said.partition("this call:\n")[2].partition("PROVED")[0]
    Path("cases.yaml").write_text(f"contract: shop.yaml\ncases:\n{case}", encoding="utf-8")
    assert on_file("policy", "test", "cases.yaml") == "1 case: all as expected\n"


def test_what_must_hold_of_every_contract_needs_no_writing(on_file: Shell) -> None:
    on_file.contract()
    said = on_file.data("policy", "prove", "shop.yaml")
    assert {each["verdict"] for each in said["results"]} == {"proved"}
    assert [each["name"] for each in said["results"]] == snapshot(
        [
            "no agent starts a red tool that writes",
            "in mode `ask` no write goes on without a person",
            "in mode `suggest` no write is done",
            "in mode `read_only` every write is refused",
            "what `allowed_tools` does not name is refused",
            "a fact that nobody knows is a no",
            "a tool that is not in the contract is refused",
            "every tool that is allowed can be used",
            "every rule can decide something",
        ]
    )
    assert said["solver"].startswith("z3 ")


@pytest.mark.parametrize(
    ("changes", "name", "why"),
    [
        (
            {"over_usd: 50": "over_usd: 200"},
            "the rule `refund.approval_over` can decide something",
            "others have always decided before it",
        ),
        (
            {"usd: { type: number }": "usd: { type: number, minimum: 0, maximum: 40 }"},
            "the rule `refund.approval_over` can decide something",
            "no call is ever as it says",
        ),
        (
            {"fraud: { tool: is_fraud, args: { invoice: $.args.invoice } }": "fraud: unknown"},
            "every tool that is allowed can be used",
            "every call of `refund` is refused, in every mode",
        ),
    ],
)
def test_a_rule_that_never_decides_is_found(on_file: Shell, changes: dict[str, str], name: str, why: str) -> None:
    on_file.contract()
    variant("new.yaml", **changes)
    said = on_file.data("policy", "prove", "new.yaml", code=3)
    found = {each["name"]: each["why"] for each in said["results"] if each["verdict"] == "refuted"}
    assert found[name] == why


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("tool: refnd, never: allow", "the contract has no tool `refnd` fix: did you mean `refund`?"),
        ('tool: refund, never: allow, when: "args.usdd > 1"', "the argument `usdd`, which `refund` has not"),
        ('tool: look, never: allow, when: "facts.fraud"', "the fact `fraud`, and no rule about `look` does"),
        ('tool: refund, never: allow, when: "facts.sun"', "the fact `sun`, which `refund` has not"),
        ('tool: refund, never: allow, when: "result.id == 1"', "write `args.NAME` or `facts.NAME`"),
        ('tool: refund, never: allow, when: "args.usd >"', "own.yaml:2:50"),
        ("tool: refund, never: allow, always: ask", "say what may never become of a call"),
        ("tool: refund", "say what may never become of a call"),
        ("tool: refund, never: nothing", "unknown word `nothing`"),
        ("tool: refund, mode: suggest_then_act, never: allow", "unknown word `suggest_then_act`"),
        ("tool: refund, never: []", "the list is empty"),
    ],
)
def test_an_invariant_that_cannot_be_meant_is_an_error(on_file: Shell, written: str, said: str) -> None:
    on_file.contract()
    told = on_file.failed(
        "policy", "prove", "shop.yaml", "--invariant", own(f"invariants:\n  - {{ name: x, {written} }}\n")
    )
    assert said in " ".join(told.split())


def test_an_invariant_about_no_call_says_nothing_and_is_no_success(on_file: Shell) -> None:
    on_file.contract()
    text = """\
invariants:
  - { name: a, tool: refund, never: allow, when: "args.usd > 10 and args.usd < 5" }
  - { name: b, tool: "*", never: allow, when: "args.shoe_size > 40" }
  - { name: c, tool: "*", never: allow, when: "args.usd > 50" }
"""
    said = on_file.data("policy", "prove", "shop.yaml", "--only-these", "--invariant", own(text), code=3)
    assert [(each["name"], each["verdict"], each["tools"]) for each in said["results"]] == [
        ("a", "vacuous", ["refund"]),
        ("b", "vacuous", []),
        ("c", "proved", ["refund"]),
    ]


def test_what_the_solver_cannot_end_is_no_proof(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    on_file.contract()

    def slow(*_: object, millis: int) -> Gone:
        return Gone(why=f"no end in {millis}")

    monkeypatch.setattr(solver, "solve", slow)
    said = on_file.data("policy", "prove", "shop.yaml", "--only-these", "--seconds", "2", "--invariant", own(), code=1)
    assert {each["verdict"] for each in said["results"]} == {"unknown"}
    assert said["results"][0]["why"] == "the solver came to no end (no end in 2000)"


def test_a_solver_that_the_policy_contradicts_is_not_believed(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the encoding wrong, the call that it finds would come out otherwise: that is told, and no success."""
    on_file.contract()

    def never_holds(*_: object) -> tuple[Truth, Truth]:
        return YES, NO

    monkeypatch.setattr(encoding, "condition", never_holds)
    said = on_file.data("policy", "prove", "shop.yaml", "--only-these", "--invariant", own(), code=1)
    assert said["results"][0]["verdict"] == "encoding_error"
    assert said["results"][0]["why"] == "solver and policy disagree: the policy says `ask`"


def test_without_the_solver_it_says_how_to_get_it(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    on_file.contract()
    monkeypatch.delitem(sys.modules, "interlock.prove.solver", raising=False)
    monkeypatch.setitem(sys.modules, "z3", None)
    monkeypatch.delattr("interlock.prove.solver")
    on_file.failed("policy", "prove", "shop.yaml")
    assert "pip install 'interlock[prove]'" in on_file.err


ORGANISATION = """\
@id("org.night") @effect("ask") @approvers("lead")
forbid(principal, action == Action::"refund", resource) when { context.hour < 6 };
"""


def test_what_the_organisation_says_is_left_open(on_file: Shell) -> None:
    on_file.contract()
    Path("org").mkdir()
    Path("org/night.cedar").write_text(ORGANISATION, encoding="utf-8")
    variant("new.yaml", **{"allowed_tools: [look": "policy_files: [org/*.cedar]\n  allowed_tools: [look"})
    text = """\
invariants:
  - { name: stays, tool: refund, never: allow, when: "args.usd > 50" }
  - { name: by day, tool: refund, never: allow, when: "args.usd > 20" }
"""
    said = on_file.data("policy", "prove", "new.yaml", "--only-these", "--invariant", own(text), code=3)
    by_day, stays = said["results"]
    assert (stays["verdict"], by_day["verdict"]) == ("proved", "refuted")
    assert stays["arbitrary"] == ["whether the organisation's `org.night` (org/night.cedar:1:1) matches"]
    # At midnight it asks: the call that is shown is one of the day, because the policy was asked.
    assert by_day["example"]["case"]["now"] // 3_600_000_000 % 24 >= 6


ALWAYS = '@id("org.all") forbid(principal, action, resource) unless { context.hour > 25 };'


def test_where_the_organisation_may_refuse_every_call_nothing_that_needs_one_is_proved(on_file: Shell) -> None:
    on_file.contract()
    Path("org").mkdir()
    variant("new.yaml", **{"allowed_tools: [look": "policy_files: [org/*.cedar]\n  allowed_tools: [look"})
    Path("org/all.cedar").write_text(ORGANISATION, encoding="utf-8")
    needs_a_call = {"every tool that is allowed can be used", "every rule can decide something"}
    found = {each["name"]: each["verdict"] for each in on_file.data("policy", "prove", "new.yaml")["results"]}
    assert {found[each] for each in needs_a_call} == {"proved"}
    Path("org/all.cedar").write_text(ALWAYS, encoding="utf-8")
    said = on_file.data("policy", "prove", "new.yaml", code=1)["results"]
    assert {each["name"] for each in said if each["verdict"] == "unknown"} == needs_a_call
    told = " ".join(on_file("policy", "prove", "new.yaml", code=1).split())
    assert "UNKNOWN every tool that is allowed can be used no call of" in told
    assert "taken to be anything: whether the organisation's `org.all` (org/all.cedar:1:1) matches" in told


@pytest.mark.parametrize("name", ["support-refunds.yaml"])
def test_the_full_shape_is_proved_as_far_as_it_is_known(on_file: Shell, name: str) -> None:
    """Its tools are of other systems: what they take is taken from the roles of their arguments, which is said."""
    text = (ROOT / "tests" / "contract" / "files" / name).read_text(encoding="utf-8")
    Path("org").mkdir()
    Path("org/night.cedar").write_text(
        ORGANISATION.replace("refund", "create_refund").replace("lead", "support-lead"), "utf-8"
    )
    Path(name).write_text(text, encoding="utf-8")
    own("""\
invariants:
  - { name: not above 100, tool: create_refund, always: deny, when: "args.amount_usd > 100" }
  - { name: not alone above 50, tool: create_refund, never: allow, when: "args.amount_usd > 50" }
  - { name: not after a chargeback, tool: create_refund, always: deny, when: "facts.chargeback_last_180d" }
""")
    said = on_file.data("policy", "prove", name, "--invariant", "own.yaml")
    assert {each["verdict"] for each in said["results"]} == {"proved"}
    assert len(said["assumed"]) == 3


def test_contracts_that_come_with_the_project_are_proved(on_file: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    said = on_file.data("policy", "prove", str(ROOT / "src" / "interlock_demo" / "contract.yaml"))
    assert {each["verdict"] for each in said["results"]} == {"proved"}
    monkeypatch.chdir(ROOT / "examples" / "access")
    monkeypatch.delitem(sys.modules, "directory", raising=False)
    said = on_file.data("policy", "prove", "contract.yaml")
    assert {each["verdict"] for each in said["results"]} == {"proved"}


def test_what_could_not_be_meant_ends_with_2(on_file: Shell) -> None:
    on_file.contract()
    on_file("policy", "prove", "shop.yaml", "--seconds", "0", code=2)
    assert "say 1 to 600 seconds" in on_file.err
    on_file("policy", "prove", "shop.yaml", "--only-these", code=2)
    assert "name a file: `--invariant FILE`" in on_file.err
