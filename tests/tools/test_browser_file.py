"""Files of page actions: what may be said of a page, what becomes its schema, and that all else is refused."""

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from interlock.app import every_tool
from interlock.core.effect import EffectClass
from interlock.core.errand import Terms
from interlock.core.errors import ContractInvalid
from interlock.tool.browser_plan import Addresses, BrowserPlan
from interlock.tool.plan import plan_of
from tools.pages import LOOK, REFUND, described


def test_the_arguments_are_the_parameters_and_the_fields(tmp_path: Path) -> None:
    manifest = described(tmp_path, REFUND)
    assert manifest.effect is EffectClass.OPAQUE
    assert manifest.schema == snapshot(
        {
            "type": "object",
            "properties": {
                "order": {"type": "integer"},
                "amount": {"type": "number", "multipleOf": 0.01, "minimum": 0.01, "maximum": 100},
                "reason": {"type": "string", "enum": ["Damaged", "Too late"]},
                "note": {"type": "string", "maxLength": 200, "minLength": 1},
                "tell": {"type": "boolean"},
                "day": {
                    "type": "string",
                    "format": "date",
                    "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
                },
            },
            "required": ["amount", "order", "reason"],
            "additionalProperties": False,
        }
    )
    assert manifest.result_schema == snapshot(
        {
            "type": "object",
            "properties": {"number": {"type": "integer"}, "amount": {"type": "number"}},
            "required": ["amount", "number"],
            "additionalProperties": False,
        }
    )


def test_what_presses_no_button_is_a_read(tmp_path: Path) -> None:
    manifest = described(tmp_path, LOOK, name="look")
    assert manifest.effect is EffectClass.READ
    assert manifest.notes == ("it only reads, so it is `read`",)


def test_publishing_without_the_extra_notes_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.tool.browser.find_spec", dict[str, None]().get)
    assert "pip install 'interlock[browser]'" in described(tmp_path, LOOK, name="look").notes[-1]


def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlock.tool.kinds.find_spec", dict[str, None]().get)
    with pytest.raises(ContractInvalid) as error:
        every_tool().find("browser:shop.yaml#look", Terms())
    assert "pip install 'interlock[browser]'" in error.value.fix


def test_another_file_is_another_tool(tmp_path: Path) -> None:
    pin = described(tmp_path, REFUND).pin
    assert described(tmp_path, REFUND).pin == pin
    assert described(tmp_path, REFUND.replace("submit: Refund", "submit: Pay")).pin != pin


WRONG = [
    ("kind: number, decimals: 2, min: 0.01, max: 100", "kind: file", "no files are uploaded from here"),
    ("label: Amount, kind: number", "role: radio, kind: radio", "unknown word `radio`"),
    ("label: Reason, kind: select", "role: listbox, name: R, kind: radio", "are found by the name of their group"),
    ("heading: Refunded", "heading: 'For {note}'", "`{note}` may be left out, and then this is never seen"),
    # what stands in the file, and in its place                     what is said
    ("submit: Refund", "click: '#pay'", "shop.yaml:14:3: unknown key `click`"),
    ("label: Amount,", "selector: '#a',", "shop.yaml:9:15: unknown key `selector`"),
    ("label: Amount,", "", "it does not say one way to find it"),
    ("label: Amount,", "role: textbox,", "it does not say one way to find it"),
    ("label: Amount, kind: number", "label: Amount, kind: money", "unknown word `money`"),
    ("kind: number, decimals: 2", "kind: text, decimals: 2", "`decimals` says nothing of a field of the kind `text`"),
    ("options: [Damaged, Too late]", "needed: true", "nobody says what may be chosen"),
    ('{ heading: "Refund order {order}" }', "{ }", "nothing is expected on the page"),
    ('"Refund order {order}"', '"Refund order {number}"', "`{number}` is no argument"),
    ("  then: { url: /orders/*, heading: Refunded }\n", "", "nobody says how it looks once it has happened"),
    ("  submit: Refund\n", "", "is for an action with a `submit`, and this only reads"),
    ("/orders/{order}/refund", "/orders/{id}/refund", "`{id}` is no parameter"),
    ("/orders/{order}/refund", "/orders/refund", "`order` is not in the address"),
    ("/orders/{order}/refund", "https://{order}.example/refund", "a parameter stands in the host"),
    ("allow: [/*]", "allow: ['https://*.example.com/*']", "leaves open which host or which path"),
    ("allow: [/*]", "allow: ['http://shop.example/*']", "would be reached without TLS"),
    ("allow: [/*]", "allow: [/admin/*]", "is not among the addresses that it allows"),
    ("allow: [/*]", "allow: [/*]\n  allow: [/*]", "`allow` is said twice"),
    ("test_id: number, kind", "test_id: number, label: N, kind", "it does not say one way to find it"),
    ("kind: integer }\n    amount", "kind: integer, pattern: '(' }\n    amount", "this is no pattern"),
    ("submit: Refund", "submit: Refund\n  log_in: { cookie: a }", "a secret and a way to log in go together"),
]


