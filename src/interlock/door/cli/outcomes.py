"""How a call ended, as text, as data, and as an exit code."""

from collections.abc import Sequence
from typing import assert_never

from interlock.core.decision import Requirement
from interlock.core.outcome import Done, Failed, Outcome, Parked, Receipt, Refused, Suggested, Uncertain
from interlock.core.value import replace
from interlock.door.cli.advice import advised
from interlock.door.cli.render import Time, block, clean, json_text, listed, usd
from interlock.door.cli.screen import Typed
from interlock.door.told.outcome import data_of, name_of

CODES: dict[type[Outcome], int] = {Done: 0, Parked: 3, Suggested: 4, Refused: 5, Failed: 6, Uncertain: 7}
"""The exit code of each outcome. 1 is kept for a command that could not be carried out."""


def tell(typed: Typed, outcome: Outcome) -> int:
    """Print how a call ended, and return its exit code."""
    if isinstance(outcome, Refused | Failed):
        outcome = replace(outcome, fix=advised(typed, outcome.fix))
    typed.screen.show(data_of(outcome), text_of(outcome, typed.screen.width))
    return CODES[type(outcome)]


def text_of(outcome: Outcome, width: int) -> str:
    """Write an outcome for people: what happened first, what to do about it last."""
    pairs = [
        (name_of(outcome), outcome.action),
        *_lines(outcome, width),
        ("recalled", "yes: the record answered, nothing was done again" if outcome.recalled else ""),
        ("receipt", receipt_line(outcome.receipt)),
    ]
    return block(pairs, width)


def _lines(outcome: Outcome, width: int) -> list[tuple[str, str]]:
    match outcome:
        case Done():
            return [
                ("result", json_text(outcome.result, width - 12)),
                ("cost", str(usd(outcome.cost.micros)) + (", more than was held for it" if outcome.overrun else "")),
                ("check", _CHECKS[outcome.check]),
                ("undone by", outcome.undone_by or ""),
            ]
        case Parked():
            return [
                ("waits for", "\n".join(requirement_line(each) for each in outcome.requirements)),
                ("until", Time(outcome.expires_at).short()),
                ("next", f"`interlock approvals show {outcome.action}`"),
            ]
        case Suggested():
            says = "a draft: a person may start it" if outcome.draft else "this is what would be done; nothing was"
            preview = "" if outcome.preview is None else json_text(outcome.preview, width - 12)
            return [("suggests", says), ("preview", preview)]
        case Refused():
            return [("reason", outcome.reason.value), ("why", clean(outcome.why)), ("fix", clean(outcome.fix))]
        case Failed():
            said = ("it said", clean(outcome.said))
            none = ("effect", "none: nothing has happened")
            fix = "" if outcome.fix in outcome.why else clean(outcome.fix)
            return [("why", clean(outcome.why)), said, none, ("fix", fix)]
        case Uncertain():
            told = f"`interlock action resolve {outcome.action} VERDICT`: happened, did-not-happen, abandon or retry"
            known = ("effect", "nobody knows whether it happened; it is not sent again")
            why = ("why", clean(outcome.why.partition("\n")[0]))
            return [why, known, ("story", f"`interlock explain {outcome.action}`"), ("next", told)]
        case _:
            assert_never(outcome)


_CHECKS = {"": "", "passed": "passed", "failed": "failed: the effect is there, and is not as the contract wants it"}


def receipt_line(receipt: Receipt | None) -> str:
    """Write a receipt on one line; the whole of it is in `--json`."""
    return f"entry {receipt.index}, leaf {receipt.leaf[:16]}" if receipt else ""


def requirement_line(requirement: Requirement, given: Sequence[str] = ()) -> str:
    """Say whose consent one rule wants, and who gave it."""
    people = "one person" if requirement.quorum <= 1 else f"{requirement.quorum} people"
    roles = (" and " if requirement.each else " or ").join(sorted(requirement.approvers)) or "nobody"
    said = f"; yes from {listed(given)}" if given else ""
    return f"{people} of {roles} (rule `{requirement.rule}`){', with step-up' if requirement.step_up else ''}{said}"
