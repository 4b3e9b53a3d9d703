"""Publishing a contract: what it stands on is there and fits, or all that is wrong is said and nothing is changed."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from interlock.app import describe, gateway_on
from interlock.contract.ir import Contract
from interlock.contract.problem import ContractProblems
from interlock.contract.read import loads
from interlock.core.effect import Mode
from interlock.core.errors import ContractInvalid
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.outcome import Done, Refused
from interlock.core.value import replace
from interlock.gateway.doors import set_mode
from interlock.gateway.publish import Publication, publish_contract
from interlock.ports import Needs
from interlock.tool.manifest import Asking, Manifest
from interlock.tool.python import PythonTools
from tools.functions import manifest_of
from world import KIM, PROD, World

pytestmark = pytest.mark.anyio

HEAD = """
interlock: 1
workflow: support
tenant: {tenant}
environments: {{ prod: {{ mode: act }}, dev: {{ mode: act }} }}
permissions:
  allowed_tools: [{allowed}]
{permissions}
tools:
"""
REFUND = """
  refund:
    from: "python:tools.sample_tools:refund"
    effect: idempotent_key
    tier: green
    price: 0
"""
CANCEL = """
  cancel:
    from: "python:tools.sample_tools:cancel_refund"
    effect: idempotent
    tier: green
    price: 0
    only_as_undo: true
"""
CHARGEBACKS = """
  chargebacks: { from: "python:tools.sample_tools:chargebacks", effect: read, tier: green, price: 0 }
"""


def written(
    tools: str, *, allowed: str = "refund", permissions: str = "", more: str = "", tenant: str = "t"
) -> Contract:
    text = HEAD.format(tenant=tenant, allowed=allowed, permissions=permissions) + tools + more
    return loads(text, "contract.yaml")


async def published(world: World, contract: Contract, folder: Path, environment: Environment = PROD) -> Publication:
    contract = replace(contract, tenant=world.tenant)
    return await publish_contract(world.store, contract, environment, KIM, folder=folder, describe=describe)


async def refused(world: World, contract: Contract, folder: Path, environment: Environment = PROD) -> list[str]:
    """Return what is said to be wrong, having made sure that nothing was changed."""
    with pytest.raises(ContractProblems) as error:
        await published(world, contract, folder, environment)
    assert (await world.store.read(Needs())).door.epoch == 0
    assert all(problem.fix for problem in error.value.problems)
    return [problem.what for problem in error.value.problems]


async def test_a_published_contract_has_the_schemas_and_pins_of_its_functions(world: World, tmp_path: Path) -> None:
    contract = written(
        REFUND + '    undo: { tool: cancel, args: { refund_id: "$.result.id" }, within: 24h }\n' + CANCEL
    )
    found = await published(world, contract, tmp_path)
    assert (found.mode, found.before, found.new, found.gone, found.changed) == (
        Mode.ACT, None, ("cancel", "refund"), (), ()
    )  # fmt: skip
    tool = found.contract.tools[contract.rules[0].tool or next(iter(contract.tools))]
    assert (tool.description, len(tool.pin), tool.schema) == ("Give money back.", 64, manifest_of(tool.source).schema)
    tools = PythonTools()
    world.gateway = gateway_on(world.opened, tools)
    outcome = await world.call({"invoice_id": "I1", "amount_usd": 49.99}, tool="refund")
    assert isinstance(outcome, Done)
    assert outcome.result == snapshot({"id": "re_I1", "amount": 49.99})
    tools.close()


async def test_publishing_again_says_what_changed(world: World, tmp_path: Path) -> None:
    first = await published(world, written(REFUND + CANCEL), tmp_path)
    other = REFUND.replace(":refund", ":chargebacks")
    second = await published(world, written(other + CHARGEBACKS), tmp_path)
    assert second.before == first.hash
    assert (second.new, second.gone, second.changed) == (("chargebacks",), ("cancel",), ("refund",))
    same = await published(world, written(other + CHARGEBACKS), tmp_path)
    assert (same.hash, same.new, same.gone, same.changed) == (second.hash, (), (), ())


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("mcp:desk/send_reply", "the contract has no server `desk`"),
        ("openapi:billing.yaml#createRefund", "`billing.yaml` cannot be read: No such file or directory"),
        ("python:no_such:f", "`python:no_such:f` cannot be imported (there is no module `no_such`)"),
        ("python:tools.sample_tools:odd", "a parameter of `python:tools.sample_tools:odd` is of no JSON type"),
    ],
)
async def test_a_source_that_cannot_be_carried_out_is_refused(
    world: World, tmp_path: Path, source: str, says: str
) -> None:
    contract = written(REFUND.replace("python:tools.sample_tools:refund", source))
    assert await refused(world, contract, tmp_path) == [f"`refund`: {says}"]


async def test_a_tool_without_a_source_is_refused(world: World, tmp_path: Path) -> None:
    contract = written("  refund: { tier: green, effect: read, price: 0 }\n")
    assert await refused(world, contract, tmp_path) == ["`refund` says no source"]


async def test_a_fix_is_said_once_with_all_that_it_mends(world: World, tmp_path: Path) -> None:
    sources = [(REFUND, "python:no_such:refund"), (CANCEL, "python:no_such:cancel")]
    tools = "".join(
        text.partition("from:")[0] + f"from: {source!r}\n    effect: read\n    price: 0\n    tier: green\n"
        for text, source in sources
    )
    with pytest.raises(ContractProblems) as error:
        await published(world, written(tools), tmp_path)
    assert str(error.value) == snapshot("""\
