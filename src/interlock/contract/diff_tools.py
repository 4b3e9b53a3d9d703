"""What changed in the tools of a contract: added, gone, field by field. A field that nothing here knows is `OTHER`."""

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import fields
from typing import Any, cast

from interlock.contract.diff_consent import somebody
from interlock.contract.diff_line import Line, Weight, in_file, said
from interlock.contract.ir import Contract, Tool, Undo, Unique
from interlock.contract.narrow import wider
from interlock.core.canonical import JsonObject
from interlock.core.effect import EffectClass, Tier
from interlock.policy.arguments import arguments_of
from interlock.policy.cedar import span_text
from interlock.policy.rule import RuleEffect
from interlock.policy.strictness import as_strict
from interlock.policy.words import decimal

_EFFECTS = tuple(EffectClass)
_TIERS = tuple(Tier)
_SPANS = frozenset({"timeout", "backoff", "resend_within", "cache_ttl"})


def tool_changes(old: Contract, new: Contract, looks_at: Set[str]) -> Iterator[Line]:
    """Return every tool that was added, is gone or was changed.

    Args:
        old: the contract before.
        new: the contract after.
        looks_at: what the organisation's own policies look at, by its first name; `*` is everything.
    """
    for name in sorted(old.tools.keys() | new.tools.keys()):
        was, will = old.tools.get(name), new.tools.get(name)
        if was is None and will is not None:
            yield _added(old, new, will)
        elif will is None and was is not None:
            weight = Weight.OTHER if was.only_as_undo else Weight.TIGHTER
            what = "gone" + (": what it would undo cannot be undone any more" if was.only_as_undo else "")
            yield Line(weight, f"`{name}`", f"tool {what}", was.place, in_file(new))
        elif was is not None and will is not None:
            yield from _changed(old, new, was, will, looks_at)


def _added(old: Contract, new: Contract, tool: Tool) -> Line:
    permits = [rule for rule in new.rules if rule.effect is RuleEffect.PERMIT]
    permitted = any(rule.tool in (None, tool.name) for rule in permits) or bool(new.cedar)
    is_read = tool.effect is EffectClass.READ and tool.only_for_facts
    weight = Weight.NEITHER if is_read or not permitted else Weight.LOOSER
    more = ", for facts alone" if is_read else "" if permitted else ", which no rule allows"
    what = f"new tool ({tool.effect.value}, {tool.tier.value}){more}"
    return Line(weight, f"`{tool.name}`", what, in_file(old), tool.place)


def _changed(old: Contract, new: Contract, was: Tool, will: Tool, looks_at: Set[str]) -> Iterator[Line]:
    for field in fields(Tool):
        before, after = getattr(was, field.name), getattr(will, field.name)
        if field.name in {"place", "name"} or before == after:
            continue
        match field.name:
            case "tier":
                weight = _tier(old, new, was.tier, will.tier, looks_at)
            case "schema":
                weight = _schema(was, will)
            case _:
                weight = _FIELDS.get(field.name, _other)(before, after)
        name = _NAMES.get(field.name, field.name)
        what = f"{name} {_words(field.name, before)} -> {_words(field.name, after)}"
        yield Line(weight, f"`{was.name}`", what, was.place, will.place)


def _words(name: str, value: Any) -> str:  # noqa: ANN401  any field of a tool
    if name in _SPANS and value is not None:
        return span_text(value)
    if name == "price" and value is not None:
        return decimal(value)
    match value:
        case EffectClass() | Tier():
            return value.value
        case Undo():
            return f"by `{value.tool}` within {span_text(value.within)}"
        case Unique():
            return f"on {', '.join(value.on)} within {span_text(value.within)}"
        case _:
            return said(value)


_NAMES = {"effect": "effect class", "kind": "class", "arguments": "args"}


def _tier(old: Contract, new: Contract, was: Tier, will: Tier, looks_at: Set[str]) -> Weight:
    if _TIERS.index(will) < _TIERS.index(was):
        return Weight.LOOSER
    if looks_at & {"tier", "*"}:
        return Weight.OTHER  # a policy of the organisation may say something else of the higher tier
    # A draft of before is agreed to by the people of red, where those of yellow were asked.
    return Weight.TIGHTER if will is Tier.YELLOW or _red_as_strict(old, new) else Weight.OTHER


