"""A run counts equal calls where they are made: a body that is replayed names each as it did the first time."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class Occurrences:
    """How often each call of a run was made so far, as its body makes them."""

    _made: Counter[str] = field(default_factory=Counter[str])

    def next(self, tool: str, arguments: Mapping[str, Any]) -> int:
        """Count one more call; arguments in another order or as `1.0` instead of `1` are the same call."""
        said = json.dumps([tool, _plain(arguments)], sort_keys=True, default=str)
        self._made[said] += 1
        return self._made[said]


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
