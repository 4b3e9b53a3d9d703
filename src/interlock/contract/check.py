"""What a contract says of itself must hold together: names lead somewhere, hooks only read, nothing undoes in circles.

Files, sources and keys are looked at when a contract is published, not here.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from interlock.contract.expr import parse as parse_expression
from interlock.contract.expr import paths
from interlock.contract.hooks import hooks_of, is_source
from interlock.contract.hosts import file_of, origin_of
from interlock.contract.ir import Contract, Hook, Tool, Undo
from interlock.contract.path import parse as parse_path
from interlock.contract.problem import Problem, nearest
from interlock.contract.rules import RESERVED
from interlock.core.canonical import Json
from interlock.core.charge import Unit
from interlock.core.effect import EffectClass
from interlock.policy.rule import AsUndo, FactIsNot, Place, Rule, RuleEffect

Where = Callable[..., Place]
"""Finds where something is written: `where("tools", "create_refund", "undo")`."""


def check(contract: Contract, where: Where | None = None) -> tuple[Problem, ...]:
    """Return everything in which a contract contradicts itself; nothing is well."""
    checks = _Checks(contract, where or (lambda *_: contract.place))
    return tuple(
        problem
        for each in (
            checks.rules(),
            checks.classes(),
            checks.facts(),
            checks.limits(),
            checks.retention(),
            checks.hosts(),
            checks.databases(),
            *(checks.tool(tool) for tool in contract.tools.values() if not is_source(tool.name)),
        )
        for problem in each
    )


@dataclass(frozen=True, slots=True)
class _Checks:
    """One method a subject; each yields what is wrong."""

    contract: Contract
    where: Where

    def retention(self) -> Iterator[Problem]:
        ledger, payloads = self.contract.ledger_days, self.contract.payload_days
        if ledger is not None and payloads is not None and ledger < payloads:
            yield Problem(
                place=self.where("retention", "ledger"),
                what=f"payloads are to be kept for {payloads} days, and the ledger tells of them for {ledger}",
                fix=f"write `ledger: {payloads}d` or more: an action is pruned with its payloads",
            )

    def hosts(self) -> Iterator[Problem]:
        tools = self.contract.tools.values()
        documents = {file_of(tool.source) for tool in tools if tool.source.startswith(("browser:", "openapi:"))}
        origins = {origin_of(url) for tool in tools for url in tool.urls}
        if any(tool.source.startswith("browser:") for tool in tools):
            # Which hosts a page action may reach stands in its file.
            origins |= {name for name in self.contract.hosts if "://" in name}
        for name, host in self.contract.hosts.items():
            place = self.where("hosts", name)
            if name not in documents | origins:
                what = f"no tool comes from `openapi:{name}#...` or `browser:{name}#...`, and no page is read there"
                yield _problem(place, what, nearest(name, documents | origins))
            if name in origins and (host.url or host.urls):
                yield _problem(place, f"`{name}` is an address itself", "leave `url` out, and say `private: true`")
            for environment in sorted((host.urls.keys() | host.private_in) - self.contract.modes.keys()):
                what = f"`{name}` names `{environment}`, which is no environment of this contract"
                yield _problem(place, what, nearest(environment, self.contract.modes))

    def databases(self) -> Iterator[Problem]:
        files = {file_of(tool.source) for tool in self.contract.tools.values() if tool.source.startswith("sql:")}
        for name, database in self.contract.databases.items():
            place = self.where("databases", name)
            if name not in files:
                yield _problem(place, f"no tool comes from `sql:{name}#...`", nearest(name, files))
            named = database.sqlite_in.keys() | database.address_in.keys()
            for environment in sorted(named - self.contract.modes.keys()):
                what = f"`{name}` names `{environment}`, which is no environment of this contract"
                yield _problem(place, what, nearest(environment, self.contract.modes))
        for tool in self.contract.tools.values():
            if tool.source.startswith("sql:") and file_of(tool.source) not in self.contract.databases:
                fix = f"write `databases: {{ {file_of(tool.source)}: {{ sqlite: FILE }} }}`, or `postgres: {{}}`"
                yield _problem(tool.place, f"`{tool.name}` says no database for its statement", fix)

    def rules(self) -> Iterator[Problem]:
        for rule in self.contract.rules:
            if rule.tool is None:
                continue
            tool = self.contract.tools.get(rule.tool)
            if tool is None or is_source(rule.tool):
                yield self._no_tool(rule.tool, rule.place)
            elif rule.effect is RuleEffect.PERMIT and not isinstance(rule.when, AsUndo):
                yield from _not_for_agents(tool, rule.place)
            yield from self._fact_of(rule)

    def _fact_of(self, rule: Rule) -> Iterator[Problem]:
        if not isinstance(rule.when, FactIsNot):
            return
        fact = rule.when.name
        hook = self.contract.facts.get(fact)
        known = self.contract.facts.keys() | self.contract.unknown_facts
        if fact not in known:
            yield _problem(
                rule.place,
                f"the rule `{rule.id}` asks for the fact `{fact}`, and no fact has that name",
                nearest(fact, known) if known else f"add `facts: {{{fact}: {{tool: ...}}}}`",
            )
        tool = self.contract.tools.get(rule.tool) if rule.tool else None
        if hook is not None and tool is not None:
            place = self.where("facts", fact, "args")
            yield from _declared(hook.args.values(), tool, place, f"the fact `{fact}`")

    def classes(self) -> Iterator[Problem]:
        kinds = {tool.kind for tool in self.contract.tools.values() if tool.kind}
        for ask in self.contract.class_asks:
            # Without tools nothing is allowed, and the class may come with them.
            if self.contract.tools and ask.kind not in kinds:
                fix = nearest(ask.kind, kinds) if kinds else f"write `class: {ask.kind}` at the tools that it means"
                yield _problem(ask.place, f"no tool is of the class `{ask.kind}`", fix)

    def facts(self) -> Iterator[Problem]:
        for name, hook in self.contract.facts.items():
            yield from self._hook(hook, ("facts", name), f"the fact `{name}`", roots={"args"})

    def limits(self) -> Iterator[Problem]:
        for budget in self.contract.budgets:
            if budget.tool is None:
                continue
            tool = self.contract.tools.get(budget.tool)
            if tool is None or is_source(budget.tool):
                yield self._no_tool(budget.tool, self.where("budgets", "limits", budget.tool))
            elif budget.unit is Unit.USD_OF_ARGS and not any(_moves_money(tool)):
                yield _problem(
                    budget.place,
                    f"no argument of `{tool.name}` says how much money it moves",
                    "give one `role: quantity, unit: usd`",
                )

    def tool(self, tool: Tool) -> Iterator[Problem]:
        if tool.name in RESERVED:
            yield _problem(tool.place, f"`{tool.name}` is a key of `permissions`", "give the tool another name")
        for key, hook in hooks_of(tool).items():
            roots = _SEES.get(key, {"args"})
            yield from self._hook(hook, ("tools", tool.name, key), f"`{key}` of `{tool.name}`", roots)
            yield from _declared(hook.args.values(), tool, self.where("tools", tool.name, key), f"`{key}`")
        if tool.urls and not tool.source.startswith("page:"):
            place = self.where("tools", tool.name, "urls")
            yield _problem(place, f"`{tool.name}` reads no pages, so `urls` limits nothing", "write `from: page:text`")
        yield from self._undo(tool)
        yield from self._paths(tool)
        yield from self._conditions(tool)
        if tool.expect and tool.preview is None:
            place = self.where("tools", tool.name, "expect")
            yield _problem(place, f"`{tool.name}` expects fields of a preview and has none", "add `preview`")

    def _hook(self, hook: Hook, keys: tuple[str, ...], who: str, roots: set[str]) -> Iterator[Problem]:
        place = self.where(*keys, "tool")
        tool = self.contract.tools.get(hook.tool)
        if tool is None:
            yield self._no_tool(hook.tool, place)
        elif tool.effect is not EffectClass.READ and not tool.effect_unsaid:
            yield _problem(
                place,
                f"{who} names `{tool.name}`, whose effect is `{tool.effect.value}`; a hook only reads",
                "name a tool with `effect: read`",
            )
        for name, path in hook.args.items():
            root = _root(path)
            if root and root not in roots:
                known = " and ".join(f"`$.{each}`" for each in sorted(roots))
                yield _problem(
                    self.where(*keys, "args", name), f"{who} looks at `{path}`; it sees {known}", f"begin with {known}"
                )

    def _undo(self, tool: Tool) -> Iterator[Problem]:
        if tool.undo is None:
            return
        place = self.where("tools", tool.name, "undo", "tool")
        undoing = self.contract.tools.get(tool.undo.tool)
        if undoing is None:
            yield self._no_tool(tool.undo.tool, place)
        elif undoing is tool:
            yield _problem(place, f"`{tool.name}` undoes itself", "name the tool that reverses it")
        elif undoing.undo is not None:
            yield _problem(
                place,
                f"`{undoing.name}` undoes `{tool.name}` and has an undo of its own: undoing could go in circles",
                f"remove `undo` from `{undoing.name}`",
            )
        elif undoing.effect is EffectClass.READ:
            yield _problem(place, f"`{undoing.name}` only reads, so it undoes nothing", "name a tool that writes")
        if tool.effect is EffectClass.READ:
            yield _problem(place, f"`{tool.name}` only reads, so there is nothing to undo", "remove `undo`")
        if undoing is not None and undoing.subject and parse_path(undoing.subject).steps[1:2] not in _sent(tool.undo):
            yield _problem(
                place,
                f"`{undoing.name}` has its subject at `{undoing.subject}`, and `undo` does not send that",
                "send that argument too, or remove `subject`: without it every undo would be refused",
            )
        args = tool.undo.args
        yield from _declared(args.values(), tool, self.where("tools", tool.name, "undo", "args"), "`undo`")
        for name, path in args.items():
            if _root(path) not in {"", "args", "result"}:
                at = self.where("tools", tool.name, "undo", "args", name)
                yield _problem(at, f"`undo` looks at `{path}`", "begin with `$.args` or `$.result`")

    def _paths(self, tool: Tool) -> Iterator[Problem]:
        named = [("serialize", tool.serialize), ("subject", tool.subject)]
        named += [("unique", path) for path in tool.unique.on] if tool.unique else []
        for key, text in named:
            place = self.where("tools", tool.name, key)
            if text and parse_path(text).root != "args":
                yield _problem(place, f"`{key}` names an argument, found `{text}`", "begin with `args.`")
            elif text:
                yield from _declared([f"$.{text.removeprefix('$.')}"], tool, place, f"`{key}`")

    def _conditions(self, tool: Tool) -> Iterator[Problem]:
        place = self.where("tools", tool.name, "check")
        for text in tool.check:
            for path in paths(parse_expression(text)):
                if path.root not in {"args", "result"}:
                    yield _problem(
                        place, f"`check` looks at `{path}`; it sees `args` and `result`", "begin with one of them"
                    )
                else:
                    yield from _declared([f"$.{path}"], tool, place, "`check`")

    def _no_tool(self, name: str, place: Place) -> Problem:
        known = [tool for tool in self.contract.tools if not is_source(tool)]
        return _problem(place, f"no tool is named `{name}`", nearest(name, known) if known else "declare it in `tools`")


_SEES = {"after": {"args", "result"}, "reconcile": {"args", "action", "key"}}
"""What a hook can look at. Only what comes after an effect whose end is known sees its result."""


def arguments_of(tool: Tool) -> frozenset[str]:
    """Name the arguments that a contract declares of a tool; none means that it says nothing of them."""
    properties = cast("Json", (tool.schema or {}).get("properties"))
    return frozenset(tool.arguments) | frozenset(properties if isinstance(properties, dict) else ())


def _declared(texts: Iterable[str], tool: Tool, place: Place, who: str) -> Iterator[Problem]:
    """Refuse paths to arguments that the tool does not have."""
    known = arguments_of(tool)
    for text in texts:
        steps = parse_path(text).steps if text.startswith("$.args.") else ()
        if len(steps) > 1 and known and str(steps[1]) not in known:
            yield _problem(
                place,
                f"{who} looks at the argument `{steps[1]}`, which `{tool.name}` does not declare",
                nearest(str(steps[1]), known),
            )


def _sent(undo: Undo) -> set[tuple[str, ...]]:
    return {(name,) for name in undo.args}


def _root(text: str) -> str:
    return parse_path(text).root if text.startswith("$.") else ""


def _moves_money(tool: Tool) -> Iterator[bool]:
    return (argument.role == "quantity" and argument.unit == "usd" for argument in tool.arguments.values())


def _not_for_agents(tool: Tool, place: Place) -> Iterator[Problem]:
    kind = "undoing" if tool.only_as_undo else "facts" if tool.only_for_facts else ""
    if kind:
        yield _problem(
            place, f"`{tool.name}` is for {kind} alone, and `allowed_tools` names it", "remove it from `allowed_tools`"
        )


def _problem(place: Place, what: str, fix: str) -> Problem:
    return Problem(place=place, what=what, fix=fix)
