"""One Cedar policy as we need it: its id, what it does where it matches, whom it asks, what it looks at."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from interlock.core.canonical import JsonObject
from interlock.core.decision import OnChange, Requirement
from interlock.core.errors import ContractInvalid
from interlock.core.ids import Role, RuleId
from interlock.policy import engine
from interlock.policy.cedar import span_of
from interlock.policy.rule import Place, Rule, RuleEffect

_ASKING = frozenset({"approvers", "quorum", "each", "expires", "on_change", "step_up"})
_KNOWN = frozenset({"id", "effect", "note", "shared"}) | _ASKING
_EFFECTS = {"ask": RuleEffect.ASK, "suggest": RuleEffect.SUGGEST, "deny": RuleEffect.DENY}
_QUORUM_DIGITS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policy:
    """One policy. `rule` is what a contract wrote; a policy without one comes from an organisation's own file."""

    id: RuleId
    effect: RuleEffect
    place: Place
    json: JsonObject
    text: str
    """As Cedar writes it, which is what is validated, hashed and shown."""
    requirement: Requirement | None = None
    actions: frozenset[str] | None = None
    """The tools and groups that it is about; nothing said is all."""
    facts: frozenset[str] | None = frozenset()
    """The facts that it looks at; nothing said is that it may look at any."""
    looks_at: frozenset[tuple[str, ...]] = frozenset()
    """The places in the context that it names, for explanation."""
    note: str = ""
    shared: bool = False
    """Several workflows use it, so it may name tools and values that one of them lacks."""
    rule: Rule | None = None

    def reaches(self, names: frozenset[str]) -> bool:
        """Tell whether the policy may be about a tool with this name and these groups."""
        return self.actions is None or bool(self.actions & names)


def read(text: str, file: str, rules: tuple[Rule, ...] | None = None) -> tuple[Policy, ...]:
    """Read the policies of one text, in order. `rules` are those that it was made from, if it was.

    Raises:
        ContractInvalid: it is not Cedar, or a policy does not say what it must.
    """
    try:
        found, has_templates = engine.parsed(text)
    except ValueError as error:
        raise invalid(Place(file=file), f"not Cedar: {error}", "mend the policy; Cedar reads the whole file") from error
    if has_templates:
        raise invalid(
            Place(file=file), "a template (`?principal`, `?resource`) decides nothing", "write it out as policies"
        )
    if rules is not None:
        assert len(found) == len(rules), "one rule is one policy"
        return tuple(_policy(policy, rule.place, rule) for policy, rule in zip(found, rules, strict=True))
    return tuple(_policy(policy, _place(file, text, policy), None) for policy in found)


def _policy(policy: JsonObject, place: Place, rule: Rule | None) -> Policy:
    annotations = {name: value or "" for name, value in _annotations(policy).items()}
    id = annotations.get("id", "")
    if not id:
        raise invalid(place, "a policy without an `@id`", 'begin it with `@id("a.name.of.its.own")`')
    unknown = sorted(set(annotations) - _KNOWN)
    if unknown:
        known = ", ".join(f"@{name}" for name in sorted(_KNOWN))
        raise invalid(place, f"policy `{id}` has an unknown annotation `@{unknown[0]}`", f"use one of {known}")
    effect = _effect(policy, annotations, place)
    paths = tuple(_paths([policy.get("conditions", [])]))
    return Policy(
        id=RuleId(id),
        effect=effect,
        place=place,
        json=policy,
        text=engine.printed(policy),
        requirement=_requirement(annotations, place) if effect is RuleEffect.ASK else None,
        actions=_actions(policy),
        facts=_facts(paths),
        looks_at=frozenset(paths),
        note=annotations.get("note", ""),
        shared=_truth(annotations, "shared", place),
        rule=rule,
    )


def _annotations(policy: JsonObject) -> Mapping[str, str | None]:
    return cast("Mapping[str, str | None]", policy.get("annotations", {}))


def _effect(policy: JsonObject, annotations: Mapping[str, str], place: Place) -> RuleEffect:
    id, named = annotations["id"], annotations.get("effect")
    if policy["effect"] == "permit":
        effect = RuleEffect.PERMIT
        if named is not None:
            raise invalid(place, f"policy `{id}` permits and has an `@effect`", "drop the `@effect`")
    elif named is None:
        effect = RuleEffect.DENY
    elif named in _EFFECTS:
        effect = _EFFECTS[named]
    else:
        raise invalid(place, f"policy `{id}` has an unknown effect `{named}`", "use `ask`, `suggest` or `deny`")
    without_use = sorted(_ASKING & set(annotations))
    if effect is not RuleEffect.ASK and without_use:
        raise invalid(
            place,
            f"policy `{id}` has `@{without_use[0]}` and asks nobody",
            'add `@effect("ask")`, or drop the annotation',
        )
    return effect


