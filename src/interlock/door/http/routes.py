"""The table: every route of the API stands here, and nothing answers that does not."""

from interlock.door.http import routes_about, routes_actions, routes_tools
from interlock.door.http.route import Route

ROUTES: tuple[Route, ...] = (*routes_actions.ROUTES, *routes_tools.ROUTES, *routes_about.ROUTES)
