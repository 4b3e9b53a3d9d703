"""Tools from OpenAPI documents: `openapi:FILE#operationId` is one operation, as publishing finds and pins it."""

from collections.abc import Mapping
from typing import Any

from interlock.contract.ir import Host, Tool
from interlock.core.canonical import JsonObject
from interlock.core.effect import EffectClass
from interlock.core.errors import ContractInvalid
from interlock.core.ids import Environment
from interlock.tool.manifest import Asking, Manifest, pinned
from interlock.tool.openapi_document import Found, find, read_document
from interlock.tool.openapi_operation import Operation, read_operation
from interlock.tool.openapi_plan import Credential, Plan
from interlock.tool.openapi_security import place_of, read_as
from interlock.tool.openapi_style import HEADERS_NOT_SENT
from interlock.tool.plan import how_of
from interlock.tool.web_address import web_address

_EFFECTS: Mapping[str, EffectClass] = {
    "GET": EffectClass.READ,
    "HEAD": EffectClass.READ,
    "OPTIONS": EffectClass.READ,
    "PUT": EffectClass.IDEMPOTENT,
    "DELETE": EffectClass.IDEMPOTENT,
}
"""What repeating a request does by its method (RFC 9110, 9.2). Of any other method nobody knows."""
_AS_STRICT = tuple(EffectClass)


def describe_openapi(asking: Asking) -> Manifest:
    """Find out what an operation takes and returns, and how it is asked.

    Raises:
        ContractInvalid: it is not there, or it cannot be a tool.
    """
    name, id = asking.file_and_name
    if not name or not id:
        raise ContractInvalid("the source names no operation", fix="write `from: openapi:FILE#operationId`")
    document = read_document(asking.folder, name)
    found = find(document, id)
    if found.method == "TRACE":
        raise document.wrong(f"`{id}` is a TRACE, which shows what was sent", "name another operation")
    operation = read_operation(found, key_header=_key_header(asking.tool))
    plan = Plan(
        operation=id,
        method=found.method,
        url=_url(asking, found),
        path=found.path,
        private=_is_private(asking, name),
        sent=operation.sent,
        body=operation.body.kind,
        body_type=operation.body.type,
        body_needed=operation.body.needed,
        credentials=_credentials(asking.tool, operation),
    )
    return pinned(
        description=operation.description,
        schema=operation.schema,
        result_schema=operation.result,
        how=how_of(plan),
        effect=_effect(asking.tool, found.method),
        notes=(*operation.notes, *_about_effect(asking.tool, found)),
    )


def _effect(tool: Tool, method: str) -> EffectClass:
    known = _EFFECTS.get(method, EffectClass.OPAQUE)
    return EffectClass.IDEMPOTENT_KEY if tool.idempotency_header and known is not EffectClass.READ else known


def _about_effect(tool: Tool, found: Found) -> tuple[str, ...]:
    """Say what was made of its method, or what the contract says in spite of it."""
    by_method = _effect(tool, found.method)
    if tool.effect_unsaid:
        return (f"its method is {found.method}, so it is `{by_method.value}`",)
    if _AS_STRICT.index(tool.effect) < _AS_STRICT.index(by_method):
        if tool.only_for_facts and tool.name == tool.source:
            # Nobody has said that it only reads: it was written in place of a tool that does.
            fix = "declare it in `tools` with `effect: read`, if that is so, and name that tool"
            raise ContractInvalid(f"a look-up only reads, and `{found.id}` is a {found.method}", fix=fix)
        return (f"the contract says `{tool.effect.value}`, and a {found.method} is `{by_method.value}` by itself",)
    return ()


def _key_header(tool: Tool) -> str:
    header = tool.idempotency_header
    if header.lower() in HEADERS_NOT_SENT:
        fix = "name the header by which the other side knows a repetition, such as `Idempotency-Key`"
        raise ContractInvalid(f"`idempotency_header: {header}` names a header that is not ours to set", fix=fix)
    return header


def _credentials(tool: Tool, operation: Operation) -> tuple[Credential, ...]:
    if tool.secrets:
        found = operation.security.credentials(tool.secrets)
    elif tool.secret:
        found = tuple(each for each in (operation.security.credential(),) if each is not None)
    else:
        found = ()
    if tool.secret and not found:
        fix = "remove `secret`, or declare in the document where it goes (`security`)"
        raise ContractInvalid(f"the operation takes no secret, and `secret: {tool.secret}` names one", fix=fix)
    if not found and not operation.security.open_to_all:
        fix = "write `secret: NAME`, and set it for the workflow"
        raise ContractInvalid("the operation needs a secret, and the tool names none", fix=fix)
    _apart(tool, operation, found)
    return found


def _apart(tool: Tool, operation: Operation, credentials: tuple[Credential, ...]) -> None:
    """See that nothing else goes where a secret goes."""
    places = {place_of(each) for each in credentials}
    if tool.idempotency_header and ("header", read_as("header", tool.idempotency_header)) in places:
        what = f"the secret and the key would both go into `{tool.idempotency_header}`"
        raise ContractInvalid(what, fix="name another `idempotency_header`")
    cookies = any(place == "cookie" for place, _ in places) or any(each.place == "cookie" for each in operation.sent)
    if len(places) < len(credentials) or (("header", "cookie") in places and cookies):
        what = "two of its secrets, or a secret and a cookie, would go into the same place"
        raise ContractInvalid(what, fix="correct `security` in the document, or name an operation without it")


def _url(asking: Asking, found: Found) -> str:
    """Say where the paths of the document begin: as the contract says it, or the document.

    Raises:
        ContractInvalid: nobody says it, or it is no address that may be asked.
    """
    document = found.document
    host = asking.contract.hosts.get(document.name, Host())
    said = host.url_in(asking.environment or Environment(""))
    if asking.environment is None:
        return ""  # whoever asks looks at what it takes, and carries nothing out
    if host.urls and not said:
        fix = f"write `hosts: {{ {document.name}: {{ url: {{ {asking.environment}: https://... }} }} }}`"
        raise ContractInvalid(f"`{document.name}` has no address in `{asking.environment}`", fix=fix)
    text = said or _server(found)
    if not text.startswith(("https://", "http://")):
        fix = f"write `hosts: {{ {document.name}: https://... }}`"
        raise ContractInvalid(f"`{document.name}` names no server of its own (`{text}`)", fix=fix)
    address = web_address(text)
    if address.query:
        raise ContractInvalid("the address of a server has a query", fix="leave out what stands behind `?`")
    if address.scheme != "https" and not _is_private(asking, document.name):
        fix = f"write an `https://` address, or `hosts: {{ {document.name}: {{ private: true }} }}`"
        raise ContractInvalid(f"`{address.origin}` would be reached without TLS", fix=fix)
    return str(address).rstrip("/")


def _is_private(asking: Asking, name: str) -> bool:
    return asking.contract.hosts.get(name, Host()).is_private_in(asking.environment or Environment(""))


def _server(found: Found) -> str:
    """Return the first server that the operation, its path or the document names, with its variables filled in."""
    document = found.document
    for table in (found.operation, found.item, document.root):
        for server in document.tables(table.get("servers"), "servers"):
            variables = document.followed(server.get("variables", {}))
            url = str(server.get("url", ""))
            for name in variables:
                url = url.replace(f"{{{name}}}", str(_default(document.followed(variables[name]))))
            return url
    return ""


def _default(variable: JsonObject) -> Any:  # noqa: ANN401  what a document says
    return variable.get("default", "")
