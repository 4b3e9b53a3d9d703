"""Sections that are checked and kept, and whose judge this version lacks: who will honour them, what they protect."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from interlock.contract.full_shape import FALLBACK
from interlock.contract.ir import Contract, Unenforced
from interlock.contract.node import Map, Node, Scalar, flag_of, plain
from interlock.contract.problem import Findings, nearest
from interlock.contract.row import Row
from interlock.contract.scalar import NAME
from interlock.core.canonical import Json
from interlock.core.effect import Mode
from interlock.core.ids import Environment
from interlock.policy.rule import Place


@dataclass(frozen=True, slots=True)
class Waiting:
    """A section that waits for its judge. `*` stands for any name."""

    path: tuple[str, ...]
    honoured_by: str
    protects: bool = False
    typed: bool = False
    """It is in the typed contract all the same, so it is not kept as JSON."""
    value: str | None = None
    """The only value that waits; nothing said is any."""

    @property
    def section(self) -> str:
        return ".".join(key for key in self.path if key != "*")


_HANDED_OFF = frozenset({"on_policy_violation", "on_timeout", "on_low_confidence", "handoff"})
"""What a person takes over already."""

_WAITING = (
    Waiting(("on_call",), "incidents"),
    Waiting(("class",), "runs"),
    Waiting(("environments", "*", "autonomy"), "releases"),
    Waiting(("input",), "runs"),
    Waiting(("outcome",), "metrics"),
    Waiting(("slo",), "metrics"),
    Waiting(("prompts",), "model routing"),
    Waiting(("knowledge",), "knowledge"),
    Waiting(("providers",), "model routing", protects=True),
    Waiting(("models",), "model routing"),
    Waiting(("tools", "*", "on_repeat"), "runs", typed=True, value="ask"),
    Waiting(("tools", "*", "args", "*", "domains"), "trust", protects=True, typed=True),
    Waiting(("tools", "*", "args", "*", "templates"), "trust", protects=True, typed=True),
    Waiting(("escalate_when",), "runs", protects=True),
    *(
        Waiting(("budgets", period, unit), "model routing", typed=True)
        for period in ("per_run", "per_hour", "per_day", "per_month")
        for unit in ("tokens", "model_calls")
    ),
    *(
        Waiting(("budgets", period, "alert_at"), "metrics")
        for period in ("per_run", "per_hour", "per_day", "per_month")
    ),
    Waiting(("budgets", "soft"), "runs"),
    Waiting(("budgets", "people"), "metrics"),
    Waiting(("trust",), "trust", protects=True),
    Waiting(("redaction",), "redaction", protects=True),
    Waiting(("breakers",), "breakers", protects=True),
    *(Waiting(("fallback", key), "runs", typed=True) for key in FALLBACK.keys if key not in _HANDED_OFF),
    Waiting(("fallback", "handoff", "keep"), "runs"),
    Waiting(("done",), "runs", protects=True),
    Waiting(("evals",), "evaluations"),
    Waiting(("rollout",), "releases", protects=True),
    Waiting(("retention", "trace"), "traces"),
    Waiting(("unsafe_durability",), "the store's settings", typed=True),
)

SECTIONS: Mapping[str, Waiting] = {waiting.section: waiting for waiting in _WAITING}
"""What `accept_unenforced` may name."""


def read_unenforced(root: Map) -> tuple[tuple[Unenforced, ...], Mapping[str, Json]]:
    """List the sections that are not enforced, and keep those that nothing else holds."""
    listed: list[Unenforced] = []
    kept: dict[str, Json] = {}
    for waiting in _WAITING:
        for path, node, place in _found(waiting.path, root, root.place):
            if isinstance(node, Scalar) and node.kind == "flag" and waiting.typed and not flag_of(node):
                continue  # what is switched off relies on nobody
            if waiting.value is not None and plain(node) != waiting.value:
                continue
            listed.append(
                Unenforced(
                    section=waiting.section, place=place, honoured_by=waiting.honoured_by, protects=waiting.protects
                )
            )
            if not waiting.typed:
                _put(kept, path, plain(node))
    return tuple(listed), kept


def read_accepted(root: Row, findings: Findings) -> frozenset[str]:
    """Read which unenforced sections the owner accepts as such."""
    for item in root.items("accept_unenforced"):
        name = str(plain(item))
        if name not in SECTIONS:
            findings.wrong(item.place, f"`{name}` is no section that may be unenforced", nearest(name, SECTIONS))
    return frozenset(root.many("accept_unenforced", NAME))


def holding_back(contract: Contract) -> tuple[Unenforced, ...]:
    """Name the sections that protect something and that nobody accepted as unenforced: no mode `act` in prod."""
    return tuple(
        section
        for section in contract.unenforced
        if section.protects and section.section not in contract.accept_unenforced
    )


REHEARSALS = frozenset({"staging", "dev", "demo", "test"})
"""Where mode `act` may rely on what is not enforced. Every other name counts as production: a typo must not open it."""


def relied_on(contract: Contract, environment: Environment, mode: Mode | None = None) -> tuple[Unenforced, ...]:
    """Name the sections that a mode relies on in an environment and that are not enforced; nothing said is its own."""
    known = mode or contract.modes.get(environment, Mode.READ_ONLY)
    return holding_back(contract) if known is Mode.ACT and environment not in REHEARSALS else ()


def _found(path: tuple[str, ...], node: Node, place: Place) -> Iterator[tuple[tuple[str, ...], Node, Place]]:
    if not path:
        yield (), node, place
        return
    if not isinstance(node, Map):
        return
    names = list(node.entries) if path[0] == "*" else [path[0]] if path[0] in node.entries else []
    for name in names:
        for rest, found, where in _found(path[1:], node.entries[name], node.place_of(name)):
            yield (name, *rest), found, where


def _put(kept: dict[str, Json], path: tuple[str, ...], value: Json) -> None:
    inner = kept
    for key in path[:-1]:
        below = inner.setdefault(key, {})
        assert isinstance(below, dict), "a section that is kept whole has no kept part"
        inner = below
    inner[path[-1]] = value
