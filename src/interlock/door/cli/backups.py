"""`backup`, `restore`, `ledger adopt`: a store is written down, put back, and taken on by a person."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from interlock import app
from interlock.core.action import ActionState
from interlock.core.effect import Mode
from interlock.core.errors import UsageWrong
from interlock.core.ids import Instant, TenantId
from interlock.core.wording import count, count_entries
from interlock.door.cli.advice import ADOPT, as_typed
from interlock.door.cli.outside import kept_outside
from interlock.door.cli.person import operator, operator_without_store
from interlock.door.cli.reading import InputWrong
from interlock.door.cli.render import Time, block
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, be_there, session
from interlock.gateway import fresh
from interlock.gateway.adopt import Adopted, adopt
from interlock.gateway.history import key_of
from interlock.ports import Needs, Wanted

_CLEAR = "who asked, for whom and who agreed, tools, amounts and times are in it in the clear"
_SEALED = "arguments, results and previews are in it encrypted, and no key is"
_FIRST = "let writes wait for a person until you know what was lost:"
_LATER = "what is erased or expires later cannot be read in it either: its key is destroyed, not copied"
_LATER_WITH_KEYS = "what is erased or expires later can be read with it for as long as `{}` exists"


def backed_up(typed: Typed) -> int:
    """Write down all that the store holds as of one moment, and print what it may still hold later."""
    be_there(typed, may_make=False)
    given, settings = typed.given, typed.settings
    file, keys_to = Path(given.file), Path(given.with_keys) if given.with_keys else None
    if keys_to is not None and (keys_to.exists() or keys_to == file):
        raise InputWrong(f"`{keys_to}` is there already", fix="name another file for the keys")
    done = app.back_up(settings.store, settings.keys, file, keys_to=keys_to, clock=typed.clock)
    contents = done.contents
    later = _LATER_WITH_KEYS.format(keys_to) if keys_to is not None else _LATER
    pairs: list[tuple[str, object]] = [
        ("backup", file),
        ("as of", Time(Instant(contents.at)).short()),
        *(("ledger", f"{part.tenant}: {count_entries(part.entries)}, root\n{part.root}") for part in contents.tenants),
        ("readable", _CLEAR),
        ("encrypted", _SEALED),
        ("erasing", later),
        ("keys", f"{keys_to}: {done.keys}" if keys_to is not None else ""),
    ]
    data: dict[str, Any] = {
        "file": str(file),
        "at": Time(Instant(contents.at)),
        "tenants": [
            {"tenant": part.tenant, "entries": part.entries, "root": part.root, "head": part.head}
            for part in contents.tenants
        ],
        "keys": {"file": str(keys_to), "keys": done.keys} if keys_to is not None else None,
        "may_hold": [_CLEAR, _SEALED, later],
    }
    typed.screen.show(data, block(pairs, typed.screen.width))
    if keys_to is not None:
        typed.screen.note(f"warning: keep `{keys_to}` apart from every backup, and destroy it with the next erasure")
    typed.screen.note(f"keep `{settings.keys / 'master.seed'}` as well, elsewhere: without it this is of no use")
    return 0


def brought_back(typed: Typed) -> int:
    """Put a backup into a store, and say what has to be done before anything starts on it."""
    given, settings = typed.given, typed.settings
    for name in (given.file, given.with_keys):
        if name is not None and not Path(name).is_file():
            raise InputWrong(f"there is no file `{name}`", fix="name a file that `interlock backup FILE` wrote")
    if settings.file is not None:
        settings.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    done = app.bring_back(
        settings.store,
        settings.keys,
        Path(given.file),
        operator_without_store(typed, fresh.process_id(), app.tenants_in(Path(given.file))),
        over=given.over,
        keys_from=Path(given.with_keys) if given.with_keys else None,
        clock=typed.clock,
    )
    asking = asyncio.run(_asking(typed, [TenantId(part.tenant) for part in done.restored.contents.tenants]))
    contents, replaced, keys = done.restored.contents, done.restored.replaced, done.keys
    gone = [f"{part.tenant}: {count_entries(part.entries)}" for part in replaced]
    said = f"{keys.added} added, {keys.stayed + keys.destroyed} stay destroyed, {keys.other} differ" if keys else ""
    pairs: list[tuple[str, object]] = [
        ("restored", f"{settings.shown}, as of {Time(Instant(contents.at)).short()}"),
        *(("ledger", f"{part.tenant}: {count_entries(part.entries)}, root\n{part.root}") for part in contents.tenants),
        ("replaced", "\n".join(gone)),
        ("heads", f"of what was replaced, in {settings.keys / 'anchors.jsonl'}" if gone else ""),
        ("keys", said),
        ("from now on", "nothing starts; reading, switches and limits work"),
        ("first", "\n".join([_FIRST, *asking]) if asking else ""),
        ("then", "\n".join(as_typed(typed, ADOPT, TenantId(part.tenant)) for part in contents.tenants)),
    ]
    data: dict[str, Any] = {
        "store": settings.shown,
        "at": Time(Instant(contents.at)),
        "tenants": [{"tenant": p.tenant, "entries": p.entries, "root": p.root} for p in contents.tenants],
        "replaced": [{"tenant": p.tenant, "entries": p.entries, "root": p.root} for p in replaced],
        "keys": {"added": keys.added, "destroyed": keys.destroyed, "stayed": keys.stayed, "other": keys.other}
        if keys
        else None,
        "first": [each.strip("`") for each in asking],
    }
    typed.screen.show(data, block(pairs, typed.screen.width))
    return 0


async def _asking(typed: Typed, tenants: Sequence[TenantId]) -> list[str]:
    """Write the commands that let the writes of every workflow wait for a person."""
    lines: list[str] = []
    with app.beside(typed.settings.store, typed.settings.keys, clock=typed.clock) as gateway:
        for tenant in tenants:
            published = (await gateway.store.for_tenant(tenant).read(Needs())).door.published
            for name in sorted(name for name, each in published.items() if each.mode is Mode.ACT):
                workflow, _, environment = name.rpartition("/")
                lines.append(as_typed(typed, f"mode {workflow} ask --env {environment}", tenant))
    return lines


@awaited
async def adopted(typed: Typed) -> int:
    """Hold the ledger against what was kept outside, write down what it lacks, and let actions start again."""
    given, outside = typed.given, kept_outside(typed)
    if given.lost is not None and given.lost < 0:
        raise UsageWrong(f"`{given.lost}` entries cannot be lost", fix="count them from 0")
    with session(typed) as here:
        secrets = here.gateway.secrets
        done = await adopt(
            here.store,
            secrets,
            await operator(here),
            outside.heads(key_of(here.store, secrets, 1).origin),
            lost=given.lost,
            nothing_newer=given.nothing_newer,
            keep_tokens=given.keep_tokens,
        )
        waits = {state: await _count(here, state) for state in (ActionState.STARTED, ActionState.PARKED)}
    _show(typed, done, waits)
    return 0


async def _count(here: Session, state: ActionState) -> int:
    return len(await here.store.actions(Wanted(states=frozenset({state}), limit=10_000)))


def _out(done: Adopted) -> str:
    """Say who has to be let in anew."""
    tokens, rights = done.out.tokens, done.out.rights
    said = [count(tokens, "token", "tokens")] if tokens else []
    said += [count(rights, "role for a while", "roles for a while")] if rights else []
    return " and ".join(said)


def _show(typed: Typed, done: Adopted, waits: dict[ActionState, int]) -> None:
    compared, known = done.compared, done.known
    lost = (
        f"{count_entries(compared.lost)}, {compared.shared} to {known.size - 1}" if compared.lost else "nothing known"
    )
    flying, parked = waits[ActionState.STARTED], waits[ActionState.PARKED]
    pairs: list[tuple[str, object]] = [
        ("ledger", f"{typed.settings.tenant}, {count_entries(compared.size)}"),
        ("known outside", f"a head over {count_entries(known.size)}, root {known.root.hex()}"),
        ("lost", lost),
        ("epoch", done.door.epoch),
        ("under way", f"{flying}: never sent again; `interlock attend` makes them uncertain" if flying else ""),
        ("waiting", f"{parked}: each needs a new yes, and may have been done already" if parked else ""),
        ("out", _out(done)),
        ("from now on", "actions start again"),
    ]
    data: dict[str, Any] = {
        "ledger": typed.settings.tenant,
        "entries": compared.size,
        "known": {"entries": known.size, "root": known.root.hex()},
        "shared": compared.shared,
        "lost": compared.lost,
        "epoch": done.door.epoch,
        "under_way": flying,
        "waiting": parked,
        "ended": {"tokens": done.out.tokens, "rights": done.out.rights},
    }
    typed.screen.show(data, block(pairs, typed.screen.width))
    if done.out.tokens or done.out.rights:
        typed.screen.note(
            "what was revoked or taken back after the backup would be good again, so all of before has ended: issue "
            "others, `interlock token new NAME --workflow W --env E --expires 90d`, and look at `interlock issuer list`"
        )
    if compared.lost:
        typed.screen.note(
            "what was done in the lost entries is in nobody's budget, and a call that repeats it is a new call: let "
            "writes wait for a person (`interlock mode WORKFLOW ask`) until you know what it was"
        )
        typed.screen.note(
            "switches, modes and limits of the lost entries are gone too: look at `interlock switch show`"
        )
