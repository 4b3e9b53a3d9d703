"""The table: every route of the API stands here, and nothing answers that does not."""

from interlock.door.http import routes_about, routes_actions
from interlock.door.http.route import Route

ROUTES: tuple[Route, ...] = (*routes_actions.ROUTES, *routes_about.ROUTES)
