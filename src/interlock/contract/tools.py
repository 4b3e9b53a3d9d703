"""Tools from their tables. What a tool does not say is read in the strict direction, and said so."""

from collections.abc import Mapping
from typing import cast

import jsonschema_rs

from interlock.contract.hooks import Hooks, assumed_price, price_of
from interlock.contract.ir import Argument, Label, Tool, ToolErrors, Undo, Unique
from interlock.contract.node import Map, Node, Scalar, plain
from interlock.contract.problem import Findings
from interlock.contract.row import Row, read
from interlock.contract.scalar import (
    ADDRESS,
    COUNT,
    DURATION,
    FLAG,
    HOOK_ARGUMENT,
    LABEL_PATH,
    NAME,
    PATH,
    POSITIVE,
    SOURCE,
    TEXT,
)
from interlock.contract.tool_shape import EFFECTS, ERRORS, ON_REPEAT, ROLES, TIERS, TRUSTS
from interlock.core.canonical import Json, JsonObject
from interlock.core.effect import EffectClass, Tier
from interlock.core.ids import Micros, ToolName
from interlock.core.limits import PERFORM_SECONDS_MAX

TIMEOUT = Micros(30_000_000)
"""Of a tool, where neither it nor the contract says one."""


def read_tools(root: Row, hooks: Hooks, timeout: Micros) -> Mapping[ToolName, Tool]:
    """Read the section `tools`."""
    return {ToolName(name): _tool(ToolName(name), row, hooks, timeout) for name, row in root.row("tools").rows()}


def _tool(name: ToolName, row: Row, hooks: Hooks, timeout: Micros) -> Tool:
    findings = hooks.findings
    source = row.get("from", SOURCE, "")
    if not source:
        findings.assume(
            row.place, f"`{name}` says no source: it cannot be called until `from` says where it comes from"
        )
    retries, backoff = _retries(row)
    effect = _effect(name, row, source, findings)
    _look_at_secrets(row, source, findings)
    return Tool(
        name=name,
        source=source,
        place=row.place,
        description=row.text("description"),
        effect=effect or EffectClass.OPAQUE,
        effect_unsaid=effect is None,
        tier=_tier(name, row, findings),
        kind=row.get("class", NAME, ""),
        price=_price(name, row, source, findings),
        timeout=read_timeout(row, timeout, findings),
        retries=retries,
        backoff=backoff,
        resend_within=row.find("resend_within", DURATION),
        slots=row.get("slots", POSITIVE, 8),
        isolate=row.get("isolate", FLAG, False),
        outside=row.get("outside", FLAG, source.startswith(OUTSIDE)),
        secret=row.get("secret", NAME, ""),
        secrets=row.named("secrets", NAME),
        idempotency_header=row.get("idempotency_header", NAME, ""),
        urls=row.many("urls", ADDRESS),
        arguments={key: _argument(argument) for key, argument in row.row("args").rows()},
        labels=_labels(row.row("result")),
        keep=row.row("result").many("keep", TEXT),
        cache_ttl=row.row("cache").get("ttl", DURATION, Micros(0)),
        unique=_unique(row.row("unique")),
        serialize=row.get("serialize", PATH, ""),
        subject=row.get("subject", PATH, ""),
        preview=hooks.read(row, "preview"),
        reconcile=hooks.read(row, "reconcile"),
        before=hooks.read(row, "before"),
        after=hooks.read(row, "after"),
        expect=row.many("expect", TEXT),
        undo=_undo(row.row("undo")),
        check=row.many("check", TEXT),
        on_repeat=row.get("on_repeat", ON_REPEAT, "return"),
        errors=row.get("errors", ERRORS, _NOBODY_KNOWS),
        only_for_facts=row.get("only_for_facts", FLAG, False),
        only_as_undo=row.get("only_as_undo", FLAG, False),
        schema=_schema(row, "schema", findings),
        result_schema=_schema(row, "result_schema", findings),
    )


def _effect(name: ToolName, row: Row, source: str, findings: Findings) -> EffectClass | None:
    """Read what repeating would do, or nothing where the source itself can tell when it is published."""
    said = row.get("effect", EFFECTS, "")
    if said == "transactional":
        findings.assume(
            row.place_of("effect"),
            f"`{name}` is transactional: read as `queryable`, because no foreign code runs inside our transaction",
        )
        return EffectClass.QUERYABLE
    if not said and source.startswith(_TELLS_EFFECT):
        findings.assume(row.place, f"`{name}` {LEFT_TO_SOURCE}")
        return None
    if not said:
        findings.assume(row.place, f"`{name}` says no effect: read as `opaque`, so nothing is ever sent twice")
        return EffectClass.OPAQUE
    return EffectClass(said)


