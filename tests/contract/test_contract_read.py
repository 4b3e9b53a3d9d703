from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from contract_files import FOLDER, HEAD, NAMES, READ, WRITE, full, problems_of, wrong
from interlock.contract.build import build
from interlock.contract.check import check
from interlock.contract.ir import Contract
from interlock.contract.lint import lint
from interlock.contract.node import Map, Node, Scalar, Seq
from interlock.contract.problem import ContractProblems, Findings
from interlock.contract.read import load, loads
from interlock.contract.shorthand import to_full, variables_to_full
from interlock.contract.show import show
from interlock.contract.yaml_text import parse_yaml
from interlock.core.errors import ContractInvalid
from interlock.core.ids import ToolName
from interlock.core.limits import CONTRACT_BYTES_MAX
from interlock.policy.rule import Place

TEXTS = {name: (FOLDER / name).read_text(encoding="utf-8") for name in NAMES}


def test_everything_that_is_wrong_is_said_at_once_with_place_and_fix() -> None:
    said = problems_of(
        """\
interlock: 1
workflow: refunds
tenat: acme
tools:
  pay:
    effect: readonly
    timout: 6s
    timeout: 6
    undo: { tool: pey, args: {}, within: 1d }
permissions:
  allowed_tools: [pay, pya]
  pay: { max_amount_usd: -1, deny_if_fraud: true }
budgets:
  per_run: { usd: 0.0000001, tool_calls: 8.5 }
facts: { fraudd: unknown }
"""
    )
    assert "\n".join(said).splitlines() == snapshot(
        [
            "c.yaml:1:1: `tenant` is missing",
            "fix: add `tenant: ...`",
            "c.yaml:3:1: unknown key `tenat`",
            "fix: did you mean `tenant`?",
            "c.yaml:6:13: unknown word `readonly`",
            "fix: did you mean `read`?",
            "c.yaml:7:5: unknown key `timout`",
            "fix: did you mean `timeout`?",
            "c.yaml:8:14: expected a duration such as `6s`, found `6`",
            "fix: write a whole number and a unit: `200ms`, `6s`, `10m`, `48h`, `14d`, `7y`",
            "c.yaml:9:13: no tool is named `pey`",
            "fix: did you mean `pay`?",
            "c.yaml:11:24: no tool is named `pya`",
            "fix: did you mean `pay`?",
            "c.yaml:12:26: expected an amount of US dollars, 0 or more, with at most 6 decimals, found `-1`",
            "fix: write a plain number such as `49.99`",
            "c.yaml:12:30: the rule `pay.fraud` asks for the fact `fraud`, and no fact has that name",
            "fix: did you mean `fraudd`?",
            "c.yaml:14:19: expected an amount of US dollars, 0 or more, with at most 6 decimals, found `0.0000001`",
            "fix: write a plain number such as `49.99`",
            "c.yaml:14:42: expected a whole number, 0 or more, found `8.5`",
            "fix: write a plain number such as `8`",
        ]
    )


def test_the_error_shows_every_problem_and_keeps_them() -> None:
    with pytest.raises(ContractInvalid, match=r"unknown key `tols`\nfix: did you mean `tools`\?\n.*`ownr`") as refused:
        full("tols: {}\nownr: a\n")

    assert isinstance(refused.value, ContractProblems)
    assert len(refused.value.problems) == 2
    assert "contract check" in refused.value.fix


def test_where_one_thing_is_wrong_there_is_one_fix() -> None:
    with pytest.raises(ContractInvalid) as refused:
        full("tols: {}\n")

    assert (str(refused.value), refused.value.fix) == ("c.yaml:8:1: unknown key `tols`", "did you mean `tools`?")


def test_a_key_of_ours_that_is_mistyped_among_names_is_not_taken_for_a_name() -> None:
    said = problems_of(HEAD + "permissions: { alowed_tools: [], pay: [] }\n")
    assert said[:2] == [
        "c.yaml:8:16: unknown key `alowed_tools`\nfix: did you mean `allowed_tools`?",
        "c.yaml:8:39: expected a table, found a list\nfix: write `key: value` lines below it, or `{}`",
    ]


def test_a_key_that_is_said_twice_is_refused() -> None:
    assert problems_of(HEAD + "owner: a\nowner: b\n") == [
        "c.yaml:9:1: `owner` is said twice, first in line 8\nfix: keep one of them"
    ]


