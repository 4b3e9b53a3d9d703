"""Who agrees to what: the section `approvals`."""

from interlock.contract.full_shape import ON_CHANGE, ON_EXPIRY
from interlock.contract.ir import Approvals, Consent, Tool
from interlock.contract.node import Scalar
from interlock.contract.problem import Findings
from interlock.contract.row import Row, read
from interlock.contract.scalar import DURATION, FLAG, LOGIN, NAME, PERCENT, PERSON, POSITIVE
from interlock.core.effect import Tier
from interlock.core.ids import PersonId, Role

NOBODY = Consent(approvers=frozenset())
"""Nobody may agree, so whatever asks is never done."""


def read_approvals(root: Row, findings: Findings) -> Approvals:
    """Read the section `approvals`."""
    row = root.row("approvals")
    if not row.has("yellow") and not row.has("red"):
        findings.assume(root.place_of("approvals"), "nobody is named who may agree: whatever asks is never done")
    people = {
        Role(role): frozenset(PersonId(person) for person in row.row("people").many(role, PERSON))
        for role in row.row("people").map.entries
    }
    keys = {PersonId(person): frozenset(row.row("keys").many(person, LOGIN)) for person in row.row("keys").map.entries}
    return Approvals(
        yellow=_consent(row, "yellow", findings),
        red=_consent(row, "red", findings),
        separation_of_duties=row.get("separation_of_duties", FLAG, True),
        remind=_remind(row, findings),
        on_expiry=row.get("on_expiry", ON_EXPIRY, _UNSAID.on_expiry),
        people=people,
        keys=keys,
    )


def consent_for(tool: Tool | None, approvals: Approvals) -> Consent:
    """Find who answers the asking rules of a tool: those of its tier, or those of yellow where it has none."""
    red = approvals.red if tool is not None and tool.tier is Tier.RED else None
    return red or approvals.yellow or NOBODY


def _consent(approvals: Row, tier: str, findings: Findings) -> Consent | None:
    if not approvals.has(tier):
        return None
    row = approvals.row(tier)
    consent = Consent(
        approvers=frozenset(Role(name) for name in row.many("approvers", NAME)),
        quorum=row.get("quorum", POSITIVE, 1),
        each=row.get("each", FLAG, False),
        expires=row.get("expires", DURATION, NOBODY.expires),
        step_up=row.get("step_up", FLAG, False),
        on_change=row.get("on_change", ON_CHANGE, NOBODY.on_change),
    )
    if consent.each and consent.quorum < len(consent.approvers):
        findings.wrong(
            row.place_of("each"),
            f"each of {len(consent.approvers)} roles is to agree, with a quorum of {consent.quorum}",
            f"write `quorum: {len(consent.approvers)}`",
        )
    return consent


def _remind(row: Row, findings: Findings) -> tuple[int, ...]:
    reminders: list[int] = []
    for item in row.items("remind"):
        percent, rest = divmod(read(item, PERCENT), 1_000_000) if isinstance(item, Scalar) else (0, 0)
        if rest or not 0 < percent < 100:
            findings.wrong(item.place, f"a reminder comes at a whole percentage, found {item}", "write `1%` to `99%`")
        reminders.append(percent)
    return tuple(reminders)


_UNSAID = Approvals()
