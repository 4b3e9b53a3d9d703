"""What describes this API: the document, and what each kind of problem means."""

from interlock.door.http import shapes
from interlock.door.http.permissions import ANYBODY
from interlock.door.http.problem import KINDS, PREFIX, nothing_there
from interlock.door.http.route import Answer, Route
from interlock.door.http.visit import Visit


async def problem_shown(visit: Visit[None, None]) -> Answer:
    """Say what a kind of problem means."""
    kind = KINDS.get(visit.path["kind"])
    if kind is None:
        raise nothing_there()
    said = {"type": PREFIX + visit.path["kind"], "title": kind.title, "status": kind.status, "means": kind.means}
    return Answer(data=said)


async def described(visit: Visit[None, None]) -> Answer:
    """Describe this API."""
    return Answer(data=visit.document())


ROUTES = (
    Route(
        method="GET",
        path="/v1/openapi.json",
        name="get_openapi",
        needs=ANYBODY,
        says="Describe this API, as OpenAPI 3.1.",
        does=described,
        answers={200: shapes.Document},
    ),
    Route(
        method="GET",
        path="/v1/problems/{kind}",
        name="get_problem",
        needs=ANYBODY,
        says="Say what a kind of problem means, by the last part of its `type`.",
        does=problem_shown,
        answers={200: shapes.ProblemKind},
        problems=("nothing-there",),
    ),
)