def test_a_key_that_yaml_takes_for_a_flag_is_the_word() -> None:
    contract = full(
        f"tools: {{ pay: {WRITE[:-2]}, unique: {{ on: [args.usd], within: 1h }} }} }}\n",
    )

    assert contract.tools[ToolName("pay")].unique is not None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the file is empty"),
        ("# only words\n", "the file is empty"),
        ("[]", "a contract is a table, found a list"),
        ("5", "a contract is a table, found `5`"),
        ("~", "a contract is a table, found nothing"),
        ("a: !!str b", "this is not YAML: tags are not allowed"),
        ("a: !!python/object:os.system b", "this is not YAML: tags are not allowed"),
        ("a: ! b", "this is not YAML: tags are not allowed"),
        ("1: b", "a key is not a word"),
        ("~: b", "a key is not a word"),
        ("[a]: b", "a key is not a word"),
        ("2026-01-01: b", "a key is not a word"),
        ("a: &x {b: 1}\nc: {<<: *x}", "a key is not a word"),
        ("a: 1\n--- \nb: 1", "this is not YAML: but found another document"),
        ("a: *b", "this is not YAML: found undefined alias 'b'"),
        ("a: [", "this is not YAML: expected the node content, but found '<stream end>'"),
        ('a: "\\ud800"', "the text has control characters"),
        ('a: "\\0"', "the text has control characters"),
        ('a: "\\UFFFFFFFF"', "this is not YAML: "),
        ("a: \x00", "this is not YAML: "),
        ("\ud800", "this is not YAML: "),
        ("%YAML 9.9\n---\na: 1", "this is not YAML: found incompatible YAML document"),
        ("a: " + "[" * 5_000, "this is not YAML: it is nested more than 32 levels deep"),
        ("a: " + "{b: " * 5_000, "this is not YAML: it is nested more than 32 levels deep"),
        ("- " * 5_000, "this is not YAML: it is nested more than 32 levels deep"),
        ("a: &a [*a]", "the file has more than 20,000 values, or is nested too deeply"),
    ],
)
def test_yaml_that_is_more_or_less_than_a_table_is_refused(text: str, what: str) -> None:
    assert any(what in said for said in problems_of(text))


def test_aliases_do_not_become_a_billion() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for one, other in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{other}: &{other} [{', '.join(['*' + one] * 9)}]\n"

    assert sum("20,000 values" in said for said in problems_of(bomb)) == 1


def test_an_alias_stands_for_what_it_names() -> None:
    contract = full(f"tools: {{ one: &read {READ}, two: *read }}\n")

    assert contract.tools[ToolName("one")].price == contract.tools[ToolName("two")].price == 0


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("tools: {}\nworkflow: a\n", "`interlock` is missing: this looks like the full shape"),
        ("max_tool_calls: 8\n", "this is neither the full shape nor one of the short ones"),
        ("allowed_tools: [a]\ntimeouts: {}\n", "`allowed_tools` and `timeouts` belong to different short shapes"),
        ("alowed_tools: [a]\nmax_tool_calls: 8\n", "unknown key `alowed_tools`"),
        ("agent: { name: a }\nallowed_tools: [a]\n", "unknown key `allowed_tools`"),
        ("agent: { nam: a }\n", "unknown key `nam`"),
        ("interlock: 2\nworkflow: a\ntenant: b\n", "expected `1`, the version of this format, found `2`"),
        ("interlock: 1\n", "`tenant` is missing"),
        ("MAX_TOOL_CALLS=8\nMAX_CALLS=9\n", "unknown key `MAX_CALLS`"),
        ("MAX_TOOL_CALLS=8\nMAX_TOOL_CALLS=8\n", "`MAX_TOOL_CALLS` is set twice"),
        ("MAX_TOOL_CALLS=$(rm -rf /)\n", "the line does not set a variable"),
        ('ALLOWED_TOOLS=("$HOME")\n', "the line does not set a variable"),
        ("ALLOWED_TOOLS=(a,b)\n", "the line does not set a variable"),
        ("MAX_TOOL_CALLS=eight\n", "expected a whole number, 0 or more, found `eight`"),
        ("ALLOWED_TOOLS=a\n", "expected a list, found `a`"),
    ],
)
def test_what_is_mixed_or_unclear_is_refused(text: str, what: str) -> None:
    assert any(what in said for said in problems_of(text))


