"""What opens an operation: its security schemes, where each has its secret put, and what no agent may say beside it."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from msgspec.structs import replace

from interlock.core.canonical import JsonObject
from interlock.tool.openapi_document import Found
from interlock.tool.openapi_plan import Credential
from interlock.tool.openapi_style import HEADERS_NOT_SENT, TOKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """The ways in which an operation can be opened."""

    found: Found
    ways: tuple[JsonObject, ...]
    """Each names the schemes that it takes; one that takes none is open to all."""
    schemes: JsonObject
    """All that the document knows, by their names."""

    @property
    def open_to_all(self) -> bool:
        """Whether it may be asked without a secret, too."""
        return not self.ways or {} in self.ways

    def is_key(self, place: str, name: str) -> bool:
        """Whether a key goes there, in any of the ways. What an agent says there could stand beside it, or for it."""
        named = {each for way in self.ways for each in way if each in self.schemes}
        schemes = [self.found.document.followed(self.schemes[each]) for each in named]
        keys = [scheme for scheme in schemes if scheme.get("type") == "apiKey" and scheme.get("in") == place]
        return any(read_as(place, str(key.get("name", ""))) == read_as(place, name) for key in keys)

    def credential(self) -> Credential | None:
        """Say where the one secret goes, or nothing where the operation needs none.

        Raises:
            ContractInvalid: it needs one, and in no way that is known here; or several at once.
        """
        # What it takes with a secret is not what anybody may have without one.
        ways = [way for way in self.ways if way]
        if not ways:
            return None
        single = [next(iter(way)) for way in ways if len(way) == 1]
        known = [way for way in map(self._scheme, single) if way is not None]
        if known:
            return known[0]
        if not single:
            fix = f"write `secrets: {{ {', '.join(f'{scheme}: NAME' for scheme in ways[0])} }}`"
            raise self.found.wrong(f"it needs {len(ways[0])} secrets at once", fix)
        raise self.found.wrong("no secret can open it in a way that is known here", _KNOWN)

    def credentials(self, schemes: Collection[str]) -> tuple[Credential, ...]:
        """Say where each of several secrets goes, each given by its scheme.

        Raises:
            ContractInvalid: no way to open it takes exactly these; or one of them is not known here.
        """
        if not any(set(way) == set(schemes) for way in self.ways):
            said = " or ".join(" with ".join(f"`{scheme}`" for scheme in way) for way in self.ways if way)
            fix = f"name those of one way: {said}" if said else "remove `secrets`"
            raise self.found.wrong("no way to open it takes exactly these `secrets`", fix)
        found = {scheme: self._scheme(scheme) for scheme in sorted(schemes)}
        for scheme, credential in found.items():
            if credential is None:
                raise self.found.wrong(f"`{scheme}` is opened in no way that is known here", _KNOWN)
        return tuple(replace(each, scheme=scheme) for scheme, each in found.items() if each is not None)

    def _scheme(self, name: str) -> Credential | None:
        if name not in self.schemes:
            raise self.found.wrong(f"no security scheme is named `{name}`", "validate the document")
        scheme = self.found.document.followed(self.schemes[name])
        kind, way = scheme.get("type"), str(scheme.get("scheme", "")).lower()
        if kind in ("oauth2", "openIdConnect") or (kind, way) == ("http", "bearer"):
            return Credential(place="bearer")
        if (kind, way) == ("http", "basic"):
            return Credential(place="basic")
        key, place = str(scheme.get("name", "")), scheme.get("in")
        if kind != "apiKey" or place not in ("header", "query", "cookie") or not TOKEN.fullmatch(key):
            return None
        if place == "header" and key.lower() in _NOT_FOR_KEYS:
            return None
        return Credential(place=place, name=key)


def read_as(place: str, name: str) -> str:
    """Return a name as the most careless of those who read it do, so that what is one name to somebody is one here."""
    low = name.lower()
    if place == "header":
        return low.replace("_", "-")  # both are `HTTP_X_KEY` to a program behind a gateway (RFC 3875)
    # As PHP does, which leaves blanks before a name out; `name[]` is one more of that name.
    return re.sub(r"[ .]", "_", low.lstrip(" ").partition("[")[0])


def place_of(credential: Credential) -> tuple[str, str]:
    """Return where a secret goes, and under which name there, as the most careless reader reads it."""
    if credential.place in ("bearer", "basic"):
        return "header", "authorization"
    return credential.place, read_as(credential.place, credential.name)


_NOT_FOR_KEYS = HEADERS_NOT_SENT - {"authorization", "cookie"}
"""Headers that say how a request is sent, so that no key goes there."""
_KNOWN = "name an operation that is opened by `http` bearer or basic, `apiKey`, `oauth2` or `openIdConnect`"


def read_security(found: Found) -> Security:
    """Find out what opens an operation.

    Raises:
        ContractInvalid: the document does not say it as documents do.
    """
    document = found.document
    said = found.operation.get("security", document.root.get("security"))
    components = document.followed(document.root.get("components", {}))
    schemes = document.followed(components.get("securitySchemes", {}))
    return Security(found=found, ways=tuple(document.tables(said, "security")), schemes=schemes)
