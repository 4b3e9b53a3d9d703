"""Rules and policy files into policies that can decide: parsed, validated, cut into slices. Slow; done at publish."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import orjson

from interlock.core.ids import RuleId, SliceHash, ToolName
from interlock.policy import engine
from interlock.policy.cedar import cedar_of
from interlock.policy.lint import argument_at, check_ids, check_looks, check_native, check_rules, check_shapes
from interlock.policy.reading import Policy, invalid, read
from interlock.policy.rule import Before, FactIsNot, Place, Rule, RuleEffect
from interlock.policy.schema import View, groups_of, schema_of, stand_ins, view_of
from interlock.policy.table import TABLE_VERSION, Consents, consent_for
from interlock.policy.vocabulary import FactKind, ToolShape

PERMITS_FROM = frozenset({"org/"})
"""Where a file of policies may permit; elsewhere it can only tighten."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice:
    """All that can decide about one tool."""

    shape: ToolShape
    view: View
    hash: SliceHash
    policies: Mapping[RuleId, Policy]
    facts: Mapping[str, tuple[RuleId, ...]]
    """The facts that these policies look at, and which of them do. Each must be known."""
    permitted: bool
    """Whether any policy permits the tool at all."""
    asks: bool
    """Whether the contract asks about this tool, by name or kind, under a condition of the call itself."""
    every: engine.PolicySet
    opening: engine.PolicySet
    """Permits and hard forbids: what must still allow when every asking policy is set aside."""
    schema: engine.Schema
    base: engine.Entities


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policies:
    """What one contract may be judged by."""

    slices: Mapping[ToolName, Slice]
    policies: Mapping[RuleId, Policy]
    consents: Consents
    facts: Mapping[str, FactKind]

    def facts_of(self, tool: ToolName) -> frozenset[str]:
        """Name the facts that must be looked up before a call of `tool` is judged."""
        found = self.slices.get(tool)
        return frozenset(found.facts) if found else frozenset()


def load(
    rules: Iterable[Rule],
    *,
    native: Mapping[str, str],
    shapes: Iterable[ToolShape],
    facts: Mapping[str, FactKind],
    consents: Consents,
    permits_from: frozenset[str] = PERMITS_FROM,
) -> Policies:
    """Make policies that can decide.

    Args:
        rules: what the contract says.
        native: the organisation's own policy files, by name.
        shapes: every tool that the contract names.
        facts: the kinds of the facts; a fact that a rule compares needs no mention.
        consents: who agrees to what a tier asks for.
        permits_from: the files that may permit: a name, or a directory that ends in `/`.

    Raises:
        ContractInvalid: something cannot be honoured as it stands.
    """
    tools = check_shapes(shapes)
    known = tuple(rules)
    kinds = fact_kinds(known, facts)
    check_rules(known, tools)
    policies = _contract_policies(known, tools)
    for file, text in sorted(native.items()):
        policies += check_native(read(text, file), file, permits_from)
    check_ids(policies)
    check_looks(policies, tools, frozenset(kinds))
    elsewhere = {name for policy in policies if policy.shared for name in policy.actions or ()}
    _validate(policies, schema_of((*tools.values(), *stand_ins(tools.values(), elsewhere)), kinds))
    by_id = MappingProxyType({policy.id: policy for policy in policies})
    slices = {name: slice_of(shape, policies, kinds, consents) for name, shape in tools.items()}
    return Policies(
        slices=MappingProxyType(slices), policies=by_id, consents=MappingProxyType(dict(consents)), facts=kinds
    )


def fact_kinds(rules: Iterable[Rule], declared: Mapping[str, FactKind]) -> Mapping[str, FactKind]:
    """Add the kinds of the facts that rules compare to those that are declared.

    Raises:
        ContractInvalid: two places take the same fact for different kinds.
    """
    kinds = dict(declared)
    for rule in rules:
        if isinstance(rule.when, FactIsNot):
            kind = _kind(rule.when.value)
            if kinds.setdefault(rule.when.name, kind) != kind:
                message = f"fact `{rule.when.name}` is {kinds[rule.when.name]} and is compared as {kind}"
                raise invalid(rule.place, message, "compare it with a value of its own kind")
    return MappingProxyType(kinds)


