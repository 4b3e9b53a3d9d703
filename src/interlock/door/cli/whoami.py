"""`whoami`: who somebody is to a command of this tenant, how they are known, in which roles, until when."""

from collections.abc import Mapping
from typing import Any

from interlock.contract.bundle import decode
from interlock.core.credential import BY_ISSUER
from interlock.core.ids import WorkflowId
from interlock.door.cli.logins import logged_in
from interlock.door.cli.person import operator
from interlock.door.cli.render import Time, block, since, table
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import Session, awaited, session
from interlock.gateway.doors import Operator
from interlock.gateway.people import person_of, roles_as_they_speak
from interlock.identity.login_file import Kept
from interlock.ledger.consent import BY_KEY


@awaited
async def whoami(typed: Typed) -> int:
    """Say who types."""
    with session(typed) as here:
        by = await operator(here)
        found = await logged_in(here) if by.known_by.startswith(BY_ISSUER) else None
        kept, now = found[0] if found is not None else None, here.gateway.clock.now()
        counts = await _counts(here, by)
    until = f"{Time(kept.until).short()} ({since(kept.until, now)})" if kept is not None else ""
    renewed = kept is not None and bool(kept.refresh_token)
    pairs: list[tuple[str, object]] = [
        ("you are", by.person),
        ("known by", f"{by.known_by}, {_how(by, kept)}"),
        ("roles", ", ".join(map(str, by.roles)) or ("none by this issuer" if kept is not None else "")),
        ("until", f"{until}, renewed by itself" if renewed else until),
    ]
    heads = ["WORKFLOW", "ENVIRONMENT", "COUNTS AS", "CONSENTS AS"]
    rows = [[each["workflow"], each["environment"], each["person"], ", ".join(each["roles"])] for each in counts]
    text = block(pairs, typed.screen.width)
    text += f"\n\n{table(heads, rows, typed.screen.broad)}" if rows else ""
    data = {
        "person": by.person,
        "known_by": by.known_by,
        "roles": list(map(str, by.roles)),
        "issuer": kept.issuer if kept is not None else None,
        "until": Time(kept.until) if kept is not None else None,
        "renewed": renewed,
        "consents": counts,
    }
    typed.screen.show(data, text)
    return 0


async def _counts(here: Session, by: Operator) -> list[Mapping[str, Any]]:
    """Say as whom they count in each workflow, and what for where consent is asked."""
    rows, found = await here.rows(), list[Mapping[str, Any]]()
    for name, published in sorted(rows.door.published.items()):
        workflow, _, environment = name.rpartition("/")
        approvals = decode(await here.store.contract(published.contract)).approvals
        person = person_of(approvals, by.person, by.known_by)
        roles = roles_as_they_speak(approvals, rows.door, rows.now, WorkflowId(workflow), person, by)
        found.append(
            {"workflow": workflow, "environment": environment, "person": person, "roles": sorted(map(str, roles))}
        )
    return found


def _how(by: Operator, kept: Kept | None) -> str:
    if kept is not None:
        return f"your login at {kept.url}"
    if by.known_by.startswith(BY_KEY):
        return "the key that you sign with"
    return "by your own word" if by.known_by.startswith("demo:") else "the user of this machine"
