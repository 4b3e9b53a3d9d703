"""A tool as the full shape writes it."""

from collections.abc import Mapping

from interlock.contract.hooks import is_source
from interlock.contract.ir import Argument, Contract, Hook, Label, Tool
from interlock.contract.tools import OUTSIDE
from interlock.contract.written import Written, count, duration, json_value, micros, table
from interlock.core.ids import ToolName
from interlock.policy.rule import Place


def written_tool(tool: Tool, contract: Contract) -> Written:
    """Write everything that a tool says or that was assumed of it."""
    return table(
        from_=tool.source or None,
        description=tool.description or None,
        effect=None if tool.effect_unsaid else tool.effect.value,
        tier=tool.tier.value,
        class_=tool.kind or None,
        price=None if tool.price is None else micros(tool.price),
        timeout=None if tool.timeout == contract.tool_timeout else duration(tool.timeout),
        retries=_retries(tool),
        resend_within=None if tool.resend_within is None else duration(tool.resend_within),
        slots=None if tool.slots == _UNSAID.slots else count(tool.slots),
        isolate=tool.isolate or None,
        outside=_outside(tool),
        secret=tool.secret or None,
        secrets=dict(tool.secrets) or None,
        idempotency_header=tool.idempotency_header or None,
        urls=tool.urls or None,
        args={name: _argument(each) for name, each in tool.arguments.items()} or None,
        result=table(keep=tool.keep or None, labels=[_label(label) for label in tool.labels] or None) or None,
        cache={"ttl": duration(tool.cache_ttl)} if tool.cache_ttl else None,
        unique={"on": tool.unique.on, "within": duration(tool.unique.within)} if tool.unique else None,
        serialize=tool.serialize or None,
        subject=tool.subject or None,
        preview=written_hook(tool.preview, contract),
        reconcile=written_hook(tool.reconcile, contract),
        before=written_hook(tool.before, contract),
        after=written_hook(tool.after, contract),
        expect=tool.expect or None,
        undo=_undo(tool),
        check=tool.check or None,
        on_repeat=None if tool.on_repeat == "return" else tool.on_repeat,
        errors=tool.errors or None,
        only_for_facts=tool.only_for_facts or None,
        only_as_undo=tool.only_as_undo or None,
        schema=None if tool.schema is None else json_value(dict(tool.schema)),
        result_schema=None if tool.result_schema is None else json_value(dict(tool.result_schema)),
    )


def written_hook(hook: Hook | None, contract: Contract) -> Mapping[str, Written] | None:
    """Write a hook in its long form, with the price of the source that it brings along."""
    if hook is None:
        return None
    price = contract.tools[hook.tool].price if is_source(hook.tool) else None
    return table(
        tool=hook.tool,
        args=dict(hook.args) or None,
        within=duration(hook.within) if hook.within else None,
        price=None if price is None else micros(price),
    )


def _outside(tool: Tool) -> bool | None:
    return None if tool.outside == tool.source.startswith(OUTSIDE) else tool.outside


def _retries(tool: Tool) -> Written | None:
    if tool.retries == _UNSAID.retries and tool.backoff == _UNSAID.backoff:
        return None
    return table(max=count(tool.retries), backoff=duration(tool.backoff))


def _argument(argument: Argument) -> Written:
    return table(
        role=argument.role,
        unit=argument.unit or None,
        domains=argument.domains or None,
        templates=argument.templates or None,
    )


def _label(label: Label) -> Written:
    return table(
        path=label.path,
        trust="trusted" if label.trusted else "untrusted",
        shape=label.shape or None,
        is_id=label.is_id or None,
        pii=label.pii or None,
    )


def _undo(tool: Tool) -> Written | None:
    if tool.undo is None:
        return None
    return table(tool=tool.undo.tool, args=dict(tool.undo.args), within=duration(tool.undo.within))


_UNSAID = Tool(name=ToolName(""), source="", place=Place(file=""))
