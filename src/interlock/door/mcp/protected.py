"""The endpoint as a protected resource (RFC 9728): who issues tokens for it, told to clients that have none yet.

An issuer is named whose audience is the address of the endpoint, because the tokens of no other one are for it. The
address is the one by which the client came, as far as this server is reached by that name.
"""

from collections.abc import Sequence
from urllib.parse import parse_qs

import msgspec

from interlock.core.ids import TenantId
from interlock.door.asgi import Scope, header
from interlock.door.entrance import NO_TOKEN, TENANT, TENANT_NAME, Entrance
from interlock.identity.bearer import NotKnown
from interlock.ports import Needs

_DEFAULT = "default"
MCP = "/mcp"
WELL_KNOWN = "/.well-known/oauth-protected-resource"
PLACES = frozenset({WELL_KNOWN, WELL_KNOWN + MCP})

Header = tuple[bytes, bytes]


async def described(entrance: Entrance, scope: Scope) -> bytes | None:
    """Say who issues tokens for the endpoint; nothing where nobody does, or the request is not for this server."""
    tenant = _named(scope) or _DEFAULT
    issuers = await _issuers(entrance, scope, tenant) if entrance.from_here(scope) else ()
    if not issuers:
        return None
    about = {
        "resource": _origin(entrance, scope) + MCP,
        "authorization_servers": issuers,
        "bearer_methods_supported": ["header"],
        "resource_name": "Interlock",
    }
    return msgspec.json.encode(about)


async def challenge(entrance: Entrance, scope: Scope, why: NotKnown) -> Header:
    """Say what whoever is not let in has to show, and where they find out who issues it."""
    said = ['realm="interlock"'] + ([] if why is NO_TOKEN else ['error="invalid_token"'])
    tenant = header(scope, TENANT) or _DEFAULT
    if await _issuers(entrance, scope, tenant):
        # Clients look it up without the headers that they call with, so the address says of which tenant it is.
        query = f"?tenant={tenant}" if tenant != _DEFAULT else ""
        said.append(f'resource_metadata="{_origin(entrance, scope)}{WELL_KNOWN}{MCP}{query}"')
    return b"www-authenticate", f"Bearer {', '.join(said)}".encode()


def _named(scope: Scope) -> str | None:
    """Return the tenant that the address names, or else a header."""
    named = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("tenant", [])
    return named[0] if len(named) == 1 else header(scope, TENANT)


async def _issuers(entrance: Entrance, scope: Scope, tenant: str) -> Sequence[str]:
    if not TENANT_NAME.fullmatch(tenant):
        return ()
    gateway = entrance.gateway
    door = gateway.doors.get(TenantId(tenant))
    if door is None:
        door = (await gateway.store.for_tenant(TenantId(tenant)).read(Needs())).door
    meant = _origin(entrance, scope) + MCP
    return sorted({issuer.url for issuer in door.issuers.values() if issuer.audience == meant})


def _origin(entrance: Entrance, scope: Scope) -> str:
    secure = entrance.behind_tls or scope.get("scheme") == "https"
    return f"{'https' if secure else 'http'}://{header(scope, b'host') or ''}"
