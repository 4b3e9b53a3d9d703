"""From permissions and approvals to rules. A rule that asks or denies never creates a permission."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from interlock.contract.consent import consent_for
from interlock.contract.ir import Approvals, Argument, ClassAsk, Tool
from interlock.contract.node import Map, Scalar
from interlock.contract.problem import Findings
from interlock.contract.row import Row
from interlock.contract.scalar import DATE, DURATION_UNITS, FLAG, MONEY, NAME, TEXT
from interlock.core.ids import Instant, RuleId, ToolName
from interlock.policy.rule import (
    Above,
    Always,
    AsUndo,
    Before,
    Condition,
    FactIsNot,
    OneOf,
    Outside,
    Place,
    Rule,
    RuleEffect,
)

RESERVED = frozenset({"allowed_tools", "approval_required_tools", "require_approval_for", "policy_files"})
"""Keys of `permissions` that name no tool."""

FACT_RULES: Mapping[str, tuple[RuleEffect, str, bool]] = {
    "deny_if_": (RuleEffect.DENY, "", False),
    "deny_unless_": (RuleEffect.DENY, "unless_", True),
    "require_human_approval_if_": (RuleEffect.ASK, "approval_if_", False),
    "require_human_approval_unless_": (RuleEffect.ASK, "approval_unless_", True),
}
"""By the beginning of a key: what the rule does, how its name begins, and the value of the fact that keeps it quiet."""


@dataclass(slots=True)
class Rules:
    """Makes the rules of one contract."""

    root: Row
    tools: Mapping[ToolName, Tool]
    approvals: Approvals
    findings: Findings

    @property
    def permissions(self) -> Row:
        return self.root.row("permissions")

    def all(self, class_asks: tuple[ClassAsk, ...]) -> tuple[Rule, ...]:
        """Make every rule, in a fixed order."""
        permits = tuple(self._permits())
        others = (
            *self._approval_required(),
            *self._of_classes(class_asks),
            *self._of_tools(),
            *self._first_weeks(),
        )
        self._warn_of_what_stays_denied({rule.tool for rule in permits}, others)
        self._refuse_double_names((*permits, *others))
        return (*permits, *others)

    def class_asks(self) -> Iterator[ClassAsk]:
        """Read which classes of tools ask."""
        for item in self.permissions.items("require_approval_for"):
            if not isinstance(item, Map):
                continue
            row = Row(item)
            over, always = row.find("threshold_usd", MONEY), row.get("any", FLAG, False)
            if (over is not None) == always:
                self.findings.wrong(
                    row.place,
                    "say when to ask: above an amount, or always",
                    "write `threshold_usd: 200` or `any: true`",
                )
            kind = row.get("action", NAME, "")
            if not self.tools:
                self.findings.assume(row.place, f"no tool is named, so none is of the class `{kind}` that asks")
            yield ClassAsk(kind=kind, place=row.place, over=over)

    def _permits(self) -> Iterator[Rule]:
        if not self.permissions.items("allowed_tools"):
            place = self.permissions.place_of("allowed_tools")
            self.findings.assume(place, "no tool is allowed: everything is denied until `allowed_tools` names some")
        for item in self.permissions.items("allowed_tools"):
            if isinstance(item, Scalar):
                tool = ToolName(item.text)
                yield Rule(id=RuleId(f"allow.{tool}"), effect=RuleEffect.PERMIT, place=item.place, tool=tool)
        for tool in self.tools.values():
            if tool.only_as_undo:
                id = RuleId(f"allow.{tool.name}.as_undo")
                yield Rule(id=id, effect=RuleEffect.PERMIT, place=tool.place, tool=tool.name, when=AsUndo())

    def _approval_required(self) -> Iterator[Rule]:
        for item in self.permissions.items("approval_required_tools"):
            if isinstance(item, Scalar):
                yield self._ask(ToolName(item.text), "approval", Always(), item.place)
            elif isinstance(item, Map):
                for name, row in Row(item).rows():
                    yield from self._approval_of_values(ToolName(name), row)

    def _approval_of_values(self, tool: ToolName, row: Row) -> Iterator[Rule]:
        if not row.map.entries:
            self.findings.wrong(row.place, "no argument is named", f"name one, or write `{tool}` alone")
        for key in row.map.entries:
            place = row.place_of(key)
            condition = OneOf(path=f"args.{self._argument(tool, key, place)}", values=row.many(key, TEXT))
            yield self._ask(tool, f"approval_{key}", condition, place)

    def _argument(self, tool: ToolName, key: str, place: Place) -> str:
        """Find the argument that a key such as `channels` means: itself, or its singular."""
        declared = self.tools[tool].arguments if tool in self.tools else dict[str, Argument]()
        singular = key.removesuffix("s")
        if key in declared or singular == key:
            return key
        if singular not in declared:
            self.findings.assume(
                place, f"`{key}` is read as the argument `{singular}` of `{tool}`; a call without it asks"
            )
        return singular

    def _of_classes(self, class_asks: tuple[ClassAsk, ...]) -> Iterator[Rule]:
        for ask in class_asks:
            for tool in self.tools.values():
                if tool.kind != ask.kind:
                    continue
                name = f"approval_for_{ask.kind}"
                if ask.over is None:
                    yield self._ask(tool.name, name, Always(), ask.place)
                elif path := self._quantity(tool.name, ask.place):
                    yield self._ask(tool.name, name, Above(path=path, micros=ask.over), ask.place)

    def _of_tools(self) -> Iterator[Rule]:
        for name, row in self.permissions.rows():
            if name not in RESERVED:
                yield from self._amounts(ToolName(name), row)
                yield from self._facts(ToolName(name), row)

    def _amounts(self, tool: ToolName, row: Row) -> Iterator[Rule]:
        most = row.find("max_amount_usd", MONEY)
        place = row.place_of("max_amount_usd")
        if most is not None and (path := self._quantity(tool, place)):
            yield self._deny(tool, "max_amount", Outside(path=path, low=0, high=most), place)
        over = row.find("require_human_approval_over_usd", MONEY)
        place = row.place_of("require_human_approval_over_usd")
        if over is not None and (path := self._quantity(tool, place)):
            yield self._ask(tool, "approval_over", Above(path=path, micros=over), place)

    def _facts(self, tool: ToolName, row: Row) -> Iterator[Rule]:
        for key in row.map.entries:
            start = next((each for each in FACT_RULES if key.startswith(each)), None)
            if start is None:
                continue
            effect, begins, quiet = FACT_RULES[start]
            if not row.get(key, FLAG, True):
                self.findings.wrong(
                    row.place_of(key), f"`{key}: false` says nothing", "write `true`, or remove the line"
                )
            fact = key.removeprefix(start)
            make = self._deny if effect is RuleEffect.DENY else self._ask
            yield make(tool, f"{begins}{fact}", FactIsNot(name=fact, value=quiet), row.place_of(key))

    def _first_weeks(self) -> Iterator[Rule]:
        row = self.root.row("approvals").row("first_weeks")
        until = row.find("ask_always_until", DATE)
        if until is None:
            return
        # The day that is named still asks.
        end = Instant(until + DURATION_UNITS["d"])
        for tool in row.many("tools", NAME):
            place = row.place_of("ask_always_until")
            yield self._ask(ToolName(tool), "", Before(instant=end), place, f"first_weeks.{tool}")

    def _quantity(self, name: ToolName, place: Place) -> str | None:
        """Find the one argument that says how much money a tool moves."""
        tool = self.tools.get(name)
        if tool is None:
            return None
        quantities = [
            key for key, argument in tool.arguments.items() if argument.role == "quantity" and argument.unit == "usd"
        ]
        if len(quantities) == 1:
            return f"args.{quantities[0]}"
        self.findings.wrong(
            place,
            f"`{name}` has {len(quantities)} arguments with the role `quantity` and the unit `usd`",
            f"declare one: `tools: {{{name}: {{args: {{amount_usd: {{role: quantity, unit: usd}}}}}}}}`",
        )
        return None

    def _deny(self, tool: ToolName, name: str, when: Condition, place: Place) -> Rule:
        return Rule(id=RuleId(f"{tool}.{name}"), effect=RuleEffect.DENY, place=place, tool=tool, when=when)

    def _ask(self, tool: ToolName, name: str, when: Condition, place: Place, id: str = "") -> Rule:
        consent = consent_for(self.tools.get(tool), self.approvals)
        return Rule(
            id=RuleId(id or f"{tool}.{name}"),
            effect=RuleEffect.ASK,
            place=place,
            tool=tool,
            when=when,
            approvers=consent.approvers,
            quorum=consent.quorum,
            each=consent.each,
            expires=consent.expires,
            on_change=consent.on_change,
            step_up=consent.step_up,
        )

    def _warn_of_what_stays_denied(self, allowed: set[ToolName | None], rules: tuple[Rule, ...]) -> None:
        for rule in {rule.tool: rule for rule in reversed(rules)}.values():
            tool = self.tools.get(rule.tool) if rule.tool else None
            if rule.tool not in allowed and not (tool and tool.only_as_undo):
                self.findings.assume(
                    rule.place, f"`{rule.tool}` has rules and is not in `allowed_tools`: it stays denied"
                )

    def _refuse_double_names(self, rules: tuple[Rule, ...]) -> None:
        first: dict[RuleId, Place] = {}
        for rule in rules:
            if first.setdefault(rule.id, rule.place) is not rule.place:
                self.findings.wrong(
                    rule.place, f"the rule `{rule.id}` is there twice, first in line {first[rule.id].line}", "keep one"
                )
