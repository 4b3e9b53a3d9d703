"""Cedar itself: the one place that calls `cedarpy`. Plain values come out, and an error never opens anything."""

# The annotations of cedarpy say `dict` without saying of what.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping
from functools import lru_cache
from typing import cast

import cedarpy
import orjson
from cedarpy import Entities, PolicySet, Schema
from msgspec import Struct

from interlock.core.canonical import JsonObject
from interlock.core.ids import RuleId

__all__ = [
    "Request", "Entities", "Evaluation", "PolicySet", "Schema",
    "entities_of", "evaluate", "parsed", "policy_set", "printed", "schema_handle", "wrong_with",
]  # fmt: skip

_CALLERS_KEPT = 1_024
_ANSWERS_KEPT = 4_096
_REMEMBERED_CHARS_MAX = 1_024


class Request(Struct, frozen=True, kw_only=True):
    """A request as Cedar takes it: three names, and two JSON texts."""

    principal: str
    action: str
    resource: str
    context: str
    entities: str
    """The caller and what it belongs to."""


class Evaluation(Struct, frozen=True, kw_only=True):
    """What Cedar found. `rules` are the permits that opened, or every forbid that matched."""

    allowed: bool
    rules: tuple[RuleId, ...]
    errors: tuple[str, ...]
    """Cedar skips a policy that fails, so a forbid that fails would open. Any error here is a no."""


def parsed(text: str) -> tuple[tuple[JsonObject, ...], bool]:
    """Parse policy text into Cedar's JSON form, in the order of the text, and say whether it has templates.

    Raises:
        ValueError: it is not Cedar.
    """
    found = cast("dict[str, dict[str, JsonObject]]", orjson.loads(cedarpy.policies_to_json_str(text)))
    by_position = sorted(found["staticPolicies"].items(), key=lambda item: int(item[0].removeprefix("policy")))
    return tuple(policy for _, policy in by_position), bool(found["templates"])


def printed(policy: JsonObject) -> str:
    """Write one policy as Cedar itself writes it."""
    return cedarpy.policies_from_json_str(_set_json({"policy0": policy})).strip()


def policy_set(policies: Mapping[RuleId, JsonObject]) -> PolicySet:
    """Make a handle in which the ids of the policies are the ids of our rules."""
    return PolicySet.from_json_str(_set_json(policies))


def schema_handle(schema: JsonObject) -> Schema:
    """Parse a schema.

    Raises:
        ValueError: Cedar refuses it.
    """
    return Schema.from_json_str(orjson.dumps(schema).decode())


def entities_of(schema: Schema) -> Entities:
    """Make a handle that holds the actions and their groups."""
    return Entities.from_json_str("[]", schema)


def wrong_with(text: str, schema: Schema) -> tuple[tuple[str, str], ...]:
    """Validate policy text strictly. Each finding is the `@id` of a policy, or nothing, and what is wrong."""
    result = cedarpy.validate_policies(text, schema)
    ids = cast("dict[str, str]", result.id_annotations_by_policy_id)
    findings = tuple((ids.get(error.policy_id, ""), error.error) for error in result.errors)
    return findings if findings or result.validation_passed else (("", "the policies do not fit the schema"),)


def evaluate(policies: PolicySet, schema: Schema, base: Entities, request: Request) -> Evaluation:
    """Evaluate once. The schema checks the request; whatever goes wrong is in `errors`, and nothing is allowed.

    The same policies say the same of the same request, so what was asked lately is remembered.
    """
    small = len(request.context) + len(request.entities) <= _REMEMBERED_CHARS_MAX
    return _answered(policies, schema, base, request) if small else _asked(policies, schema, base, request)


def _asked(policies: PolicySet, schema: Schema, base: Entities, request: Request) -> Evaluation:
    try:
        named = {
            "principal": {"type": "Agent", "id": request.principal},
            "action": {"type": "Action", "id": request.action},
            "resource": {"type": "Tenant", "id": request.resource},
            "context": request.context,
        }
        result = cedarpy.is_authorized(named, policies, _with_caller(base, request.entities), schema)
    except (ValueError, TypeError) as error:
        return Evaluation(allowed=False, rules=(), errors=(str(error),))
    errors = tuple(sorted(result.diagnostics.errors))
    if result.decision is cedarpy.Decision.NoDecision and not errors:
        errors = ("Cedar came to no decision",)
    rules = tuple(sorted(RuleId(id) for id in result.diagnostics.reasons))
    return Evaluation(allowed=result.allowed and not errors, rules=rules, errors=errors)


_answered = lru_cache(_ANSWERS_KEPT)(_asked)


@lru_cache(_CALLERS_KEPT)
def _with_caller(base: Entities, entities: str) -> Entities:
    # Few callers call often, and parsing them takes a tenth of a decision.
    return base.with_added_json_str(entities)


def _set_json(policies: Mapping[RuleId, JsonObject] | Mapping[str, JsonObject]) -> str:
    return orjson.dumps({"staticPolicies": policies, "templates": {}, "templateLinks": []}).decode()
