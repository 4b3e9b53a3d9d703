"""YAML text into nodes with places. Refused: duplicate keys, tags, keys that are no words, and files without end.

Comments are ignored. Nothing is constructed: a number keeps its literal text.
"""

import re
from dataclasses import dataclass
from typing import cast

import yaml

from interlock.contract.node import Kind, Map, Node, Scalar, Seq
from interlock.contract.problem import Findings
from interlock.core.limits import CONTRACT_DEPTH_MAX, CONTRACT_NODES_MAX
from interlock.policy.rule import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much a file may hold, and whether its keys may be numbers."""

    depth: int = CONTRACT_DEPTH_MAX
    nodes: int = CONTRACT_NODES_MAX
    number_keys: bool = False


def parse_yaml(text: str, file: str, findings: Findings, bounds: Bounds | None = None) -> Node | None:
    """Read one document. What is wrong goes to `findings`, and then there may be no node.

    Args:
        text: the file.
        file: its name.
        findings: gets what is wrong.
        bounds: how much it may hold; nothing said is as much as a contract.
    """
    bounds = bounds or Bounds()
    try:
        root = _Composer(text, bounds.depth).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"this is not YAML: {error.problem or 'it cannot be read'}"
        findings.wrong(_place(file, mark), _one_line(what), "correct the line, or put the value in quotes")
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # Characters that YAML does not allow, and escapes that stand for none, come without a place.
        findings.wrong(
            Place(file=file, line=1, column=1), f"this is not YAML: {_one_line(str(error))}", "remove the character"
        )
    else:
        if root is None:
            findings.wrong(Place(file=file, line=1, column=1), "the file is empty", "write a contract")
            return None
        return _Converter(file, findings, bounds).node(root, 0)
    return None


class _Composer(yaml.SafeLoader):
    """Composes nodes and stops at tags and at depth, before Python's own stack does."""

    def __init__(self, text: str, depth_max: int) -> None:
        super().__init__(text)
        self._depth = 0
        self._depth_max = depth_max

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        # The stubs of this library say nothing of the event's type.
        event = cast("yaml.Event", self.peek_event())  # pyright: ignore[reportUnknownMemberType]
        if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None) is not None:
            raise yaml.MarkedYAMLError(problem="tags are not allowed", problem_mark=event.start_mark)
        if self._depth > self._depth_max:
            raise yaml.MarkedYAMLError(
                problem=f"it is nested more than {self._depth_max} levels deep", problem_mark=event.start_mark
            )
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Converter:
    """Turns composed nodes into ours, each alias written out, and counts them."""

    def __init__(self, file: str, findings: Findings, bounds: Bounds) -> None:
        self._file = file
        self._findings = findings
        self._bounds = bounds
        self._left = bounds.nodes

    def node(self, composed: yaml.Node, depth: int) -> Node | None:
        place = _place(self._file, composed.start_mark)
        self._left -= 1
        if self._left < 0 or depth > self._bounds.depth:
            if self._left >= -1:
                self._left = -1
                self._findings.wrong(
                    place,
                    f"the file has more than {self._bounds.nodes:,} values, or is nested too deeply",
                    "write out what its aliases stand for, or split the workflow",
                )
            return None
        match composed:
            case yaml.ScalarNode():
                return self._scalar(composed, place)
            case yaml.SequenceNode():
                items = (self.node(item, depth + 1) for item in composed.value)
                return Seq(items=tuple(item for item in items if item is not None), place=place)
            case yaml.MappingNode():
                return self._map(composed, place, depth)
            case _:
                return None

    def _scalar(self, composed: yaml.ScalarNode, place: Place) -> Scalar | None:
        text = str(composed.value)
        if _UNSAFE.search(text):
            self._findings.wrong(place, "the text has control characters", "remove them")
            return None
        return Scalar(text=text, kind=_KINDS.get(composed.tag, "text"), place=place)

    def _map(self, composed: yaml.MappingNode, place: Place, depth: int) -> Map:
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        for key_node, value_node in composed.value:
            key = self._key(key_node)
            if key is None:
                continue
            if key in keys:
                self._findings.wrong(
                    _place(self._file, key_node.start_mark),
                    f"`{key}` is said twice, first in line {keys[key].line}",
                    "keep one of them",
                )
                continue
            keys[key] = _place(self._file, key_node.start_mark)
            value = self.node(value_node, depth + 1)
            if value is not None:
                entries[key] = value
        return Map(entries=entries, place=place, keys=keys)

    def _key(self, composed: yaml.Node) -> str | None:
        """Read a key. YAML 1.1 takes a bare `on` for a flag; here it is the word."""
        place = _place(self._file, composed.start_mark)
        words = {"text", "flag", "number"} if self._bounds.number_keys else {"text", "flag"}
        known = isinstance(composed, yaml.ScalarNode) and _KINDS.get(composed.tag, "text") in words
        if not known or composed.tag in _NO_KEYS or _UNSAFE.search(str(composed.value)):
            self._findings.wrong(place, "a key is not a word", "write the key as text, in quotes if it is a number")
            return None
        return str(composed.value)


def _place(file: str, mark: yaml.Mark | None) -> Place:
    return Place(file=file, line=mark.line + 1 if mark else 1, column=mark.column + 1 if mark else 1)


def _one_line(text: str) -> str:
    return " ".join(_UNSAFE.sub(" ", text).split())[:300]


_KINDS: dict[str, Kind] = {
    "tag:yaml.org,2002:int": "number",
    "tag:yaml.org,2002:float": "number",
    "tag:yaml.org,2002:bool": "flag",
    "tag:yaml.org,2002:null": "nothing",
}
_NO_KEYS = frozenset({"tag:yaml.org,2002:merge", "tag:yaml.org,2002:value", "tag:yaml.org,2002:timestamp"})
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