def _tier(name: ToolName, row: Row, findings: Findings) -> Tier:
    said = row.get("tier", TIERS, "")
    if not said:
        findings.assume(row.place, f"`{name}` says no tier: read as `red`, so an agent never starts it")
        return Tier.RED
    return Tier(said)


def _look_at_secrets(row: Row, source: str, findings: Findings) -> None:
    if not row.has("secrets"):
        return
    if row.has("secret"):
        findings.wrong(row.place_of("secrets"), "both `secret` and `secrets` are said", "keep one of them")
    if not source.startswith("openapi:"):
        fix = "write `secret: NAME`"
        findings.wrong(row.place_of("secrets"), "only an `openapi:` source takes several secrets at once", fix)


def _price(name: ToolName, row: Row, source: str, findings: Findings) -> int | None:
    said = price_of(row.node("price"))
    if said is None:
        return assumed_price(name, source, outside=row.get("outside", FLAG, False), place=row.place, findings=findings)
    return said


def read_timeout(row: Row, default: Micros, findings: Findings) -> Micros:
    """Read how long a call may take."""
    timeout = row.get("timeout", DURATION, default)
    if not 0 < timeout <= PERFORM_SECONDS_MAX * 1_000_000:
        findings.wrong(
            row.place_of("timeout"),
            f"a call takes more than 0 and at most {PERFORM_SECONDS_MAX} seconds",
            "make longer work a run of several calls",
        )
    return timeout


def _retries(row: Row) -> tuple[int, Micros]:
    node = row.node("retries")
    if isinstance(node, Scalar):
        return read(node, COUNT), _BACKOFF
    inner = row.row("retries")
    return inner.get("max", COUNT, 0), inner.get("backoff", DURATION, _BACKOFF)


def _argument(row: Row) -> Argument:
    return Argument(
        role=row.get("role", ROLES, "payload"),
        unit=row.get("unit", NAME, ""),
        domains=row.many("domains", TEXT),
        templates=row.many("templates", TEXT),
    )


def _labels(result: Row) -> tuple[Label, ...]:
    whole = result.get("trust", TRUSTS, "")
    rows = (Row(item) for item in result.items("labels") if isinstance(item, Map))
    labels = tuple(
        Label(
            path=row.get("path", LABEL_PATH, "$"),
            trusted=row.get("trust", TRUSTS, "untrusted") == "trusted",
            shape=row.text("shape"),
            is_id=row.get("is_id", FLAG, False),
            pii=row.get("pii", NAME, ""),
        )
        for row in rows
    )
    return (Label(path="$", trusted=whole == "trusted"), *labels) if whole else labels


def _unique(row: Row) -> Unique | None:
    on, within = row.many("on", PATH), row.find("within", DURATION)
    return Unique(on=on, within=within) if on and within is not None else None


def _undo(row: Row) -> Undo | None:
    tool, within = row.get("tool", NAME, ""), row.find("within", DURATION)
    if not tool or within is None:
        return None
    return Undo(tool=ToolName(tool), args=row.named("args", HOOK_ARGUMENT), within=within)


def _schema(row: Row, key: str, findings: Findings) -> JsonObject | None:
    node = row.node(key)
    if node is None:
        return None
    schema = plain(node)
    if not isinstance(schema, dict):
        findings.wrong(node.place, f"expected a JSON Schema, found {node}", "write a table such as `{type: object}`")
        return None
    if key == "schema" and schema.get("type") != "object":
        findings.wrong(node.place, "arguments are an object, and the schema says otherwise", "write `type: object`")
    if _reaches_out(node):
        findings.wrong(node.place, "the JSON Schema refers to another document", "write it out, or use `#/$defs/...`")
    elif not jsonschema_rs.meta.is_valid({**schema, "$schema": _DIALECT}):
        findings.wrong(node.place, "this is not a JSON Schema (2020-12)", "compare it with json-schema.org")
    return cast("dict[str, Json]", schema)


def _reaches_out(node: Node) -> bool:
    match node:
        case Scalar():
            return False
        case Map():
            referred = (node.entries.get(key) for key in ("$ref", "$dynamicRef"))
            away = any(isinstance(each, Scalar) and not each.text.startswith("#") for each in referred)
            return away or "$id" in node.entries or any(_reaches_out(each) for each in node.entries.values())
        case _:
            return any(_reaches_out(each) for each in node.items)


_TELLS_EFFECT = ("browser:", "openapi:", "page:", "sql:")
"""Sources that say what repeating would do: an operation by its method, a statement by its words, a page action by
whether it presses a button; a page is read."""
LEFT_TO_SOURCE = "says no effect: publishing takes it from its source, `opaque` until then"
OUTSIDE = ("browser:", "openapi:", "page:")
"""Sources that leave for a host which outsiders can reach, unless the contract knows better."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOBODY_KNOWS: ToolErrors = ""
_BACKOFF = Micros(200_000)
