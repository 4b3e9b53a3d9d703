"""What opens an operation: its security schemes, where each has its secret put, and what no agent may say beside it."""

from dataclasses import dataclass

from interlock.core.canonical import JsonObject
from interlock.tool.openapi_document import Found
from interlock.tool.openapi_plan import Credential
from interlock.tool.openapi_style import TOKEN


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

    @property
    def keys(self) -> frozenset[tuple[str, str]]:
        """Name the places of keys that open it. What an agent says there could stand beside the secret, or for it."""
        named = {name for way in self.ways for name in way if name in self.schemes}
        schemes = [self.found.document.followed(self.schemes[name]) for name in named]
        keys = [scheme for scheme in schemes if scheme.get("type") == "apiKey"]
        return frozenset((str(key.get("in", "")), str(key.get("name", "")).lower()) for key in keys)

    def credential(self) -> Credential | None:
        """Say where the secret goes, or nothing where the operation needs none.

        Raises:
            ContractInvalid: it needs one, and in no way that is known here.
        """
        # What it takes with a secret is not what anybody may have without one.
        ways = [way for way in self.ways if way]
        if not ways:
            return None
        single = [next(iter(way)) for way in ways if len(way) == 1]
        known = [way for way in map(self._scheme, single) if way is not None]
        if not known:
            fix = "name an operation with one scheme: `http` bearer or basic, `apiKey`, `oauth2`, `openIdConnect`"
            raise self.found.wrong("no secret can open it in a way that is known here", fix)
        return known[0]

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
        if kind == "apiKey" and place in ("header", "query", "cookie") and TOKEN.fullmatch(key):
            return Credential(place=place, name=key)
        return None


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
