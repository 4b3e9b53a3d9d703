"""`migrate`: which version the tables of the store have, which this program writes, and what leads there."""

from interlock import app
from interlock.core.errors import InterlockError
from interlock.door.cli.render import block
from interlock.door.cli.screen import Typed


def migrate(typed: Typed) -> int:
    """Bring the store to this program's version, or only say what that would change."""
    settings, dry = typed.settings, typed.given.dry_run
    if settings.file is not None and not settings.file.is_file():
        raise InterlockError(f"there is no store at `{settings.shown}`", fix="name it with `--store`")
    plan = app.migration(settings.store) if dry else app.migrated(settings.store)
    steps = plan.steps
    pairs: list[tuple[str, object]] = [
        ("store", settings.shown),
        ("its version", plan.found),
        ("this program", f"writes version {plan.writes}"),
        *(("would do" if dry else "done", f"{step.to}: {step.says}") for step in steps),
        ("to do", "" if steps else "nothing: the versions agree"),
        ("first", _FIRST if steps and dry else ""),
    ]
    data = {
        "version": plan.found,
        "writes": plan.writes,
        "dry_run": dry,
        "steps": [{"to": step.to, "says": step.says} for step in steps],
    }
    typed.screen.show(data, block(pairs, typed.screen.width))
    return 0


_FIRST = "end every process of the old version, and keep a backup by that version: there is no way back"