def test_shell_variables_may_be_exported_quoted_and_explained() -> None:
    contract = loads("  export MAX_TOKENS=5 # enough\nALLOWED_TOOLS=( 'a' \"b\" c )\n", "x")

    assert [rule.tool for rule in contract.rules] == ["a", "b", "c"]
    assert [budget.limit for budget in contract.budgets] == [5]
    assert contract.rules[1].place == Place(file="x", line=2, column=21)


def test_a_class_of_tools_asks_once_tools_of_it_are_there() -> None:
    contract = full(
        f"tools: {{ pay: {WRITE[:-1]}, class: refund }}, look: {READ} }}\n"
        "permissions: { allowed_tools: [pay], require_approval_for: [{ action: refund, threshold_usd: 200 }] }\n"
    )

    assert [str(rule.id) for rule in contract.rules] == ["allow.pay", "pay.approval_for_refund"]


def test_a_class_that_no_tool_has_is_an_error_once_tools_are_there() -> None:
    said = wrong(
        f"tools: {{ look: {READ} }}\npermissions: {{ require_approval_for: [{{ action: refund, any: true }}] }}\n"
    )

    assert said == ["no tool is of the class `refund`"]


def test_a_transactional_tool_is_queryable_and_says_so() -> None:
    contract = full(f"tools: {{ pay: {WRITE.replace('opaque', 'transactional')} }}\n")

    assert contract.tools[ToolName("pay")].effect.value == "queryable"
    assert any("transactional" in each.text for each in contract.assumptions)


def test_a_tool_of_this_process_costs_nothing_unless_it_reaches_out() -> None:
    inside = full("tools: { a: { from: 'python:m:f', effect: read, tier: green } }\n")
    outside = full("tools: { a: { from: 'python:m:f', effect: read, tier: green, outside: true } }\n")

    assert (inside.tools[ToolName("a")].price, outside.tools[ToolName("a")].price) == (0, None)
    assert any("costs $0.00" in each.text for each in inside.assumptions)


def test_longer_work_than_a_call_is_refused() -> None:
    assert wrong(f"tools: {{ look: {READ[:-1]}, timeout: 3m }} }}\n") == [
        "a call takes more than 0 and at most 120 seconds"
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("from: 'openapi:a.json#b', secret: a, secrets: { KEY: a }", "both `secret` and `secrets` are said"),
        ("from: 'python:m:f', secrets: { KEY: a }", "only an `openapi:` source takes several secrets at once"),
    ],
)
def test_only_an_operation_takes_several_secrets(more: str, said: str) -> None:
    assert wrong(f"tools: {{ look: {{ {more}, effect: read, tier: green, price: 0 }} }}\n") == [said]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("{ type: object, properties: { a: { type: string } } }", []),
        ("{ type: object, properties: { a: { type: strin } } }", ["this is not a JSON Schema (2020-12)"]),
        ("{ type: object, $ref: 'http://a.example/b' }", ["the JSON Schema refers to another document"]),
        ("{ type: object, $id: 'http://a.example/b' }", ["the JSON Schema refers to another document"]),
        ("{ type: array }", ["arguments are an object, and the schema says otherwise"]),
        ("true", ["expected a JSON Schema, found `true`"]),
        ("{ type: object, minProperties: 0x1 }", ["`0x1` is not a plain number"]),
    ],
)
def test_a_schema_of_arguments_is_a_schema(schema: str, said: list[str]) -> None:
    text = f"tools: {{ look: {READ[:-1]}, schema: {schema} }} }}\n"
    if said:
        assert wrong(text) == said
    else:
        assert full(text).tools[ToolName("look")].schema is not None


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("owner: Zoë".encode("latin-1"))
    (tmp_path / "long.yaml").write_bytes(b"#" * (CONTRACT_BYTES_MAX + 1))

    for name, what in (("none", "cannot be read"), ("", "cannot be read"), ("latin", "UTF-8"), ("long", "262,144")):
        with pytest.raises(ContractProblems, match=what):
            load(tmp_path / f"{name}.yaml" if name else tmp_path)
    with pytest.raises(ContractProblems, match="262,144"):
        loads("#" * (CONTRACT_BYTES_MAX + 1), "c.yaml")