contract.yaml:11:3: `refund`: `python:no_such:refund` cannot be imported (there is no module `no_such`)
contract.yaml:17:3: `cancel`: `python:no_such:cancel` cannot be imported (there is no module `no_such`)\
""")
    assert error.value.fix == snapshot("do this in the folder of the module, or put that on the path (`PYTHONPATH`)")
    with pytest.raises(ContractProblems) as error:
        await published(world, written(tools + "  more: { tier: green, effect: read, price: 0 }\n"), tmp_path)
    assert str(error.value) == snapshot("""\
contract.yaml:11:3: `refund`: `python:no_such:refund` cannot be imported (there is no module `no_such`)
contract.yaml:17:3: `cancel`: `python:no_such:cancel` cannot be imported (there is no module `no_such`)
fix: do this in the folder of the module, or put that on the path (`PYTHONPATH`)
contract.yaml:22:3: `more` says no source
fix: write `from: python:module:function`\
""")


async def test_what_is_worth_knowing_of_several_tools_is_said_once(world: World, tmp_path: Path) -> None:
    def noting(asking: Asking) -> Manifest:
        return replace(describe(asking), notes=("it runs on one machine alone", f"{asking.tool.name} it is"))

    contract = replace(written(REFUND + CANCEL), tenant=world.tenant)
    found = await publish_contract(world.store, contract, PROD, KIM, folder=tmp_path, describe=noting)
    notes = [each.text for each in found.contract.assumptions if "it " in each.text]
    assert notes == [
        "`refund`, `cancel`: it runs on one machine alone",
        "`refund`: refund it is",
        "`cancel`: cancel it is",
    ]


INLINE = """    schema:
      type: object
      properties: { invoice_id: { type: string, pattern: "^I[0-9]+$" }, amount_usd: { type: number, maximum: 100 } }
      required: [invoice_id, amount_usd]
