"""What a tool tells of its secret is told to nobody, and nobody gets the secret of another workflow or environment."""

from base64 import b64encode
from secrets import token_urlsafe

import msgspec

from interlock.app import gateway_on
from interlock.core.errand import Errand, Performed, Terms
from interlock.core.errors import SecretError, UpstreamFailed
from interlock.core.ids import Environment, TenantId, WorkflowId
from interlock.core.outcome import Done, Failed
from interlock.core.value import replace
from interlock.ports import Performer, Wanted
from interlock.secret.installed import broker_of, sealed_file
from interlock.secret.kept import SecretId, text_of
from interlock.tool.with_secret import ToolsWithSecrets
from interlock.verify.check import broken, check, ended, must
from interlock.verify.lab import Lab
from interlock.verify.world import PROD, World, a_tool

_NAME = "verify"


class _Telltale:
    """A tool that answers with its secret, and breaks with it when it is told to."""

    def __init__(self) -> None:
        self.got = ""
        self.breaks = False

    def find(self, source: str, terms: Terms) -> Performer | None:
        return self

    def free(self) -> bool:
        return True

    async def perform(self, errand: Errand) -> Performed:
        self.got = errand.secret.reveal() if errand.secret is not None else ""
        errand.check_lease()
        if self.breaks:
            raise UpstreamFailed(f"no with {self.got}", fix="look", said=f"no with {self.got}")
        return Performed(result={"said": self.got, "coded": b64encode(self.got.encode()).decode()})


@check("secret", "what a tool tells of its secret is in no answer, no payload, no row and no file")
async def told_to_nobody(lab: Lab) -> str:
    world, telltale, text = lab.world(), _Telltale(), token_urlsafe(24)
    _with_secrets(lab, world, telltale)
    kept = sealed_file(lab.folder / "keys")
    kept.put(_id(world), text_of(text), world.clock.now())
    await world.publish(tools=[a_tool(secret=_NAME)])
    done = await world.call({"to": "sam"})
    telltale.breaks = True
    failed = await world.call({"to": "eve"})
    must(telltale.got == text, "the tool did not get its secret")
    told = msgspec.json.encode([ended(done, Done, "a call"), ended(failed, Failed, "a call that fails")])
    rows = await world.store.actions(Wanted(limit=10))
    ids = [id for row in rows for id in (row.result, row.said) if id is not None]
    opened = world.opened.secrets.open_all(world.tenant, await world.store.payloads(ids))
    must(len(opened) == 2, "what came back was not kept")
    payloads = [payload if isinstance(payload, bytes) else b"" for payload in opened.values()]
    seen = [told, *payloads, *(row.why.encode() for row in rows), *lab.everything(), kept.path.read_bytes()]
    for form in (text, text[::-1], text.encode().hex(), b64encode(text.encode()).decode()):
        must(not any(form.encode() in each for each in seen), "the secret can be read")
    must(all(f"[secret {_NAME}]".encode() in each for each in payloads), "nothing stands in its place")
    return f"{sum(map(len, seen)):,} bytes, 0 secrets found"


@check("secret", "the secret of another workflow, environment or tenant cannot be had, not even by a copied line")
async def of_nobody_else(lab: Lab) -> str:
    world = lab.world()
    kept, mine = sealed_file(lab.folder / "keys"), _id(world)
    kept.put(mine, text_of(token_urlsafe(24)), world.clock.now())
    broker = broker_of(lab.folder / "keys", world.clock)
    await broker.secret(mine.tenant, mine.workflow, mine.environment, _NAME)
    others = (
        replace(mine, workflow=WorkflowId("other")),
        replace(mine, environment=Environment("other")),
        replace(mine, tenant=TenantId("other")),
    )
    own = kept.path.read_bytes()
    (line,) = (each for each in kept.lines(world.tenant) if each.id == mine)
    for other in others:
        for copied in (False, True):
            if copied:
                kept.path.write_bytes(_with_line(own, replace(line, id=other)))
            try:
                await broker.secret(other.tenant, other.workflow, other.environment, _NAME)
            except SecretError:
                continue
            broken(f"the secret of {mine.place} was handed to {other.place}")
    kept.path.write_bytes(own)
    return f"{len(others)} others, also with a copied line"


def _with_line(file: bytes, line: msgspec.Struct) -> bytes:
    whole = msgspec.json.decode(file)
    return msgspec.json.encode({**whole, "secrets": [*whole["secrets"], line]})


def _with_secrets(lab: Lab, world: World, telltale: _Telltale) -> None:
    tools = ToolsWithSecrets(telltale, broker_of(lab.folder / "keys", world.clock))
    world.gateway = gateway_on(world.opened, tools)


def _id(world: World) -> SecretId:
    return SecretId(tenant=world.tenant, workflow=WorkflowId("support"), environment=PROD, name=_NAME)


CHECKS = (told_to_nobody, of_nobody_else)
