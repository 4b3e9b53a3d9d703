"""Hooks: the reads that the gateway makes itself. A source in place of a tool becomes one, for hooks alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interlock.contract.ir import Hook, Tool
from interlock.contract.node import Map, Node, Scalar
from interlock.contract.problem import Findings
from interlock.contract.row import Row, read
from interlock.contract.scalar import DURATION, HOOK_ARGUMENT, HOOK_TOOL, MONEY
from interlock.core.effect import EffectClass, Tier
from interlock.core.ids import Micros, ToolName
from interlock.policy.rule import Place


@dataclass(slots=True)
class Hooks:
    """Reads hooks and remembers the tools that they bring along."""

    findings: Findings
    tools: dict[ToolName, Tool] = field(default_factory=dict[ToolName, Tool])

    def read(self, row: Row, key: str) -> Hook | None:
        """Read the hook at `key`, short or long."""
        node = row.node(key)
        if isinstance(node, Scalar):
            return self._hook(read(node, HOOK_TOOL), Row(Map(entries={}, place=node.place)), row.place_of(key))
        if isinstance(node, Map) and "tool" in node.entries:
            inner = Row(node)
            return self._hook(inner.get("tool", HOOK_TOOL, ""), inner, inner.place_of("tool"))
        return None

    def _hook(self, name: str, row: Row, place: Place) -> Hook:
        tool = ToolName(name)
        if is_source(name):
            self._bring(tool, row, place)
        elif row.has("price"):
            self.findings.wrong(row.place_of("price"), f"the price belongs to the tool `{name}`", "say it there")
        return Hook(tool=tool, args=row.named("args", HOOK_ARGUMENT), within=row.get("within", DURATION, Micros(0)))

    def _bring(self, tool: ToolName, row: Row, place: Place) -> None:
        price = price_of(row.node("price"))
        if price is None:
            price = assumed_price(tool, tool, outside=False, place=place, findings=self.findings)
        brought = Tool(
            name=tool,
            source=tool,
            place=place,
            effect=EffectClass.READ,
            tier=Tier.GREEN,
            price=price,
            only_for_facts=True,
        )
        if self.tools.setdefault(tool, brought).price != price:
            self.findings.wrong(place, f"`{tool}` has two prices", "say the same price in both places")


def is_source(name: str) -> bool:
    """Whether the name of a hook's tool is a source instead."""
    return ":" in name


def price_of(node: Node | None) -> int | None:
    """Read a price, short or long."""
    if isinstance(node, Scalar):
        return read(node, MONEY)
    return Row(node).find("usd_per_call", MONEY) if isinstance(node, Map) else None


def assumed_price(tool: str, source: str, *, outside: bool, place: Place, findings: Findings) -> int | None:
    """Say what a tool without a price costs: nothing if it stays in this process, otherwise nobody knows."""
    if source.startswith("python:") and not outside:
        findings.assume(place, f"`{tool}` says no price: it stays in this process and costs $0.00")
        return 0
    findings.assume(place, f"`{tool}` says no price: unknown, so its calls are refused (`0` is a price)")
    return None


def hooks_of(tool: Tool) -> Mapping[str, Hook]:
    """Name the hooks that a tool has, by their keys."""
    named = {"preview": tool.preview, "reconcile": tool.reconcile, "before": tool.before, "after": tool.after}
    return {key: hook for key, hook in named.items() if hook is not None}
