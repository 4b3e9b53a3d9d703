"""`secret`: set, list, remove, check. A value comes from standard input or is typed unseen; none is ever printed."""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from getpass import getpass

from interlock.app import SystemClock
from interlock.contract.node import text as text_node
from interlock.contract.scalar import NAME, Wrong
from interlock.core.errors import InterlockError, NotPermitted, SecretError, UsageWrong
from interlock.core.ids import Environment, WorkflowId
from interlock.core.limits import SECRET_BYTES_MAX
from interlock.core.wording import closest
from interlock.door.cli.person import operator, operator_without_store
from interlock.door.cli.reading import InputWrong
from interlock.door.cli.render import Time, block, table, wrapped
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, be_there, session
from interlock.gateway.doors import Operator
from interlock.gateway.fresh import process_id
from interlock.gateway.secrets import Named, secret_changed, secrets_in_force
from interlock.oauth.authority import address_of
from interlock.oauth.endpoint import Client
from interlock.policy.rule import Place
from interlock.secret.broker import SecretBroker
from interlock.secret.installed import broker_of, sealed_file
from interlock.secret.kept import SecretId, Value, oauth_of, text_of
from interlock.secret.sealed_file import Line, SealedFile


@awaited
async def put(typed: Typed) -> int:
    """Keep a secret in the encrypted file, in place of the one of that name."""
    id = whole_name(typed)
    in_the_file(typed, id)
    with beside_the_store(typed) as here:
        by = await changer(typed, here)
        value = _value(typed, id)
        changed = sealed_file(typed.settings.keys).put(id, value, (typed.clock or SystemClock()).now())
        what = "changed" if changed else "set"
        entered = await entered_in(here, typed, id, what)
    pairs: list[tuple[str, object]] = [
        (what, id.name),
        ("for", id.place),
        ("by", f"{by.person} ({by.known_by})"),
        ("used", "from the next call on"),
    ]
    data = {**_data(id), "to": what, "by": by.person, "known_by": by.known_by, "entered": entered}
    typed.screen.show(data, block(pairs, typed.screen.width))
    return 0


@awaited
async def removed(typed: Typed) -> int:
    """Take a secret out of the encrypted file."""
    id = whole_name(typed)
    in_the_file(typed, id)
    with beside_the_store(typed) as here:
        await changer(typed, here)
        kept = sealed_file(typed.settings.keys)
        if not kept.remove(id):
            near = closest(id.name, {line.id.name for line in kept.lines(id.tenant)})
            fix = f"did you mean `{near}`?" if near else "list them: `interlock secret list`"
            raise InterlockError(f"{id.place} has no secret `{id.name}`", fix=fix)
        entered = await entered_in(here, typed, id, "removed")
    data = {**_data(id), "to": "removed", "entered": entered}
    text = f"removed `{id.name}` of {id.place}: a tool that needs it fails from the next call on"
    typed.screen.show(data, wrapped(text, typed.screen.width, hang=2))
    return 0


def listed(typed: Typed) -> int:
    """List the names in the encrypted file: whose, since when, when last changed."""
    settings = typed.settings
    lines = sealed_file(settings.keys).lines(settings.tenant)
    data = [{**_data(line.id), "kind": line.kind, **_times(line)} for line in lines]
    rows = [
        [line.id.name, line.id.workflow, line.id.environment, line.kind, *(at.short() for at in _times(line).values())]
        for line in lines
    ]
    heads = ["SECRET", "WORKFLOW", "ENVIRONMENT", "KIND", "SINCE", "LAST CHANGED"]
    text = table(heads, rows, typed.screen.broad) if rows else f"no secret of the tenant `{settings.tenant}` is kept"
    typed.screen.show(data, text)
    return 0


@awaited
async def checked(typed: Typed) -> int:
    """Say of each secret that a contract in force names whether it is there."""
    broker = broker_of(typed.settings.keys, typed.clock or SystemClock())
    with session(typed) as here:
        named = await secrets_in_force(here.store)
        found: list[tuple[Named, str, SecretError | None]] = []
        for each in named:
            wrong = None
            try:
                await broker.secret(here.store.tenant, each.workflow, each.environment, each.name)
            except SecretError as error:
                wrong = error
            found.append((each, _where(broker, each.environment), wrong))
    data = [
        {
            "secret": each.name,
            "workflow": each.workflow,
            "environment": each.environment,
            "used_by": list(each.users),
            "kept_in": where,
            "ok": wrong is None,
            "why": str(wrong or ""),
            "fix": wrong.fix if wrong is not None else "",
        }
        for each, where, wrong in found
    ]
    rows = [
        [each.name, each.workflow, each.environment, ", ".join(each.users), where, "no" if wrong else "yes"]
        for each, where, wrong in found
    ]
    heads = ["SECRET", "WORKFLOW", "ENVIRONMENT", "USED BY", "KEPT IN", "THERE"]
    text = table(heads, rows, typed.screen.broad) if rows else "no contract in force names a secret"
    typed.screen.show(data, text)
    for _, _, wrong in found:
        if wrong is not None:
            typed.screen.note(str(wrong))
            typed.screen.note(f"fix: {wrong.fix}")
    return 1 if any(wrong for _, _, wrong in found) else 0