"""


async def test_a_narrower_schema_of_the_contract_wins(world: World, tmp_path: Path) -> None:
    await published(world, written(REFUND + INLINE), tmp_path)
    tools = PythonTools()
    world.gateway = gateway_on(world.opened, tools)
    assert isinstance(await world.call({"invoice_id": "I1", "amount_usd": 100}, tool="refund"), Done)
    for arguments in ({"invoice_id": "I1", "amount_usd": 101}, {"invoice_id": "I1", "amount_usd": 1, "reason": ""}):
        assert isinstance(await world.call(arguments, tool="refund"), Refused)
    tools.close()


@pytest.mark.parametrize(
    ("change", "to", "at"),
    [
        ("{ type: number, maximum: 100 }", "{ type: [number, string] }", "$.amount_usd"),
        ("required: [invoice_id, amount_usd]", "required: [invoice_id]", "$.amount_usd"),
        ("{ type: number, maximum: 100 } }", "{ type: number }, to: { type: string } }", "$.to"),
        ("type: object\n", "type: object\n      additionalProperties: true\n", "$.reason"),
    ],
)
async def test_a_schema_that_accepts_more_than_the_function_takes_is_refused(
    world: World, tmp_path: Path, change: str, to: str, at: str
) -> None:
    contract = written(REFUND + INLINE.replace(change, to, 1))
    says = "of `refund` accepts more at `{}` than `python:tools.sample_tools:refund` takes"
    assert await refused(world, contract, tmp_path) == ["the schema " + says.format(at)]


@pytest.mark.parametrize(
    ("tools", "says"),
    [
        (
            REFUND + "    args: { amount: { role: quantity, unit: usd } }\n",
            "`args` of `refund` names `amount`, which `python:tools.sample_tools:refund` does not take",
        ),
        (
            REFUND + "    unique: { on: [args.invoice], within: 1d }\n",
            "`unique` looks at the argument `invoice`, which `refund` does not declare",
        ),
        (
            REFUND + "    serialize: args.invoice\n",
            "`serialize` looks at the argument `invoice`, which `refund` does not declare",
        ),
        (
            REFUND + "    subject: args.customer\n",
            "`subject` looks at the argument `customer`, which `refund` does not declare",
        ),
        (
            REFUND + '    check: ["result.amount == args.amount"]\n',
            "`check` looks at the argument `amount`, which `refund` does not declare",
        ),
        (
            REFUND + '    undo: { tool: cancel, args: { id: "$.result.id" }, within: 1d }\n' + CANCEL,
            "`undo` of `refund` gives `id`, which `cancel` does not take\n"
            "`undo` of `refund` does not give `refund_id`, which `cancel` needs",
        ),
        (
            REFUND + '    undo: { tool: cancel, args: { refund_id: "$.args.refund" }, within: 1d }\n' + CANCEL,
            "`undo` looks at the argument `refund`, which `refund` does not declare",
        ),
        (
            REFUND + "    preview: chargebacks\n" + CHARGEBACKS,
            "`preview` of `refund` does not give `customer_id`, which `chargebacks` needs",
        ),
        (
            REFUND + '    preview: { tool: chargebacks, args: { customer: "$.args.invoice_id" } }\n' + CHARGEBACKS,
            "`preview` of `refund` gives `customer`, which `chargebacks` does not take\n"
            "`preview` of `refund` does not give `customer_id`, which `chargebacks` needs",
        ),
    ],
)
async def test_a_name_that_the_functions_do_not_have_is_refused(
    world: World, tmp_path: Path, tools: str, says: str
) -> None:
    assert await refused(world, written(tools), tmp_path) == says.split("\n")


async def test_a_fact_that_could_never_be_looked_up_is_refused(world: World, tmp_path: Path) -> None:
    facts = "facts: { disputed: { tool: chargebacks, args: { customer: '$.args.invoice_id' } } }\n"
    contract = written(REFUND + CHARGEBACKS, more=facts)
    assert await refused(world, contract, tmp_path) == [
        "the fact `disputed` gives `customer`, which `chargebacks` does not take",
        "the fact `disputed` does not give `customer_id`, which `chargebacks` needs",
    ]


async def test_an_undo_of_what_is_not_returned_is_refused(world: World, tmp_path: Path) -> None:
    sell = REFUND.replace(":refund", ":sell").replace("  refund", "  sell")
    undo = '    undo: { tool: cancel, args: { refund_id: "$.result.number" }, within: 1d }\n'
    contract = written(sell + undo + CANCEL, allowed="sell")
    says = "`undo` of `sell` looks at `$.result.number`, which `python:tools.sample_tools:sell` does not return"
    assert await refused(world, contract, tmp_path) == [says]


FORBID = (
    '@id("org.no") forbid(principal, action == Action::"refund", resource) when { context.args.invoice_id == "I9" };\n'
)


async def test_policy_files_beside_the_contract_are_read_and_decide(world: World, tmp_path: Path) -> None:
    (tmp_path / "org").mkdir()
    (tmp_path / "org" / "refunds.cedar").write_text(FORBID, encoding="utf-8")
    contract = written(REFUND, permissions="  policy_files: [org/*.cedar]")
    found = await published(world, contract, tmp_path)
    assert found.contract.cedar == {"org/refunds.cedar": FORBID}
    tools = PythonTools()
    world.gateway = gateway_on(world.opened, tools)
    assert isinstance(await world.call({"invoice_id": "I1", "amount_usd": 1}, tool="refund"), Done)
    assert isinstance(await world.call({"invoice_id": "I9", "amount_usd": 1}, tool="refund"), Refused)
    tools.close()


@pytest.mark.parametrize(
    ("pattern", "text", "says"),
    [
        ("org/*.cedar", None, "matches no file"),
        ("/etc/*.cedar", None, "matches no file"),
        ("../*.cedar", "", "leads out of"),
        ("org/*.cedar", "permit(", "org/bad.cedar"),
        ("org/*.cedar", '@id("x") forbid(principal, action == Action::"nothing", resource);', "nothing"),
        ("org/*.cedar", b"\xff", "cannot be read as UTF-8"),
        ("org/*.cedar", "// " + "x" * 300_000, "more than 262,144 bytes"),
    ],
)
async def test_policy_files_that_cannot_be_honoured_are_refused(
    world: World, tmp_path: Path, pattern: str, text: str | bytes | None, says: str
) -> None:
    folder = tmp_path / "contracts"
    (folder / "org").mkdir(parents=True)
    if text is not None:
        file = tmp_path / "outside.cedar" if pattern.startswith("..") else folder / "org" / "bad.cedar"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    contract = written(REFUND, permissions=f"  policy_files: ['{pattern}']")
    (problem,) = await refused(world, contract, folder)
    assert says in problem


REDACTION = "redaction: { pii: true }\n"
TRUST = "trust: { untrusted_context: { writes: require_approval } }\n"


@pytest.mark.parametrize("environment", ["prod", "production", "eu", "Staging", "stagin"])
async def test_mode_act_in_production_does_not_rely_on_what_is_not_enforced(
    world: World, tmp_path: Path, environment: str
) -> None:
    contract = written(REFUND, more=REDACTION + TRUST)
    contract = replace(contract, modes={Environment(environment): Mode.ACT})
    problems = await refused(world, contract, tmp_path, Environment(environment))
    assert problems == [
        f"mode `act` in `{environment}` relies on `trust`, which is not enforced",
        f"mode `act` in `{environment}` relies on `redaction`, which is not enforced",
    ]


@pytest.mark.parametrize(
    ("fields", "environment"),
    [
        ({"modes": {Environment("staging"): Mode.ACT}}, "staging"),
        ({"modes": {Environment("dev"): Mode.ACT}}, "dev"),
        ({"modes": {PROD: Mode.ASK}}, "prod"),
        ({"accept_unenforced": frozenset({"redaction", "trust"})}, "prod"),
    ],
)
async def test_in_rehearsals_below_act_or_accepted_it_is_only_listed(
    world: World, tmp_path: Path, fields: dict[str, Any], environment: str
) -> None:
    contract = replace(written(REFUND, more=REDACTION + TRUST), **fields)
    found = await published(world, contract, tmp_path, Environment(environment))
    assert sorted(each.section for each in found.unenforced) == ["redaction", "trust"]


async def test_no_mode_that_is_set_later_opens_what_publishing_refuses(world: World, tmp_path: Path) -> None:
    contract = replace(written(REFUND, more=REDACTION), modes={PROD: Mode.ASK})
    await published(world, contract, tmp_path)
    with pytest.raises(ContractInvalid) as error:
        await set_mode(world.store, WorkflowId("support"), PROD, Mode.ACT, KIM)
    assert error.value.fix == snapshot("use mode `ask`, or publish with `accept_unenforced: [redaction]`")
    await set_mode(world.store, WorkflowId("support"), PROD, Mode.SUGGEST, KIM)
    accepted = replace(contract, accept_unenforced=frozenset({"redaction"}))
    await published(world, accepted, tmp_path)
    await set_mode(world.store, WorkflowId("support"), PROD, Mode.ACT, KIM)
    with pytest.raises(ContractInvalid):
        await set_mode(world.store, WorkflowId("nothing"), PROD, Mode.ASK, KIM)


async def test_the_keys_of_agents_are_read(world: World, tmp_path: Path) -> None:
    key = tmp_path / "bot"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    contract = written(REFUND, more="agents: { bot: { key: bot.pub }, other: {} }\n")
    found = await published(world, contract, tmp_path)
    keys = {str(name): key for name, key in found.contract.agents.items()}
    assert keys["other"] == ""
    assert keys["bot"].startswith("ed25519:")
    assert len(keys["bot"]) == len("ed25519:") + 64
    again = await published(world, found.contract, tmp_path)
    assert again.hash == found.hash


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("gone.pub", None, "the key file `gone.pub` cannot be read: No such file or directory"),
        ("bot", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "`bot` is a private key"),
        ("bot.pub", "ssh-ed25519 AAAA\n", "`bot.pub` holds no public key"),
        ("bot.pub", "", "`bot.pub` holds no public key"),
    ],
)
async def test_a_key_file_that_is_none_is_refused(
    world: World, tmp_path: Path, name: str, text: str | None, says: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    contract = written(REFUND, more=f"agents: {{ bot: {{ key: {name} }} }}\n")
    (problem,) = await refused(world, contract, tmp_path)
    assert problem.endswith(f"agent `bot`: {says}")


async def test_all_that_is_wrong_is_said_at_once(world: World, tmp_path: Path) -> None:
    contract = written(
        REFUND.replace("python:tools.sample_tools:refund", "mcp:desk/refund"),
        permissions="  policy_files: [org/*.cedar]",
        more=REDACTION + "agents: { bot: { key: bot.pub } }\n",
    )
    assert len(await refused(world, contract, tmp_path)) == 4


def test_what_is_published_belongs_to_its_tenant() -> None:
    assert written(REFUND).tenant == TenantId("t")
