"""A credential on its way to whoever carries out an action. It shows itself nowhere; only `reveal` returns its text."""

from collections.abc import Sequence
from typing import NoReturn


class Secret:
    """The text of a secret, under the name that a contract gives it."""

    __slots__ = ("_hidden", "_text", "name")

    def __init__(self, name: str, text: str, *, beside: Sequence[str] = ()) -> None:
        """Wrap a text.

        Args:
            name: as the contract names it.
            text: what is sent along.
            beside: what must not come back either, such as what the text was bought with.
        """
        self.name = name
        self._text = text
        self._hidden = (text, *beside)

    def reveal(self) -> str:
        """Return the text, for the one place that sends it."""
        return self._text

    @property
    def hidden(self) -> tuple[str, ...]:
        """All that must not come back, for whoever takes it out."""
        return self._hidden

    def __repr__(self) -> str:
        return f"<secret {self.name}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")
