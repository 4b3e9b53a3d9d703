"""A run counts equal calls where they are made: a body that is replayed names each as it did the first time."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any


@dataclass(slots=True, kw_only=True)
class Occurrences:
    """How often each call of a run was made so far, as its body makes them."""

    _made: dict[str, Iterator[int]] = field(default_factory=dict[str, Iterator[int]])

    def next(self, tool: str, arguments: Mapping[str, Any]) -> int:
        """Count one more call; arguments in another order or as `1.0` instead of `1` are the same call."""
        said = json.dumps([tool, _plain(arguments)], sort_keys=True, default=str)
        return next(self._made.setdefault(said, count(1)))  # in one step each, so that threads may share a run


def _plain(value: Any) -> Any:  # noqa: ANN401  JSON, or what will be refused for being none
    match value:
        case Mapping():
            return {str(name): _plain(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
        case list() | tuple():
            return [_plain(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