def test_a_byte_order_mark_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"\xef\xbb\xbf" + (HEAD + "owner: a\n").encode())

    assert load(tmp_path / "c.yaml").owner == "a"


def loads_or_is_refused(text: str, name: str) -> Contract | None:
    try:
        contract = loads(text, name)
    except ContractProblems as refused:
        assert refused.problems
        assert all(problem.what and problem.fix and problem.place.file == name for problem in refused.problems)
        return None
    lint(contract)
    show(contract)
    return contract


@given(st.text(max_size=60) | st.text(alphabet="ab:-[]{}&*!|>'\"%@# \n\t=,0", max_size=60))
@example("? a\n: b")
@example("- |\n a\n...\n")
def test_any_text_loads_or_is_refused(text: str) -> None:
    loads_or_is_refused(text, "c.yaml")
    loads_or_is_refused(text, "c.env")


@given(st.binary(max_size=60))
def test_any_bytes_load_or_are_refused(tmp_path_factory: pytest.TempPathFactory, written: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "c.yaml"
    path.write_bytes(written)
    with pytest.raises(ContractProblems):
        load(path)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_a_real_file_with_a_piece_changed_loads_or_is_refused(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    at = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 30))
    piece = data.draw(
        st.sampled_from(["", ":", "-", "[", "}", "'", "\n", "  ", "~", "0", "1e9", "x: y", "&a", "*a", "!t"])
    )

    loads_or_is_refused(text[:at] + piece + text[at + length :], name)


NOWHERE = Place(file="c.yaml", line=1, column=1)
INSTEAD: tuple[Node | None, ...] = (
    None,
    Scalar(text="~", kind="nothing", place=NOWHERE),
    Scalar(text="x", kind="text", place=NOWHERE),
    Scalar(text="-7", kind="number", place=NOWHERE),
    Scalar(text="yes", kind="flag", place=NOWHERE),
    Seq(items=(), place=NOWHERE),
    Seq(items=(Seq(items=(), place=NOWHERE), Scalar(text="create_refund", kind="text", place=NOWHERE)), place=NOWHERE),
    Map(entries={}, place=NOWHERE),
    Map(
        entries={"tool": Scalar(text="create_refund", kind="text", place=NOWHERE)},
        place=NOWHERE,
        keys={"tool": NOWHERE},
    ),
)
"""What stands in place of a value; nothing takes the value away."""


def variants(node: Node) -> list[Node | None]:
    """Make every node that differs from this one in one position."""
    made: list[Node | None] = list(INSTEAD)
    if isinstance(node, Map):
        for key in node.entries:
            for inner in variants(node.entries[key]):
                changed: dict[str, Node | None] = {**node.entries, key: inner}
                there = {name: value for name, value in changed.items() if value is not None}
                made.append(Map(entries=there, place=node.place, keys={name: node.place_of(name) for name in there}))
    elif isinstance(node, Seq):
        for index, item in enumerate(node.items):
            for inner in variants(item):
                middle = () if inner is None else (inner,)
                items = (*node.items[:index], *middle, *node.items[index + 1 :])
                made.append(Seq(items=items, place=node.place))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".yaml")])
def test_a_wrong_type_at_any_position_loads_or_is_refused(name: str) -> None:
    node = parse_yaml(TEXTS[name], name, Findings())
    assert node is not None
    refused = 0
    for variant in variants(node):
        findings = Findings()
        root = to_full(variant, name, findings) if variant is not None else None
        if root is not None:
            findings.problems += check(build(root, findings))
        refused += bool(findings.problems)
    assert refused > 10


@given(st.dictionaries(st.sampled_from(["MAX_TOOL_CALLS", "ALLOWED_TOOLS", "X"]), st.sampled_from(INSTEAD), max_size=3))
def test_variables_of_a_wrong_type_are_refused(entries: dict[str, Node | None]) -> None:
    there = {key: node for key, node in entries.items() if node is not None}
    findings = Findings()
    root = variables_to_full(Map(entries=there, place=NOWHERE, keys=dict.fromkeys(there, NOWHERE)), "d.env", findings)
    if root is not None:
        build(root, findings)
