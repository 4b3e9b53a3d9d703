"""What the answer to a call means: what was returned, or that it may or may not have happened."""

from typing import Any, cast

from interlock.core.canonical import Json, Unreadable
from interlock.core.effect import EffectClass
from interlock.core.errand import Performed
from interlock.core.errors import UpstreamError, UpstreamFailed, UpstreamSilent
from interlock.core.limits import SAID_CHARS_MAX
from interlock.tool.mcp import wire
from interlock.tool.mcp.link import Answer
from interlock.tool.mcp.reach import Definition
from interlock.tool.mcp.wire import RpcError

NO_EFFECT = "no_effect"
_SHOWN = frozenset({"type", "text", "data", "mimeType", "uri", "name", "title", "description", "resource", "size"})
"""What of a block of content is passed on. The rest is advice to programs that show it."""


def performed(answer: Answer, definition: Definition, effect: EffectClass) -> Performed:
    """Say what a call came to.

    Raises:
        UpstreamFailed: it did not happen.
        UpstreamSilent: the other side says that something went wrong, and nobody knows what it did before.
    """
    if isinstance(answer, RpcError):
        raise _refused(answer, definition, effect)
    try:
        called = wire.called(answer)
    except wire.Unreadable:
        # It answered, so it has done it; what it says of it nobody can read.
        return Performed(result=Unreadable())
    if called.is_error or called.result_type != "complete":
        what = "says that it failed" if called.is_error else "wants something that nobody offers it"
        raise wrong(definition, effect, what, said=_text(called))
    return Performed(result=_result(called))


def wrong(definition: Definition, effect: EffectClass, what: str, *, said: str = "") -> UpstreamError:
    """Say what it means that a tool went wrong after it had begun."""
    name = f"`{definition.reach.server}/{definition.tool}`"
    said = said[:SAID_CHARS_MAX]
    if effect is EffectClass.READ or definition.errors == NO_EFFECT:
        return UpstreamFailed(f"{name} {what}", fix="look at what it said", said=said)
    fix = "look at what it did; `errors: no_effect` in the contract says that its errors mean that nothing happened"
    return UpstreamSilent(f"{name} {what}, and may have done a part of it", fix=fix, said=said)


def _refused(error: RpcError, definition: Definition, effect: EffectClass) -> UpstreamError:
    if error.code not in wire.NOT_BEGUN:
        return wrong(definition, effect, f"answers with the error {error.code}", said=error.message)
    return UpstreamFailed(
        f"`{definition.reach.server}/{definition.tool}` was not begun (error {error.code})",
        fix="look at what it said, and whether the tool is still there",
        said=error.message[:SAID_CHARS_MAX],
    )


def _result(called: wire.Called) -> Json:
    if called.structured_content is not None:
        return called.structured_content
    blocks = [_block(block) for block in called.content]
    if len(blocks) == 1 and blocks[0].get("type") == "text":
        return blocks[0].get("text", "")
    return cast("Json", blocks)


def _block(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name in _SHOWN}


def _text(called: wire.Called) -> str:
    texts = (block.get("text") for block in called.content if block.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))
