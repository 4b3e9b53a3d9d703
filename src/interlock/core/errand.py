"""What whoever carries out an action is given, and what comes back."""

from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct, field

from interlock.core.action import Action
from interlock.core.canonical import Json, JsonObject, Unreadable
from interlock.core.picture import Picture
from interlock.core.secret import Secret


class Terms(Struct, frozen=True, kw_only=True):
    """How a contract wants a tool carried out: by whose slots, in which process, and as which pin; none said is any.

    For whom, and in which environment, an errand says.
    """

    owner: str = ""
    slots: int = 8
    isolate: bool = False
    pin: str = ""
    how: JsonObject | None = None
    """What publishing found out that performing needs, as the source wants it."""
    secret: str = ""
    """The name of the credential that goes along; it belongs to the workflow and environment of the errand."""
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    """The names of several, by what each goes into."""
    idempotency_header: str = ""


class Question(Struct, frozen=True, kw_only=True):
    """What another side wants to know before it goes on: a model's words, a person's input, the folders it may use."""

    source: str
    """Where it comes from, as a contract names it: `mcp:SERVER/elicitation/*`."""
    method: str
    params: JsonObject


class Line(Protocol):
    """The way back to whoever asked for an action, while it is under way. It leads through the door they came by."""

    def can(self, server: str) -> frozenset[str]:
        """Name what may be asked for an upstream server: `sampling`, `elicitation`, `elicitation.url`, `roots`.

        Whoever asked must be able to answer it, and the contract must name it.
        """
        ...

    def hears(self) -> tuple[bool, str | None]:
        """Say whether progress is wanted, and from which level on log messages are."""
        ...

    def lacks(self, capability: str) -> None:
        """Note that the other side wants a capability that whoever asked did not announce."""
        ...

    async def ask(self, questions: Mapping[str, Question]) -> Mapping[str, Json]:
        """Have questions answered, each by an action of its own that the contract must allow.

        Raises:
            UpstreamFailed: one of them was refused, or is not answered.
        """
        ...

    async def relay(self, question: Question) -> Json:
        """Put a question to whoever asked. That is what carrying out such an action means, and nothing else calls it.

        Raises:
            UpstreamFailed: it is not answered.
        """
        ...

    def tell(self, method: str, params: JsonObject) -> None:
        """Pass on what is said in the meantime. It may get lost."""
        ...


class Errand(Struct, frozen=True, kw_only=True):
    """What a performer is asked to do."""

    action: Action
    arguments: bytes
    """The canonical bytes that were judged, approved and recorded. Nothing else is sent."""
    key: str
    """What the other side may use to recognise a repetition. It stays the same over all attempts."""
    check_lease: Callable[[], None]
    """To be called just before the first byte leaves.

    Raises:
        UpstreamFailed: the lease has passed; nothing may be sent.
    """
    late: "Callable[[Performed | Exception], None]" = lambda _: None
    """To be called, from any thread, with what comes back after the waiting was cancelled."""
    line: Line | None = None
    """The way back to whoever asked, where there is one."""
    secret: Secret | None = None
    """The credential that the contract gives the tool; nothing where it names none."""
    secrets: Mapping[str, Secret] = field(default_factory=dict[str, Secret])
    """Several, by what each goes into."""


class Performed(Struct, frozen=True, kw_only=True):
    """The other side did it, and this is what it took."""

    result: Json | Unreadable
    costs: Mapping[str, int] = field(default_factory=dict[str, int])
    """What it really took by unit (`usd` in millionths, `tokens`), where the performer knows."""
    pictures: tuple[Picture, ...] = ()
    """What was seen of it, for people alone."""
