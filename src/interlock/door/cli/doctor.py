"""`doctor`: looks at everything that Interlock stands on, changes nothing, and says what to mend."""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any

from interlock import app
from interlock.app import SystemClock
from interlock.core.value import replace
from interlock.door.cli import doctor_files as files
from interlock.door.cli import doctor_machine as machine
from interlock.door.cli import doctor_tenant as tenants
from interlock.door.cli.advice import advised
from interlock.door.cli.doctor_check import Checked, State, broken, tried, wrong
from interlock.door.cli.doctor_expiry import expiry
from interlock.door.cli.doctor_login import login
from interlock.door.cli.render import clean, wrapped
from interlock.door.cli.screen import Screen, Typed
from interlock.door.cli.session import Session, awaited, find_tools_here

_BROAD = max(len(state.value) for state in State) + 2
_NAME = 13
_NAMES_OF_TENANTS = (
    "ledger",
    "clock",
    "anchor",
    "contracts",
    "statements",
    "browser",
    "stopped",
    "waiting",
    "expiry",
    "login",
)


@awaited
async def looked_after(typed: Typed) -> int:
    """Run every check and say what was found; how it stands is the exit code."""
    clock = typed.clock or SystemClock()
    first = clock.now() - clock.boot()
    found = [*tried("python", machine.versions), *tried("packages", lambda: machine.packages(typed.settings))]
    found += await _of_store(typed)
    found += tried("disk", lambda: machine.disk(typed.settings))
    found += tried("clock", lambda: machine.clock_of_process(clock, first))
    found += tried("sandbox", machine.sandbox)
    found = [replace(each, fix=advised(typed, each.fix, each.tenant)) for each in _without_comfort(found)]
    count = Counter(each.state for each in found)
    data = {"ok": not count[State.WRONG], "checks": [_data(each) for each in found]}
    typed.screen.show(data, _told(typed.screen, found, count))
    return 1 if count[State.WRONG] else 0


def _without_comfort(found: Sequence[Checked]) -> list[Checked]:
    """Leave out what is well about something that is not."""
    unwell = {(each.name, each.tenant) for each in found if each.state is not State.OK}
    return [each for each in found if each.state is not State.OK or (each.name, each.tenant) not in unwell]


async def _of_store(typed: Typed) -> list[Checked]:
    settings = typed.settings
    if not files.there(settings):
        return [*files.no_store(settings), *tried("keys", lambda: files.keys(settings))]
    try:
        look = app.look_at(settings.store)
    except Exception as error:  # noqa: BLE001  whatever it is, the other checks go on
        return [broken("store", error), *tried("keys", lambda: files.keys(settings))]
    of_store = tried("store", lambda: files.store(settings, look))
    of_keys = tried("keys", lambda: files.keys(settings, new=look.version is None and settings.file is None))
    of_keys += tried("keys", lambda: files.keys_left(look))
    found = [*of_store, *tried("durability", lambda: files.durability(settings, look)), *of_keys]
    if settings.file is not None:
        file: Path = settings.file
        found += tried("durability", lambda: machine.filesystem(file))
        found += tried("performing", lambda: machine.lock(file))
        found += tried("stopped", lambda: _stop_file(file))
    if look.now is not None:
        now, server = (typed.clock or SystemClock()).now(), look.now
        found += tried("clock", lambda: machine.clock_of_server(now, server))
    production = False
    # What is damaged, of another version or without its keys is not opened: that could make something.
    if look.version is not None and not any(each.state is State.WRONG for each in (*of_store, *of_keys)):
        of_tenants, production = await _of_tenants(typed)
        found += of_tenants
    return [*found, *tried("keys apart", lambda: files.keys_apart(settings, production=production))]


def _stop_file(file: Path) -> Iterable[Checked]:
    path = file.with_name(f"{file.name}.stop")
    if path.exists():
        fix = "take it away when you may: `interlock switch resume`"
        yield wrong("stopped", f"a stop file lies at `{path}`: nothing starts, in any tenant", fix)


async def _of_tenants(typed: Typed) -> tuple[list[Checked], bool]:
    """Look at the tenant that was named, or at each that the store has."""
    settings = typed.settings
    find_tools_here()
    try:
        with app.beside(settings.store, settings.keys, clock=typed.clock) as gateway:
            known = gateway.store.tenants()
            if settings.tenant_said and settings.tenant not in known:
                what = f"the store has nothing of the tenant `{settings.tenant}`"
                return [wrong("tenant", what, f"it has {', '.join(known) or 'none'}: say `--tenant NAME`")], False
            found: list[Checked] = []
            production = False
            for tenant in [settings.tenant] if settings.tenant_said else known:
                here = Session(gateway=gateway, store=gateway.store.for_tenant(tenant), typed=typed)
                of_tenant = await _of_tenant(here)
                found += [replace(each, tenant=tenant if len(known) > 1 else "") for each in of_tenant]
                production |= await _production(here)
            return found, production
    except Exception as error:  # noqa: BLE001  whatever it is, the other checks go on
        return [broken("store", error)], False


async def _of_tenant(here: Session) -> list[Checked]:
    now = (here.typed.clock or SystemClock()).now()
    checks: tuple[Callable[[], Coroutine[Any, Any, Sequence[Checked]]], ...] = (
        lambda: tenants.ledger(here),
        lambda: tenants.clock(here, now),
        lambda: tenants.anchor(here, now),
        lambda: tenants.contracts(here),
        lambda: tenants.statements(here),
        lambda: tenants.browser(here),
        lambda: tenants.stopped(here),
        lambda: tenants.waiting(here),
        lambda: expiry(here),
        lambda: login(here),
    )
    found: list[Checked] = []
    for name, check in zip(_NAMES_OF_TENANTS, checks, strict=True):
        try:
            found += await check()
        except Exception as error:  # noqa: BLE001  whatever it is, the other checks go on
            found.append(broken(name, error))
    return found


async def _production(here: Session) -> bool:
    try:
        return await tenants.is_production(here)
    except Exception:  # noqa: BLE001  another check has said why it cannot be known
        return False


def _data(each: Checked) -> dict[str, str]:
    told = {"check": each.name, "state": each.state.value, "found": each.found, "fix": each.fix, "tenant": each.tenant}
    return {name: text for name, text in told.items() if text or name == "fix"}


def _told(screen: Screen, found: Sequence[Checked], count: Counter[State]) -> str:
    left = " " * (_BROAD + _NAME)
    lines: list[str] = []
    for each in found:
        text = f"{each.tenant}: {each.found}" if each.tenant else each.found
        lines += _indented(f"{each.state.value:{_BROAD}}{each.name:{_NAME}}", text, screen.width)
        lines += _indented(left, f"fix: {each.fix}", screen.width) if each.fix else []
    warnings = f"{count[State.WARNING]} warning{'s' if count[State.WARNING] != 1 else ''}"
    return "\n".join([*lines, "", f"{count[State.WRONG] or 'nothing'} wrong, {warnings}, {count[State.OK]} ok"])


def _indented(start: str, text: str, width: int) -> list[str]:
    first, *rest = wrapped(clean(text.replace("\n", "; ")), max(30, width - len(start))).splitlines() or [""]
    return [f"{start}{first}", *(" " * len(start) + line for line in rest)]
