"""No effect without a decision, and a reason for every decision."""

from interlock.contract.ir import Hook
from interlock.core.effect import EffectClass
from interlock.core.ids import ToolName
from interlock.core.outcome import Done, Refused
from interlock.core.reason import Reason
from interlock.policy.rule import FactIsNot
from interlock.verify.check import check, ended, must
from interlock.verify.lab import Lab
from interlock.verify.world import ALLOW, ScriptedTool, a_rule, a_tool

RISK = ToolName("risk")
RISKY = a_rule("no.risk", "deny", when=FactIsNot(name="risky", value=False))


@check("door", "what no rule allows, what no contract names and what cannot be read is refused")
async def nothing_by_default(lab: Lab) -> str:
    world = lab.world()
    ended(await world.call(), Refused, "without a contract")
    await world.publish(a_rule("allow.other", "permit", "other"), tools=[a_tool(), a_tool("other")])
    ended(await world.call(), Refused, "without a rule")
    await world.publish()
    ended(await world.call(tool="strange"), Refused, "a tool that no contract names")
    for text in ("{", '{"to":1,"to":2}', "[]", '{"to":NaN}', '{"to":"\\ud800"}'):
        ended(await world.call(text), Refused, f"arguments `{text}`")
    ended(await world.call(caller=world.caller(agent="bot")), Done, "what is allowed")
    must(len(world.tool.performed) == 1, f"the tool was called {len(world.tool.performed)} times")
    return "8 calls refused, 1 allowed"


@check("door", "a fact that cannot be looked up, a price that is not known and a deny are refusals")
async def unknown_is_no(lab: Lab) -> str:
    world = lab.world()
    look = a_tool(RISK, effect=EffectClass.READ, price=0, only_for_facts=True)
    risk = world.others[RISK] = ScriptedTool(result=False)

    async def under(price: int | None) -> None:
        await world.publish(ALLOW, RISKY, tools=[a_tool(price=price), look], facts={"risky": Hook(tool=RISK)})

    await under(0)
    for unknown in ("perhaps-" * 40, None, True):
        risk.result = unknown if unknown is not None else {"neither": "yes", "nor": "no"}
        ended(await world.call(), Refused, f"a fact that is `{risk.result}`")
    risk.breaks.append(OSError("no connection"))
    ended(await world.call(), Refused, "a fact that nobody answered")
    risk.result = False
    await under(None)
    ended(await world.call(), Refused, "a tool without a price")
    must(not world.tool.performed, "the tool was called all the same")
    await under(0)
    ended(await world.call(), Done, "with every fact and price known")
    return "5 calls refused, 1 allowed"


@check("door", "a store that is closed or does not answer refuses, and nothing is sent")
async def no_store_no_effect(lab: Lab) -> str:
    world = lab.world()
    await world.publish()
    ended(await world.call({"n": 1}), Done, "while the store is there")
    world.opened.store.close()
    ended(await world.call({"n": 2}), Refused, "once the store is closed")
    must(len(world.tool.performed) == 1, "the tool was called without a record")
    return "1 call refused"


@check("explain", "an operator sees the rule that decided, an agent a code and the place of what is wrong")
async def says_why(lab: Lab) -> str:
    world = lab.world()
    await world.publish(ALLOW, a_rule("never.mail", "deny"))
    no = ended(await world.call({"to": "a-secret-name"}), Refused, "under a deny")
    entry = (await world.entries())[-1]
    must(entry["rules"] == ["never.mail"] and entry["decision"] == "deny", f"the entry names {entry['rules']}")
    must(entry["reason"] == no.reason.value, "the entry has another reason than the answer")
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
    await world.publish(tools=[a_tool(schema=schema)])
    wrong = ended(await world.call({"n": "a-secret-name"}), Refused, "arguments of the wrong type")
    must(wrong.reason is Reason.INVALID_ARGUMENTS, wrong.reason.value)
    must([each.path for each in wrong.wrong] == ["$.n"], f"what is wrong is said to be at {wrong.wrong}")
    must("a-secret-name" not in f"{no} {wrong}", "the answer repeats an argument")
    return "rule `never.mail`, path `$.n`"


CHECKS = (nothing_by_default, unknown_is_no, no_store_no_effect, says_why)
