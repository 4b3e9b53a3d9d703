"""A file of page actions: each read strictly, so that what is said of a page is all that can happen on it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

from interlock.contract.node import Map, Scalar
from interlock.contract.problem import ContractProblems, Findings, nearest
from interlock.contract.row import Row
from interlock.contract.row import read as read_scalar
from interlock.contract.scalar import ANY_NUMBER, COUNT, FLAG, POSITIVE, TEXT
from interlock.contract.shape import fit
from interlock.contract.yaml_text import parse_yaml
from interlock.core.canonical import JsonObject
from interlock.core.errors import ContractInvalid
from interlock.core.limits import BROWSER_TEXT_CHARS_MAX
from interlock.policy.rule import Place
from interlock.tool.browser_plan import Field, Spot, Value
from interlock.tool.browser_shape import FIELD_KINDS, FILE, PARAMETER_KINDS, ROLES, VALUE_KINDS, WHERE, WrittenKind

_BRACES = re.compile(r"\{([^{}]*)\}")
_DAY = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
_PART = "^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$"
"""What a text in an address may be, where nothing is said of it: no part of an address that leads elsewhere."""


@dataclass(slots=True)
class PageAction:
    """One action of a file, with what is wrong in it."""

    name: str
    row: Row
    findings: Findings = field(default_factory=Findings)

    @property
    def writes(self) -> bool:
        return self.row.has("submit")

    @property
    def parameters(self) -> Mapping[str, Row]:
        """The arguments that go into its address."""
        return dict(self.row.row("parameters").rows())

    @property
    def inputs(self) -> Mapping[str, Row]:
        """The arguments that go into fields."""
        return dict(self.row.row("fields").rows())

    @property
    def _field_places(self) -> frozenset[Place]:
        return frozenset(row.place for row in self.inputs.values())

    def many(self, key: str) -> tuple[str, ...]:
        """Return what stands at a key: addresses, or labels."""
        return self.row.many(key, WHERE if key in _WHERES else TEXT)

    def wrong(self, place: Place, what: str, fix: str) -> None:
        self.findings.wrong(place, what, fix)

    def fields(self) -> tuple[Field, ...]:
        kinds: dict[str, WrittenKind] = {name: _kind(row) for name, row in self.inputs.items()}
        return tuple(
            Field(argument=name, spot=self.spot(self.inputs[name]), kind=kind)
            for name, kind in kinds.items()
            if kind != "file"
        )

    def values(self) -> tuple[Value, ...]:
        return tuple(
            Value(
                name=name,
                spot=self.spot(row),
                kind=row.get("kind", VALUE_KINDS, "text"),
                chars_max=row.get("max_length", POSITIVE, 200),
                pattern=row.text("pattern"),
                needed=row.get("needed", FLAG, True),
            )
            for name, row in self.row.row("read").rows()
        )

    def spot(self, row: Row) -> Spot:
        """Say how an element is found; one way, and no selector."""
        ways = [key for key in ("label", "role", "test_id") if row.has(key)]
        nameless = ways == ["role"] and not row.has("name")
        if row.place in self._field_places and _kind(row) == "radio":
            return self._radio(row, ways)
        if len(ways) != 1 or (row.has("name") and ways != ["role"]) or (nameless and row.place in self._field_places):
            self.wrong(row.place, "it does not say one way to find it", _SPOTS)
        role = row.get("role", ROLES, "")
        return Spot(label=row.text("label"), role=role, name=row.text("name"), test_id=row.text("test_id"))

    def _radio(self, row: Row, ways: list[str]) -> Spot:
        """Say where radio buttons are: in a group of that name, or anywhere on the page."""
        if ways not in ([], ["label"]) or row.has("name"):
            fix = "write `label:` with the name of their group (its `legend`), or nothing if they are in none"
            self.wrong(row.place, "radio buttons are found by the name of their group", fix)
        return Spot(label=row.text("label"))

    def schema(self) -> dict[str, Any]:
        """Describe the arguments."""
        properties = {name: self._parameter(row) for name, row in self.parameters.items()}
        properties |= {name: self._input(row) for name, row in self.inputs.items()}
        needed = [name for name in properties if self.inputs.get(name, self.row).get("needed", FLAG, True)]
        required = {"required": sorted(needed)} if needed else {}
        return {"type": "object", "properties": properties, **required, "additionalProperties": False}

    def result(self) -> dict[str, Any]:
        """Describe what is read."""
        properties: dict[str, Any] = {}
        needed: list[str] = []
        for name, row in self.row.row("read").rows():
            kind = row.get("kind", VALUE_KINDS, "text")
            chars_max = row.get("max_length", POSITIVE, 200)
            properties[name] = {"type": "string", "maxLength": chars_max} if kind == "text" else {"type": kind}
            properties[name] |= _about(row)
            if row.get("needed", FLAG, True):
                needed.append(name)
            if not _is_expression(row.text("pattern")):
                self.wrong(row.place_of("pattern"), "this is no pattern", "write a regular expression: `No. ([0-9]+)`")
        required = {"required": sorted(needed)} if needed else {}
        return {"type": "object", "properties": properties, **required, "additionalProperties": False}

    def _parameter(self, row: Row) -> JsonObject:
        if row.get("kind", PARAMETER_KINDS, "text") == "integer":
            return {"type": "integer", **_about(row)}
        self._pattern(row)
        plain = {} if row.has("pattern") else {"pattern": _PART}
        return {**_texts(row, 200), **plain, "minLength": 1}

    def _input(self, row: Row) -> JsonObject:
        kind = _kind(row)
        for key, kinds in _ONLY_OF.items():
            if row.has(key) and kind not in kinds:
                self.wrong(row.place_of(key), f"`{key}` says nothing of a field of the kind `{kind}`", "remove it")
        match kind:
            case "text":
                self._pattern(row)
                return {**_texts(row, BROWSER_TEXT_CHARS_MAX), "minLength": 1}
            case "number":
                return {**_number(row), **_about(row)}
            case "select" | "radio":
                options = list(row.many("options", TEXT))
                if not options:
                    self.wrong(row.place, "nobody says what may be chosen", "add `options: [ONE, OTHER]`, as shown")
                return {"type": "string", "enum": [*options], **_about(row)}
            case "checkbox":
                return {"type": "boolean", **_about(row)}
            case "file":
                fix = "leave the action to a person, or call an API that takes the file"
                self.wrong(row.place, "no files are uploaded from here", fix)
                return {}
            case "date":
                return {"type": "string", "format": "date", "pattern": _DAY, **_about(row)}

    def _pattern(self, row: Row) -> None:
        pattern = row.text("pattern")
        if pattern and not jsonschema_rs.meta.is_valid(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "pattern": pattern}
        ):
            self.wrong(row.place_of("pattern"), "this is no pattern", "write a regular expression: `^[0-9]+$`")

    def check(self) -> None:
        """See whether it holds together.

        Raises:
            ContractProblems: it does not; every problem says where, what and how to correct it.
        """
        for place, what, fix in self._contradictions():
            self.wrong(place, what, fix)
        if self.findings.problems:
            raise ContractProblems(self.findings.problems)

    def _contradictions(self) -> Iterator[tuple[Place, str, str]]:
        row = self.row
        twice = self.parameters.keys() & self.inputs.keys()
        for name in sorted(twice):
            yield row.place_of("fields"), f"`{name}` is in the address and a field", "name one of them otherwise"
        if not row.row("expect").map.entries:
            yield row.place_of("expect"), "nothing is expected on the page", "add `heading` or `text`"
        if self.writes:
            if not row.row("then").map.entries:
                what = "nobody says how it looks once it has happened"
                yield row.place_of("submit"), what, "add `then` with `url`, `heading` or `text`"
        else:
            for key in ("fields", "then", "leave"):
                if row.has(key):
                    yield row.place_of(key), f"`{key}` is for an action with a `submit`, and this only reads", _SUBMIT
            if not row.row("read").map.entries:
                yield row.place, "it neither reads anything nor presses a button", "add `read`, or `submit`"
        yield from self._open()
        yield from self._named()

    def _open(self) -> Iterator[tuple[Place, str, str]]:
        named = set(_BRACES.findall(self.row.get("open", WHERE, "")))
        for name in sorted(named - self.parameters.keys()):
            fix = nearest(name, self.parameters) if self.parameters else f"add `parameters: {{ {name}: {{}} }}`"
            yield self.row.place_of("open"), f"`{{{name}}}` is no parameter", fix
        for name in sorted(self.parameters.keys() - named):
            fix = f"write `{{{name}}}` in `open`, or remove it"
            yield self.row.row("parameters").place_of(name), f"`{name}` is not in the address", fix

    def _named(self) -> Iterator[tuple[Place, str, str]]:
        known = self.parameters.keys() | self.inputs.keys()
        spared = {name for name, row in self.inputs.items() if not row.get("needed", FLAG, True)}
        for key in ("expect", "then"):
            row = self.row.row(key)
            for text in (row.text("heading"), *texts(row)):
                named = set(_BRACES.findall(text))
                for name in sorted(named - known):
                    yield row.place, f"`{{{name}}}` is no argument", nearest(name, known)
                for name in sorted(named & spared):
                    fix = "expect a text without it, or remove `needed: false`"
                    yield row.place, f"`{{{name}}}` may be left out, and then this is never seen", fix


def find(file: str, text: str, name: str) -> PageAction:
    """Find an action by its name.

    Raises:
        ContractInvalid: it is not there, or the file cannot be read.
    """
    findings = Findings()
    node = parse_yaml(text, file, findings)
    fitted = fit(FILE, node, findings) if node is not None else None
    if findings.problems:
        raise ContractProblems(findings.problems)
    actions = dict(Row(fitted).rows()) if isinstance(fitted, Map) else {}
    if name not in actions:
        raise ContractInvalid(f"{file}: no page action is named `{name}`", fix=nearest(name, actions))
    return PageAction(name, actions[name])


def texts(row: Row) -> tuple[str, ...]:
    """Return the texts that have to be seen: one, or several."""
    node = row.node("text")
    return (read_scalar(node, TEXT),) if isinstance(node, Scalar) else row.many("text", TEXT)


def urls(row: Row) -> tuple[str, ...]:
    """Return the addresses of which the page must have one."""
    node = row.node("url")
    return (read_scalar(node, WHERE),) if isinstance(node, Scalar) else row.many("url", WHERE)


def _kind(row: Row) -> WrittenKind:
    return row.get("kind", FIELD_KINDS, "text")


def _is_expression(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def _about(row: Row) -> JsonObject:
    about = row.text("about")
    return {"description": about} if about else {}


def _texts(row: Row, chars_max: int) -> JsonObject:
    pattern = row.text("pattern")
    said = {"pattern": pattern} if pattern else {}
    return {"type": "string", "maxLength": row.get("max_length", POSITIVE, chars_max), **said, **_about(row)}


def _number(row: Row) -> JsonObject:
    decimals = row.get("decimals", COUNT, 0)
    bounds = {"minimum": row.find("min", ANY_NUMBER), "maximum": row.find("max", ANY_NUMBER)}
    known = {name: micros / 1_000_000 for name, micros in bounds.items() if micros is not None}
    whole = {name: int(bound) if bound.is_integer() else bound for name, bound in known.items()}
    if not decimals:
        return {"type": "integer", **whole}
    return {"type": "number", "multipleOf": float(f"1e-{min(decimals, 6)}"), **whole}


_WHERES = frozenset({"allow", "lost", "may_post"})
_ONLY_OF: Mapping[str, frozenset[str]] = {
    "min": frozenset({"number"}),
    "max": frozenset({"number"}),
    "decimals": frozenset({"number"}),
    "options": frozenset({"select", "radio"}),
    "pattern": frozenset({"text"}),
    "max_length": frozenset({"text"}),
}
_SPOTS = "write `label: TEXT`, or `role: ROLE` with `name: TEXT`; of what is read also `role` alone or `test_id: ID`"
_SUBMIT = "remove it, or add `submit: NAME OF THE BUTTON`"
