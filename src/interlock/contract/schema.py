"""The published JSON Schema (2020-12) of the full shape, made from the same description as the reader."""

from interlock.contract.full_shape import FULL
from interlock.contract.scalar import Leaf
from interlock.contract.shape import AnyJson, Either, Many, Named, Shape, Table
from interlock.core.canonical import Json


def schema() -> dict[str, Json]:
    """Return the schema. It says the form; what names refer to, only `interlock contract check` can say."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Interlock contract",
        "description": "What an agent may do, at what cost, with whose consent",
        **_of(FULL),
    }


def _of(shape: Shape) -> dict[str, Json]:
    match shape:
        case Leaf():
            return dict(shape.schema)
        case Many():
            least: dict[str, Json] = {"minItems": shape.least} if shape.least else {}
            return {"type": "array", "items": _of(shape.of), **least}
        case Named():
            one: dict[str, Json] = {"minProperties": 1, "maxProperties": 1} if shape.only_one else {}
            names = dict(shape.names.schema)
            return {"type": "object", "propertyNames": names, "additionalProperties": _of(shape.of), **one}
        case Table():
            return _of_table(shape)
        case Either():
            return {"anyOf": [_of(shape.short), _of(shape.long)]}
        case AnyJson():
            return {"type": "object"}


def _of_table(shape: Table) -> dict[str, Json]:
    written: dict[str, Json] = {
        "type": "object",
        "properties": {key: _of(inner) for key, inner in shape.keys.items()},
        "additionalProperties": _of(shape.others.of) if shape.others else False,
    }
    if shape.starts:
        written["patternProperties"] = {f"^{start}.": _of(inner) for start, inner in shape.starts.items()}
    if shape.needed:
        written["required"] = [*sorted(shape.needed)]
    if shape.others:
        written["propertyNames"] = dict(shape.others.names.schema)
    return written
