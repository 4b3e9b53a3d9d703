"""Page actions: `browser:FILE#name` is one thing done on one web page, as publishing finds and pins it."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from interlock.contract.hosts import origin_of
from interlock.contract.ir import Host, Tool
from interlock.contract.problem import nearest
from interlock.contract.row import Row
from interlock.contract.scalar import FLAG, TEXT
from interlock.core.effect import EffectClass
from interlock.core.errors import ContractInvalid
from interlock.core.ids import Environment
from interlock.core.limits import BROWSER_FILE_BYTES_MAX
from interlock.policy.rule import Place
from interlock.tool.beside import text_beside
from interlock.tool.browser_file import PageAction, find, texts, urls
from interlock.tool.browser_plan import Addresses, BrowserPlan, LogIn, Seen
from interlock.tool.browser_shape import HEADER, WHERE
from interlock.tool.manifest import Asking, Manifest, pinned
from interlock.tool.plan import how_of
from interlock.tool.web_address import WebAddress, web_address


def describe_browser(asking: Asking) -> Manifest:
    """Find out what a page action takes and returns, and where it may go.

    Raises:
        ContractInvalid: it is not there, it contradicts itself, or it leaves open where it goes.
    """
    file, name = asking.file_and_name
    if not file or not name:
        raise ContractInvalid("the source names no page action", fix="write `from: browser:FILE#name`")
    action = find(file, text_beside(asking.folder, file, BROWSER_FILE_BYTES_MAX), name)
    with _at(action.row.place):
        _fits(asking, action)
    plan = _Planner(asking, file, action).plan()
    schema, result = action.schema(), action.result()
    # Last: whatever was found wrong while the plan and the schemas were made is said in one go.
    action.check()
    effect = EffectClass.OPAQUE if action.writes else EffectClass.READ
    return pinned(
        description=action.row.text("about"),
        schema=schema,
        result_schema=result,
        how=how_of(plan),
        effect=effect,
        notes=tuple(_notes(asking.tool, action, effect)),
    )


def _fits(asking: Asking, action: PageAction) -> None:
    """Refuse what a contract says of an action that it cannot be."""
    tool, effect = asking.tool, asking.effect_said
    if effect is EffectClass.READ and action.writes:
        fix = "say another `effect`, or name an action that has no `submit`"
        raise ContractInvalid(f"it is to be a `read`, and `{action.name}` presses a button", fix=fix)
    if effect is not None and not action.writes and effect is not EffectClass.READ:
        raise ContractInvalid(f"`{action.name}` only reads, and is not `{effect.value}`", fix="remove `effect`")
    if effect not in (None, EffectClass.READ, EffectClass.OPAQUE, EffectClass.QUERYABLE):
        fix = "write `effect: opaque`, or `queryable` with a tool that looks whether it happened"
        raise ContractInvalid(f"a button is pressed once, and is not `{effect.value}`", fix=fix)
    if tool.idempotency_header or tool.urls or tool.retries:
        fix = "remove `idempotency_header`, `urls` and `retries`; `allow` in the file says where it may go"
        raise ContractInvalid("a page action takes no header, no addresses of the contract, and is done once", fix=fix)
    if bool(tool.secret) != action.row.has("log_in"):
        fix = "name both: `secret: NAME` at the tool, and `log_in` in the file; or none of them"
        raise ContractInvalid("a secret and a way to log in go together", fix=fix)


@contextmanager
def _at(place: Place) -> Generator[None]:
    """Say where in the file it stands that something is wrong."""
    try:
        yield
    except ContractInvalid as error:
        raise ContractInvalid(f"{place}: {error}", fix=error.fix) from error


@dataclass(frozen=True, slots=True)
class _Planner:
    """Turns one action of a file into what is pinned of it."""

    asking: Asking
    file: str
    action: PageAction

    def plan(self) -> BrowserPlan:
        action, row = self.action, self.action.row
        allowed = self._all("allow", action.many("allow"), row)
        with _at(row.place_of("lost")):
            lost = tuple(self._lost(text) for text in action.many("lost"))
        return BrowserPlan(
            action=action.name,
            open=self._open(allowed),
            seconds=self.asking.tool.timeout / 1_000_000,
            allowed=allowed,
            lost=lost,
            may_post=self._all("may_post", action.many("may_post"), row),
            script_errors=row.get("script_errors", FLAG, False),
            expect=self._seen(row.row("expect")),
            fields=action.fields(),
            leave=action.many("leave"),
            submit=row.text("submit"),
            then=self._seen(row.row("then")),
            values=action.values(),
            log_in=self._log_in(row.row("log_in"), allowed) if row.has("log_in") else None,
        )

    def _seen(self, row: Row) -> Seen:
        return Seen(heading=row.text("heading"), texts=texts(row), urls=self._all("url", urls(row), row))

    def _open(self, allowed: tuple[Addresses, ...]) -> str:
        opened = self.action.row.get("open", WHERE, "")
        with _at(self.action.row.place_of("open")):
            if "{" in opened.partition("://")[2].partition("/")[0]:
                raise ContractInvalid("a parameter stands in the host", fix="write the host out")
            return self._allowed(self._absolute(opened), allowed)

    def _all(self, key: str, written: tuple[str, ...], row: Row) -> tuple[Addresses, ...]:
        with _at(row.place_of(key)):
            return tuple(self._addresses(text) for text in written)

    def _host(self) -> Host:
        return self.asking.contract.hosts.get(self.file, Host())

    def _absolute(self, text: str) -> str:
        """Put a path below the host of the file.

        Raises:
            ContractInvalid: nobody says which host that is.
        """
        if not text.startswith("/"):
            return text
        environment = self.asking.environment
        base = self._host().url_in(environment or Environment("")).rstrip("/")
        if not base and environment is None:
            return f"https://unknown.invalid{text}"  # whoever asks looks at what it takes, and carries nothing out
        if not base:
            fix = f"write `hosts: {{ {self.file}: {{ url: https://... }} }}` in the contract, or the whole address"
            raise ContractInvalid(f"nobody says where `{text}` is", fix=fix)
        return base + text

    def _addresses(self, text: str) -> Addresses:
        """Read addresses that may be asked.

        Raises:
            ContractInvalid: they leave open which host, or would be reached without TLS.
        """
        known = self._absolute(text)
        beginning = known.removesuffix("*")
        if "*" in beginning or "/" not in beginning.partition("://")[2]:
            fix = "write a whole host, and `*` at the end of a path: `https://shop.example.com/*`"
            raise ContractInvalid(f"`{text}` leaves open which host or which path", fix=fix)
        address = web_address(beginning)
        origins = self.asking.contract.hosts.get(origin_of(known), Host())
        private = (self._host() if text.startswith("/") else origins).is_private_in(
            self.asking.environment or Environment("")
        )
        if address.scheme != "https" and not private:
            fix = f'write `https://`, or `hosts: {{ "{origin_of(known)}": {{ private: true }} }}`'
            raise ContractInvalid(f"`{address.origin}` would be reached without TLS", fix=fix)
        return _beginning(address, only=beginning == known, private=private)

    def _lost(self, text: str) -> Addresses:
        known = self._absolute(text)
        beginning = known.removesuffix("*")
        return _beginning(web_address(beginning), only=beginning == known)

    def _allowed(self, text: str, allowed: tuple[Addresses, ...]) -> str:
        address = text
        for name in self.action.parameters:
            address = address.replace(f"{{{name}}}", "x")
        if not any(each.has(address) for each in allowed):
            raise ContractInvalid(f"`{text}` is not among the addresses that it allows", fix="add it to `allow`")
        return text

    def _log_in(self, row: Row, allowed: tuple[Addresses, ...]) -> LogIn:
        ways = [key for key in ("open", "header", "cookie", "storage_state") if row.has(key)]
        if len(ways) != 1:
            fix = "write one of `open` (a form), `header`, `cookie` and `storage_state: true`"
            raise ContractInvalid(f"{row.place}: it does not say one way to log in", fix=fix)
        (way,) = ways
        for key in row.map.entries:
            if key != way and key not in _BESIDE[way]:
                raise ContractInvalid(f"{row.place}: `{key}` says nothing of `{way}`", fix=nearest(key, _BESIDE[way]))
        if way == "open":
            return self._form(row, allowed)
        if way == "header" and len({each.origin for each in allowed}) > 1:
            fix = "allow one host, or log in with a form or a cookie"
            raise ContractInvalid(f"{row.place}: the header would go to every host that is allowed", fix=fix)
        if way == "storage_state":
            return LogIn(how="storage")
        return LogIn(
            how="header" if way == "header" else "cookie", name=row.get(way, HEADER, ""), scheme=row.text("scheme")
        )

    def _form(self, row: Row, allowed: tuple[Addresses, ...]) -> LogIn:
        for key in ("password", "submit", "then"):
            if not row.has(key):
                raise ContractInvalid(f"{row.place}: `{key}` is missing", fix=f"add `{key}: ...`")
        with _at(row.place_of("open")):
            opened = self._absolute(row.get("open", WHERE, ""))
            web_address(opened)
            self._allowed(opened, allowed)
        return LogIn(
            how="form",
            open=opened,
            at=self._all("url", urls(row), row) or (self._lost(f"{origin_of(opened)}/*"),),
            user=row.row("user").text("label"),
            user_is=row.row("user").get("is", TEXT, ""),
            password=row.text("password"),
            submit=row.text("submit"),
            then=self._seen(row.row("then")),
        )


def _beginning(address: WebAddress, *, only: bool, private: bool = False) -> Addresses:
    path = str(address).removeprefix(address.origin)
    return Addresses(origin=address.origin, path=path, only=only, private=private)


def _notes(tool: Tool, action: PageAction, effect: EffectClass) -> Iterator[str]:
    if tool.effect_unsaid:
        yield f"it {'presses a button' if action.writes else 'only reads'}, so it is `{effect.value}`"
    if find_spec("playwright") is None:
        yield "this installation drives no browser: `pip install 'interlock[browser]'` where it is carried out"


_BESIDE: Mapping[str, frozenset[str]] = {
    "open": frozenset({"url", "user", "password", "submit", "then"}),
    "header": frozenset({"scheme"}),
    "cookie": frozenset(),
    "storage_state": frozenset(),
}
