"""What was found out about an action before its begin is written, put together and encrypted where it is kept."""

from interlock.core.canonical import canonical
from interlock.core.ids import ProcessId
from interlock.gateway.asked import Asked
from interlock.gateway.claims import Names
from interlock.gateway.gather import Gathered
from interlock.gateway.handoff import handoff_of
from interlock.gateway.judge import Judged
from interlock.gateway.write_begin import Writing
from interlock.ports import Secrets


def writing_of(
    asked: Asked, judged: Judged, names: Names, gathered: Gathered, secrets: Secrets, process: ProcessId
) -> Writing:
    """Put it together; what was paid for it, and whether it may start, is put in by whoever knows."""
    shown = asked.tool.preview is not None and judged.seen
    preview = canonical(gathered.preview) if shown else b""
    return Writing(
        asked=asked,
        judged=judged,
        names=names,
        arguments=asked.sealed_arguments(secrets),
        preview=asked.sealed(secrets, asked.drawn.preview, preview) if shown else None,
        shown=gathered.preview,
        gathered=0,
        before=gathered.before,
        process=process,
        handoff=handoff_of(asked.force.contract),
    )
