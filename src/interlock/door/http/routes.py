"""The table: every route of the API stands here, and nothing answers that does not."""

from interlock.door.http import (
    routes_about,
    routes_actions,
    routes_approvals,
    routes_budgets,
    routes_contracts,
    routes_events,
    routes_ledger,
    routes_runs,
    routes_switches,
    routes_tools,
)
from interlock.door.http.route import Route

ROUTES: tuple[Route, ...] = (
    *routes_actions.ROUTES,
    *routes_runs.ROUTES,
    *routes_approvals.ROUTES,
    *routes_budgets.ROUTES,
    *routes_switches.ROUTES,
    *routes_ledger.ROUTES,
    *routes_contracts.ROUTES,
    *routes_tools.ROUTES,
    *routes_events.ROUTES,
    *routes_about.ROUTES,
)