def _red_as_strict(old: Contract, new: Contract) -> bool:
    yellow, red = old.approvals.yellow, new.approvals.red
    if yellow is None or not somebody(yellow):
        return False  # what nobody may agree to is refused; what is red is shown as a draft
    return red is None or as_strict(red, yellow)


def _schema(was: Tool, will: Tool) -> Weight:
    """Order two schemas. Rules must see the same of the same arguments, and nothing may be filled in otherwise."""
    if will.schema is None:
        return Weight.TIGHTER  # without a schema nothing is taken
    if was.schema is None:
        return Weight.LOOSER
    names = [path for path, argument in will.arguments.items() if argument.role == "quantity"]
    same = arguments_of(was.schema, names) == arguments_of(will.schema, names)
    same = same and list(_defaults(was.schema)) == list(_defaults(will.schema))
    if same and wider(will.schema, was.schema) is None:
        return Weight.TIGHTER
    return Weight.LOOSER if same and wider(was.schema, will.schema) is None else Weight.OTHER


def _defaults(schema: JsonObject, path: str = "$") -> Iterator[tuple[str, object]]:
    if "default" in schema:
        yield path, schema["default"]
    for name, inner in sorted(schema.items()):
        if isinstance(inner, dict):
            yield from _defaults(cast("JsonObject", inner), f"{path}.{name}")


def _other(_before: object, _after: object) -> Weight:
    return Weight.OTHER


def _more_is_looser(before: Any, after: Any) -> Weight:  # noqa: ANN401  numbers of a tool; none is none at all
    return Weight.LOOSER if (after or 0) > (before or 0) else Weight.TIGHTER


def _more_is_tighter(before: Any, after: Any) -> Weight:  # noqa: ANN401  things that must hold
    if set(after) >= set(before):
        return Weight.TIGHTER
    return Weight.LOOSER if set(after) <= set(before) else Weight.OTHER


def _on_is_tighter(_before: object, after: object) -> Weight:
    return Weight.TIGHTER if after else Weight.LOOSER


def _effect(before: EffectClass, after: EffectClass) -> Weight:
    # The other way is not tighter for sure: switches, break-glass and groups of rules name a class.
    return Weight.LOOSER if _EFFECTS.index(after) < _EFFECTS.index(before) else Weight.OTHER


def _price(before: int | None, after: int | None) -> Weight:
    if after is None:
        return Weight.TIGHTER  # what has no price is refused
    return Weight.LOOSER if before is None else Weight.OTHER


def _keep(before: tuple[str, ...], after: tuple[str, ...]) -> Weight:
    """Of a result less is shown where less is kept; nothing said keeps all of it."""
    if after and (not before or set(after) <= set(before)):
        return Weight.TIGHTER
    return Weight.LOOSER


def _urls(before: tuple[str, ...], after: tuple[str, ...]) -> Weight:
    if set(after) <= set(before):
        return Weight.TIGHTER
    return Weight.LOOSER if set(after) >= set(before) else Weight.OTHER


def _unique(before: Unique | None, after: Unique | None) -> Weight:
    if before is None or after is None:
        return _on_is_tighter(before, after)
    if before.on != after.on:
        return Weight.OTHER
    return Weight.TIGHTER if after.within >= before.within else Weight.LOOSER


def _serialize(before: str, after: str) -> Weight:
    return Weight.OTHER if before and after else _on_is_tighter(before, after)


def _undo(before: Undo | None, after: Undo | None) -> Weight:
    """Order undos. To take more back is more that can be done, to take less back is less safe: neither is tighter."""
    if after is None:
        return Weight.LOOSER
    same = before is not None and (before.tool, before.args) == (after.tool, after.args)
    return Weight.LOOSER if same and before is not None and after.within < before.within else Weight.OTHER


_FIELDS: Mapping[str, Callable[[Any, Any], Weight]] = {
    "effect": _effect,
    "price": _price,
    "retries": _more_is_looser,
    "resend_within": _more_is_looser,
    "slots": _more_is_looser,
    "isolate": _on_is_tighter,
    "outside": _on_is_tighter,
    "keep": _keep,
    "urls": _urls,
    "unique": _unique,
    "serialize": _serialize,
    "expect": _more_is_tighter,
    "undo": _undo,
    "check": _more_is_tighter,
    "only_for_facts": _on_is_tighter,
    "only_as_undo": _on_is_tighter,
}
