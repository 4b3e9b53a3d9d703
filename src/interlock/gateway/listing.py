"""Lists of actions, page by page, of those that somebody wants to see and may see."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from interlock.core.action import Action
from interlock.core.ids import ActionId, Instant, RunId
from interlock.core.value import replace
from interlock.ports import ActionRow, TenantStore, Wanted

Place = tuple[Instant, ActionId]
"""When an action changed last, and its id: where a page ends."""

_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which actions are wanted; nothing is any."""

    workflow: str | None = None
    environment: str | None = None
    agent: str | None = None
    principal: str | None = None
    tool: str | None = None

    def fits(self, action: Action) -> bool:
        who = action.caller
        return (
            self.workflow in (None, who.workflow)
            and self.environment in (None, who.environment)
            and self.agent in (None, who.agent)
            and self.principal in (None, who.principal)
            and self.tool in (None, action.tool)
        )


async def page_of(
    store: TenantStore, wanted: Wanted, fits: Callable[[Action], bool], *, looks_at: int
) -> tuple[list[ActionRow], Place | None]:
    """Return the next actions that fit, the one that changed last first, and where the next page begins.

    Args:
        store: the tenant's.
        wanted: which ones, and how many at most.
        fits: whether one belongs on the page.
        looks_at: how many are looked at for one page. A page may be short for that, or empty, and not the last.
    """
    place: Place | None = wanted.before
    found, looked_at, more, size = list[ActionRow](), 0, True, wanted.limit
    while more and len(found) < wanted.limit and looked_at < looks_at:
        rows = await store.actions(replace(wanted, before=place, limit=size))
        more = len(rows) == size
        size = max(size, _AT_ONCE)  # few fit
        for row in rows:
            looked_at, place = looked_at + 1, (row.changed_at, row.action.id)
            if fits(row.action):
                found.append(row)
            if len(found) == wanted.limit:
                more = more or row is not rows[-1]
                break
    return found, place if more else None


async def each_of_run(store: TenantStore, run: RunId) -> AsyncGenerator[ActionRow]:
    """Yield the actions of a run, each once, the one that changed last first."""
    seen, place, more = set[ActionId](), None, True
    while more:
        rows = await store.actions(Wanted(run=run, before=place, limit=_AT_ONCE))
        for row in rows:
            place = (row.changed_at, row.action.id)
            if row.action.id not in seen:
                seen.add(row.action.id)
                yield row
        more = len(rows) == _AT_ONCE