def _requirement(annotations: Mapping[str, str], place: Place) -> Requirement:
    id = annotations["id"]
    roles = frozenset(Role(role.strip()) for role in annotations.get("approvers", "").split(",") if role.strip())
    quorum = annotations.get("quorum", "1")
    if not (quorum.isascii() and quorum.isdigit() and 0 < int(quorum[:_QUORUM_DIGITS_MAX]) == int(quorum)):
        raise invalid(place, f"policy `{id}` has no usable quorum", 'write a number of people, as `@quorum("2")`')
    expires = span_of(annotations.get("expires", "48h"))
    if not expires:
        raise invalid(place, f"policy `{id}` has no usable expiry", 'write a span of time, as `@expires("48h")`')
    on_change = annotations.get("on_change", "ask")
    if on_change not in {"ask", "go_on"}:
        raise invalid(place, f"policy `{id}` has an unknown `@on_change`", "use `ask` or `go_on`")
    return Requirement(
        rule=RuleId(id),
        approvers=roles,
        quorum=int(quorum),
        each=_truth(annotations, "each", place),
        expires=expires,
        on_change=cast("OnChange", on_change),
        step_up=_truth(annotations, "step_up", place),
    )


def _truth(annotations: Mapping[str, str], name: str, place: Place) -> bool:
    value = annotations.get(name, "false")
    if value not in {"true", "false"}:
        message = f"policy `{annotations['id']}` has an unclear `@{name}`"
        raise invalid(place, message, f'write `@{name}("true")` or `@{name}("false")`')
    return value == "true"


def _actions(policy: JsonObject) -> frozenset[str] | None:
    """Return the actions in the scope. A form that is not known here is taken to be about everything."""
    scope = cast("Mapping[str, object]", policy["action"])
    one, several = scope.get("entity"), scope.get("entities")
    entities = cast("list[Mapping[str, str]]", several if one is None else [one])
    if scope.get("op") not in {"==", "in"} or not isinstance(several, list | None):
        return None
    return frozenset(entity["id"] for entity in entities)


def _facts(paths: tuple[tuple[str, ...], ...]) -> frozenset[str] | None:
    """Return the facts that a policy names, or nothing if it may look at any of them."""
    if any(path in {(), ("facts",)} for path in paths):
        return None
    return frozenset(path[1] for path in paths if path[0] == "facts")


def _paths(expressions: list[object]) -> Iterator[tuple[str, ...]]:
    """Walk Cedar's JSON form and yield each longest path from `context` that stands in it."""
    waiting = list(expressions)
    while waiting:
        expression = waiting.pop()
        if isinstance(expression, dict):
            path = _path(cast("dict[str, object]", expression))
            if path == _TELLS_NOTHING:
                continue
            if path is not None:
                yield path
            else:
                waiting.extend(cast("dict[str, object]", expression).values())
        elif isinstance(expression, list):
            waiting.extend(cast("list[object]", expression))


_TELLS_NOTHING = ("has", "facts")  # `context has facts` always holds, and says nothing of any fact


def _path(expression: Mapping[str, object]) -> tuple[str, ...] | None:
    match expression:
        case {"Var": "context"}:
            return ()
        case {"has": {"left": {"Var": "context"}, "attr": "facts"}}:
            return _TELLS_NOTHING
        case {".": access} | {"has": access}:
            part = cast("Mapping[str, object]", access)
            before = _path(cast("Mapping[str, object]", part["left"]))
            return None if before is None else (*before, str(part["attr"]))
        case _:
            return None


def _place(file: str, text: str, policy: JsonObject) -> Place:
    """Find where a policy says its `@id`; of one that is spelt in an unusual way, only the file is known."""
    id = _annotations(policy).get("id") or ""
    found = re.search(rf'^[^/\n]*(@id\s*\(\s*"{re.escape(id)}")', text, re.MULTILINE) if id else None
    if found is None:
        return Place(file=file)
    at = found.start(1)
    return Place(file=file, line=text.count("\n", 0, at) + 1, column=at - text.rfind("\n", 0, at))


def invalid(place: Place, message: str, fix: str) -> ContractInvalid:
    """Make the error that names the place."""
    return ContractInvalid(f"{place}: {message}", fix=fix)
