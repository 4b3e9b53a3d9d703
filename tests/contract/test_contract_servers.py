"""The section `servers`: what can be meant, and what is refused before anybody is reached."""

import pytest

from contract_files import HEAD, READ
from interlock.contract.ir import Contract
from interlock.contract.problem import ContractProblems
from interlock.contract.read import loads
from interlock.contract.show import same, show
from interlock.core.ids import Environment


def written(servers: str) -> str:
    return HEAD + f"tools: {{ look: {READ} }}\nservers: {servers}\n"


def read(servers: str) -> Contract:
    return loads(written(servers), "c.yaml")


@pytest.mark.parametrize(
    "servers",
    [
        "{ crm: { command: [python, -m, crm] } }",
        "{ crm: { command: [./crm], env: { TOKEN: 'secret:crm-token', REGION: eu }, sandbox: true } }",
        "{ crm: { command: [a], sandbox: false, protocol: '2025-06-18' } }",
        "{ desk: { url: 'https://desk.example/mcp', headers: { X-Team: a }, secret: desk-token } }",
        "{ desk: { url: 'http://127.0.0.1:7000/mcp', private: true } }",
        "{ desk: { url: 'https://desk.example', in: { staging: { url: 'https://staging.example' } } } }",
        "{ desk: { url: 'http://a', private: true, headers: { A: b }, in: { prod: { url: 'https://b' } } } }",
        "{ crm: { command: [a], env: { A: b }, in: { prod: { url: 'https://b' }, dev: { env: {} } } } }",
    ],
)
def test_what_is_shown_is_the_same(servers: str) -> None:
    contract = read(servers)
    assert same(loads(show(contract), "shown.yaml"), contract)


def test_what_an_environment_says_is_laid_over_the_rest() -> None:
    base = "url: 'https://a', headers: { A: b }, secret: s"
    server = read(f"{{ desk: {{ {base}, in: {{ dev: {{ secret: t }}, prod: {{ command: [x] }} }} }} }}").servers["desk"]
    dev, prod = server.apart[Environment("dev")], server.apart[Environment("prod")]
    assert (dev.url, dict(dev.headers), dev.secret) == ("https://a", {"A": "b"}, "t")
    assert (prod.command, prod.url, dict(prod.headers), prod.secret) == (("x",), "", {}, "")


@pytest.mark.parametrize(
    ("servers", "says"),
    [
        ("{ a: {} }", "neither a command nor a `url`"),
        ("{ a: { command: [x], url: 'https://a' } }", "both a command and a `url`"),
        ("{ a: { command: [] } }", "the list is empty"),
        ("{ a: { command: [x], private: true } }", "`private` says nothing"),
        ("{ a: { url: 'https://a', sandbox: true } }", "`sandbox` says nothing"),
        ("{ a: { url: 'http://a' } }", "in the clear"),
        ("{ a: { url: 'https://kim:pw@a' } }", "expected an address"),
        ("{ a: { url: 'https://a/#b' } }", "expected an address"),
        ("{ a: { url: 'ftp://a' } }", "expected an address"),
        ("{ a: { url: 'https://a', headers: { Authorization: 'Bearer abc' } } }", "is a credential"),
        ("{ a: { url: 'https://a', headers: { Cookie: 'abc' } } }", "is a credential"),
        ("{ a: { url: 'https://a', headers: { Authorization: 'secret:x' }, secret: y } }", "two credentials"),
        ("{ a: { url: 'https://a', headers: { Mcp-Name: x } } }", "written by Interlock itself"),
        ("{ a: { url: 'https://a', headers: { host: x } } }", "written by Interlock itself"),
        ("{ a: { url: 'https://a', headers: { X: \"a\\nb\" } } }", "not of plain characters"),
        ("{ a: { command: [x], env: { A-B: x } } }", "a name of a variable"),
        ("{ a: { command: [x], env: { A: 'secret:' } } }", "names no secret"),
        ("{ a: { command: [x], protocol: '2030-01-01' } }", "unknown word"),
        ("{ a: { command: [x], comand: [y] } }", "did you mean `command`?"),
        ("{ a: { command: [x], in: { dev: { in: {} } } } }", "unknown key `in`"),
        ("{ a: { url: 'https://a', in: { dev: { url: 'http://b' } } } }", "`a` in `dev` would be"),
        ("{ 'a/b': { command: [x] } }", "a name of letters"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(servers: str, says: str) -> None:
    with pytest.raises(ContractProblems) as raised:
        read(servers)
    assert any(says in f"{each.what} {each.fix}" for each in raised.value.problems), raised.value