def whole_name(typed: Typed) -> SecretId:
    """Read which secret is meant.

    Raises:
        UsageWrong: it can be none.
    """
    given = typed.given
    return SecretId(
        tenant=typed.settings.tenant,
        workflow=WorkflowId(_name(given.workflow)),
        environment=Environment(_name(given.env)),
        name=_name(given.name),
    )


def _name(text: str) -> str:
    read = NAME.read(text_node(text, Place(file="command line")))
    if isinstance(read, Wrong):
        raise UsageWrong(read.what, fix=read.fix)
    return read


def in_the_file(typed: Typed, id: SecretId) -> None:
    """See that the environment keeps its secrets in the encrypted file.

    Raises:
        NotPermitted: it keeps them elsewhere.
    """
    where = broker_of(typed.settings.keys, typed.clock or SystemClock()).where(id.environment)
    if where != SealedFile.name:
        fix = "change it there, or let the environment keep its secrets in the file: `secrets.yaml`"
        raise NotPermitted(f"`{id.environment}` keeps its secrets in {where}", fix=fix)


def _where(broker: SecretBroker, environment: Environment) -> str:
    try:
        return broker.where(environment)
    except UsageWrong:
        return "nobody knows"  # the error about the secret says why


def _value(typed: Typed, id: SecretId) -> Value:
    kept: Callable[[str], Value] = _oauth if typed.given.oauth else text_of
    return kept(unseen(typed, f"{id.name} of {id.place}"))


def unseen(typed: Typed, what: str) -> str:
    """Read a text from standard input, or have it typed twice where nobody sees it.

    Raises:
        UsageWrong: the two are not the same.
        InputWrong: what came in is no text.
    """
    if sys.stdin.isatty():
        text = getpass(f"{what}: ", stream=typed.screen.err)
        if getpass("once more: ", stream=typed.screen.err) != text:
            raise UsageWrong("the two are not the same", fix="type it again")
        return text
    read = sys.stdin.buffer.read(SECRET_BYTES_MAX + 3)
    try:
        # A line that a program wrote ends with one sign that is no part of it.
        return read.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise InputWrong("what came in is not UTF-8 text", fix="set a text; encode bytes as the tool wants") from None


def _oauth(text: str) -> Value:
    value = oauth_of(text)
    address_of(value.token_url)
    return value


def client_said(typed: Typed, *, unsaid: str = "") -> Client | None:
    """Read as which client a person logs in, if they say so.

    Args:
        typed: the line.
        unsaid: the client whose secret it is, where they name none.

    Raises:
        UsageWrong: there is a secret of a client, and no client.
    """
    given = typed.given
    id = given.client_id or (unsaid if given.client_secret else "")
    if given.client_secret and not id:
        raise UsageWrong("a secret of a client says nothing without the client", fix="name it: `--client-id ID`")
    if not id:
        return None
    secret = text_of(unseen(typed, f"secret of the client {id}")).text if given.client_secret else ""
    return Client(id=id, secret=secret)


async def changer(typed: Typed, here: Session | None) -> Operator:
    """Say who changes a secret, also where there is no store yet."""
    return await operator(here) if here is not None else operator_without_store(typed, process_id())


def beside_the_store(typed: Typed) -> "AbstractContextManager[Session | None]":
    """Open the store, to write into its ledger; nothing where there is none yet."""
    settings = typed.settings
    be_there(typed, may_make=True)
    if settings.file is not None and not settings.file.is_file():
        return nullcontext(None)
    return session(typed, may_make=True)


async def entered_in(here: Session | None, typed: Typed, id: SecretId, to: str) -> bool:
    """Enter that a person changed a secret, where there is a ledger."""
    if here is None:
        typed.screen.note("note: there is no store yet, so no ledger has an entry of it")
        return False
    by = await operator(here)
    await secret_changed(here.store, id.workflow, id.environment, id.name, to, by)
    return True


def _data(id: SecretId) -> dict[str, str]:
    return {"secret": id.name, "workflow": id.workflow, "environment": id.environment}


def _times(line: Line) -> Mapping[str, Time]:
    return {"since": Time(line.since), "changed": Time(line.changed)}
