"""What changed in whose consent counts: tiers, people, keys."""

from collections.abc import Iterator
from dataclasses import fields

from interlock.contract.diff_line import Line, Weight, in_file, ordered, said
from interlock.contract.ir import Approvals, Consent, Contract
from interlock.policy.cedar import span_text
from interlock.policy.strictness import Whom, as_strict


def consent_changes(old: Contract, new: Contract) -> Iterator[Line]:
    """Return every change under `approvals`."""
    for weight, about, what in _changes(old.approvals, new.approvals):
        yield Line(weight, about, what, in_file(old), in_file(new))


def _changes(was: Approvals, will: Approvals) -> Iterator[tuple[Weight, str, str]]:
    for tier in ("yellow", "red"):
        before, after = getattr(was, tier), getattr(will, tier)
        if before != after:
            yield _weight(before, after), f"approvals.{tier}", f"{_whom(before)} -> {_whom(after)}"
    yield from _people(was, will)
    # Whether two yeses are those of one person hangs on it, either way.
    for person, before, after in ordered(was.keys, will.keys):
        yield Weight.OTHER, f"keys of `{person}`", f"{said(before)} -> {said(after)}"
    for field in fields(Approvals):
        before, after = getattr(was, field.name), getattr(will, field.name)
        if field.name not in _TOLD and before != after:
            yield _plain_weight(field.name, after), f"approvals.{field.name}", f"{said(before)} -> {said(after)}"


def _people(was: Approvals, will: Approvals) -> Iterator[tuple[Weight, str, str]]:
    for role in sorted(was.people.keys() | will.people.keys()):
        held, holds = was.people.get(role, frozenset()), will.people.get(role, frozenset())
        for person in sorted(holds - held):
            yield Weight.LOOSER, f"role `{role}`", f"`{person}` may agree"
        for person in sorted(held - holds):
            yield Weight.TIGHTER, f"role `{role}`", f"`{person}` may not agree any more"


def _plain_weight(name: str, after: object) -> Weight:
    if name == "separation_of_duties":
        return Weight.TIGHTER if after else Weight.LOOSER
    return Weight.NEITHER if name == "remind" else Weight.OTHER


_TOLD = frozenset({"yellow", "red", "people", "keys"})


def _weight(old: Consent | None, new: Consent | None) -> Weight:
    if new is None:
        return Weight.TIGHTER  # what nobody may agree to is refused
    if old is None:
        return Weight.LOOSER
    return consent_weight(old, new)


def somebody(consent: Consent | None) -> bool:
    """Whether anybody may agree at all."""
    return consent is not None and bool(consent.approvers)


def consent_weight(old: Whom, new: Whom) -> Weight:
    """Say which way a change goes in whose consent is asked for."""
    if as_strict(new, old):
        return Weight.TIGHTER
    return Weight.LOOSER if as_strict(old, new) else Weight.OTHER


def whom_words(whom: Whom) -> str:
    """Say whose consent is asked for, and until when."""
    roles = (" and " if whom.each else " or ").join(sorted(whom.approvers)) or "nobody"
    more = (", with step-up" if whom.step_up else "") + (", whatever changes" if whom.on_change == "go_on" else "")
    return f"{whom.quorum} of {roles} within {span_text(whom.expires)}{more}"


def _whom(consent: Consent | None) -> str:
    return "nobody" if consent is None else whom_words(consent)
