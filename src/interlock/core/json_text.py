"""JSON text that all readers take alike: hooks for `json.loads` that refuse what some would take in another way."""

from typing import Any, NoReturn


def members_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members, as `object_pairs_hook`. Of two with one name, some readers take the first.

    Raises:
        ValueError: a name is there twice.
    """
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError(f"`{_twice(pairs)[:60]}` is said twice")
    return members


def _twice(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    return next(name for name, _ in pairs if name in seen or seen.add(name))


def no_constant(text: str) -> NoReturn:
    """Refuse `NaN` and the infinities, as `parse_constant`: they are no JSON (RFC 8259, 6).

    Raises:
        ValueError: always.
    """
    raise ValueError(f"`{text}` is no number")