@pytest.mark.parametrize(("old", "new", "says"), WRONG)
def test_what_a_file_may_not_say_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in REFUND
    with pytest.raises(ContractInvalid) as error:
        described(tmp_path, REFUND.replace(old, new))
    assert says in str(error.value)
    assert error.value.fix


@pytest.mark.parametrize(
    ("tool", "says"),
    [
        (", effect: read", "it is to be a `read`, and `refund` presses a button"),
        (", effect: idempotent", "a button is pressed once, and is not `idempotent`"),
        (", retries: 2, effect: opaque", "is done once"),
        (", secret: s", "a secret and a way to log in go together"),
    ],
)
def test_a_contract_says_nothing_of_an_action_that_it_is_not(tmp_path: Path, tool: str, says: str) -> None:
    with pytest.raises(ContractInvalid) as error:
        described(tmp_path, REFUND, tool)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("log_in", "says"),
    [
        ("{ }", "it does not say one way to log in"),
        ("{ header: Authorization, cookie: a }", "it does not say one way to log in"),
        ("{ cookie: a, scheme: Bearer }", "`scheme` says nothing of `cookie`"),
        ("{ open: /login, password: Password }", "`submit` is missing"),
        ("{ header: Authorization }", "the header would go to every host that is allowed"),
    ],
)
def test_there_is_one_way_to_log_in(tmp_path: Path, log_in: str, says: str) -> None:
    text = REFUND.replace("submit: Refund", f"submit: Refund\n  log_in: {log_in}")
    text = text.replace("allow: [/*]", "allow: [/*, 'https://static.example/*']")
    with pytest.raises(ContractInvalid) as error:
        described(tmp_path, text, ", secret: s")
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("order", "ends"),
    [
        ("A-1", "https://shop.example/o/A-1?x=A-1"),
        ("a b", "https://shop.example/o/a%20b?x=a%20b"),
        ("a&y=1#z", "https://shop.example/o/a%26y%3D1%23z?x=a%26y%3D1%23z"),
        ("a/../b", None),
        ("..", None),
        ("a\\b", None),
        ("", None),
    ],
)
def test_an_argument_leads_nowhere_else(tmp_path: Path, order: str, ends: str | None) -> None:
    text = LOOK.replace("/orders/{order}", "/o/{order}?x={order}").replace("kind: integer", "pattern: '.*'")
    plan = plan_of(described(tmp_path, text, name="look").how, BrowserPlan)
    if ends is None:
        with pytest.raises(ContractInvalid):
            plan.address({"order": order})
    else:
        assert plan.address({"order": order}) == ends


@pytest.mark.parametrize(
    ("path", "only", "url", "may"),
    [
        ("/", False, "https://a.example/x?y=1#z", True),
        ("/", False, "https://a.example:8443/x", False),
        ("/", False, "https://a.example.evil.example/x", False),
        ("/", False, "https://a.example@evil.example/x", False),
        ("/", False, "wss://a.example/x", False),
        ("/", False, "http://a.example/x", False),
        ("/o/", False, "https://a.example/o/1?x=1", True),
        ("/o/", False, "https://a.example/p", False),
        ("/o/", False, "https://a.example/o/../p", False),
        ("/o/", False, "https://a.example/o/%2e%2e/p", False),
        ("/o", True, "https://a.example/o", True),
        ("/o", True, "https://a.example/o?x=1", False),
    ],
)
def test_an_address_is_allowed_in_its_one_form(path: str, only: bool, url: str, may: bool) -> None:
    assert Addresses(origin="https://a.example", path=path, only=only).has(url) is may