def _kind(value: bool | int | str) -> FactKind:
    match value:
        case bool():
            return "bool"
        case int():
            return "long"
        case str():
            return "string"


def _contract_policies(rules: tuple[Rule, ...], tools: Mapping[ToolName, ToolShape]) -> tuple[Policy, ...]:
    text = "\n".join(cedar_of(rule, argument_at(rule, tools)) for rule in rules)
    return read(text, "contract", rules)


def _validate(policies: tuple[Policy, ...], schema: Mapping[str, object]) -> None:
    try:
        handle = engine.schema_handle(schema)
    except (ValueError, TypeError) as error:
        place = Place(file="contract")
        raise invalid(place, f"Cedar refuses the vocabulary: {error}", "rename the tool, argument or fact") from error
    places = {policy.id: policy.place for policy in policies}
    for id, message in engine.wrong_with("\n".join(policy.text for policy in policies), handle):
        place = places.get(RuleId(id), Place(file="contract"))
        fix = "ask whether an optional value is there before using it: `context.facts has x && context.facts.x`"
        raise invalid(place, f"policy `{id}` does not fit the vocabulary: {message}", fix)


def cut(shape: ToolShape, policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Keep the policies that may be about a tool: by name, by group, or because they name no action."""
    names = frozenset({shape.name, *groups_of(shape)})
    return tuple(sorted((policy for policy in policies if policy.reaches(names)), key=lambda policy: policy.id))


def slice_of(shape: ToolShape, policies: Iterable[Policy], facts: Mapping[str, FactKind], consents: Consents) -> Slice:
    """Cut the slice of one tool and make it ready to be evaluated."""
    kept = cut(shape, policies)
    looked_at = _looked_at(kept, facts)
    known: dict[str, FactKind] = {name: facts[name] for name in looked_at}
    view = view_of(shape, known, (path for policy in kept for path in policy.looks_at))
    handle = engine.schema_handle(schema_of([view.shape], view.facts, view.parts))
    asks = any(_is_condition(policy.rule) for policy in kept)
    by_id = {policy.id: policy.json for policy in kept}
    opening = {policy.id: policy.json for policy in kept if policy.effect in {RuleEffect.PERMIT, RuleEffect.DENY}}
    return Slice(
        shape=shape,
        view=view,
        hash=_hash(shape, kept, schema_of([shape], known), consents, asks=asks),
        policies=MappingProxyType({policy.id: policy for policy in kept}),
        facts=MappingProxyType(looked_at),
        permitted=any(policy.effect is RuleEffect.PERMIT for policy in kept),
        asks=asks,
        every=engine.policy_set(by_id),
        opening=engine.policy_set(opening),
        schema=handle,
        base=engine.entities_of(handle),
    )


def _looked_at(policies: tuple[Policy, ...], facts: Mapping[str, FactKind]) -> dict[str, tuple[RuleId, ...]]:
    looking: dict[str, tuple[RuleId, ...]] = {}
    for policy in policies:
        for name in sorted(facts.keys() if policy.facts is None else policy.facts & facts.keys()):
            looking[name] = (*looking.get(name, ()), policy.id)
    return looking


def _is_condition(rule: Rule | None) -> bool:
    """Tell whether a rule makes a yellow tool run unasked where it does not match.

    Only a rule of the contract that speaks of this tool or its kind, and of the call itself, can do that: a general
    rule about all writes, or about a date, says nothing of what is safe for this tool.
    """
    if rule is None or rule.effect is not RuleEffect.ASK or (rule.tool is None and not rule.kind):
        return False
    return not isinstance(rule.when, Before)


def _hash(
    shape: ToolShape, policies: tuple[Policy, ...], schema: Mapping[str, object], consents: Consents, *, asks: bool
) -> SliceHash:
    consent = consent_for(shape.tier, consents)
    whom = consent and [
        sorted(consent.approvers), consent.quorum, consent.each, consent.expires, consent.on_change, consent.step_up
    ]  # fmt: skip
    facts = [TABLE_VERSION, shape.name, shape.tier.value, shape.effect.value, shape.kind, asks, whom]
    text = orjson.dumps([facts, [policy.text for policy in policies], schema], option=orjson.OPT_SORT_KEYS)
    return SliceHash(hashlib.sha256(b"interlock policy slice 1\n" + text).hexdigest())
