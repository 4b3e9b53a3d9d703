"""`explain`: the whole story of an action on one screen."""

from collections.abc import Iterable, Mapping
from typing import Any

from interlock.core.ids import Instant
from interlock.door.cli.actions import remark, undo_words
from interlock.door.cli.anchored import last_anchor
from interlock.door.cli.payloads import shown
from interlock.door.cli.policies import why_text
from interlock.door.cli.render import block, clean, since, table, wrapped
from interlock.door.cli.screen import Typed
from interlock.door.cli.session import awaited, session
from interlock.door.told.story import Data, story_of
from interlock.policy.words import as_text
from interlock.ports import ActionRow

_INDENT = 2
_LABEL = 14  # the widest name in a section, and the gap behind it

_ENDED = {"refused": "it was refused as", "failed": "it failed as"}
_ONLY_COMMITTED = "not readable as they came: only a commitment is kept"


@awaited
async def explain(typed: Typed) -> int:
    """Print the story of an action."""
    with session(typed) as here:
        row = await here.action(typed.given.id)
        story, now = await story_of(here, row), (await here.rows()).now
        if story["receipt"] is not None:
            last, index = await last_anchor(here.store, typed.settings.keys), story["receipt"]["index"]
            anchored = last.standing is not None and index < last.standing.size
            story["receipt"] |= {"last_anchor": last, "anchored": anchored}
    typed.screen.show(story, _text(story, row, now, typed.screen.width))
    return 0


def _text(story: Data, row: ActionRow, now: Instant, width: int) -> str:
    """Lay the story out: what became of it first, then who, why, whose consent, what it cost, did and left behind."""
    sections = [
        ("who", _who(story, width)),
        ("what", _what(story, width)),
        ("why", _why(story, width)),
        ("consent", _consent(story, width)),
        ("cost", _cost(story, width)),
        ("read", _read(story, width)),
        ("changed", _changed(story, row, now, width)),
        ("steps", _steps(story, width)),
        ("receipt", _receipt(story, width)),
    ]
    head = f"{story['id']}  {story['tool']}  {story['state'].upper()}, {since(row.changed_at, now)}"
    said = remark(row)
    lines = [clean(head), *([_indented(wrapped(said, width - _INDENT))] if said else [])]
    return "\n".join([*lines, *(f"\n{name}\n{text}" for name, text in sections if text)])


def _who(story: Data, width: int) -> str:
    asked_by = f"{story['asked_by']}, a person" if story["asked_by"] else ""
    return _block(
        [
            ("agent", story["agent"]),
            ("asked by", asked_by),
            ("for", story["principal"]),
            ("workflow", f"{story['workflow']} in {story['environment']}, tenant {story['tenant']}"),
            ("run", story["run"]),
            ("asked", story["asked_at"]),
            ("undoes", story["undo_of"]),
            ("does again", story["retry_of"]),
            ("starts", story["draft_of"]),
        ],
        width,
    )


def _what(story: Data, width: int) -> str:
    under = story["under"]
    contract = f"{(under['contract'] or '')[:12]}, {'in force' if under['in_force'] else 'not in force any more'}"
    epochs = ", ".join(map(str, under["epochs"]))
    return _block(
        [
            ("tool", f"{story['tool']} ({story['effect']}, {story['tier']})"),
            ("arguments", "" if story["pruned"] else _opened(story["arguments"], width, _ONLY_COMMITTED)),
            ("contract", contract if under["contract"] else ""),
            ("mode", story["decision"].get("mode") if story["decision"] else ""),
            ("epoch", epochs),
        ],
        width,
    )


def _why(story: Data, width: int) -> str:
    decision = story["decision"]
    if story["pruned_by"] is not None:
        gone = f"entry {story['pruned_by']} says that it was pruned: an export of the ledger from before that has it"
        return _said(gone, width)
    if decision is None:
        why = story["why"] or "it was never judged"
        return _said(f"no rule was asked: {clean(why)}", width)
    if "unreadable" in decision:
        return _said(f"what policy was asked cannot be shown: {clean(decision['unreadable'])}", width)
    text = why_text(decision["why"], width - _INDENT)
    if not decision["same_slice"]:
        text += "\nthese are not the rules of that time: the record names another slice"
    if story["reason"] and story["why"] and not any(story["why"] in line for line in decision["why"]):
        ended = _ENDED.get(story["state"], "a person takes over as")
        but = f"but {ended} `{story['reason']}`: {clean(story['why'])}"
        text += "\n" + wrapped(but, width - _INDENT, hang=_INDENT)
    return _indented(text)


def _consent(story: Data, width: int) -> str:
    consent = story["consent"]
    lines = [_wanted(each) for each in consent["wanted"]]
    for vote in consent["given"]:
        used = "used" if vote["used"] else "not used"
        what = f"for {', '.join(vote['rules'])}; grant {vote['grant']}, {used}"
        lines.append(f"yes  {vote['at'].short()}  {vote['person']} ({vote['known_by']}) {what}")
    for each in consent["otherwise"]:
        word = "no  " if each["kind"] == "denied" else "edit"
        lines.append(f"{word} {each['at'].short()}  {each['person']} ({each['known_by']})")
    if story["state"] == "parked":
        lines.append(f"until {consent['expires_at'].short()}: `interlock approvals show {story['id']}`")
    return _indented(why_text(lines, width - _INDENT)) if lines else ""


def _wanted(want: Mapping[str, Any]) -> str:
    people = "one person" if want["quorum"] <= 1 else f"{want['quorum']} people"
    roles = (" and " if want["each"] else " or ").join(want["approvers"]) or "nobody"
    return f"wanted: {people} of {roles}, for rule {want['rule']}"


def _cost(story: Data, width: int) -> str:
    rows = [
        [each["budget"], each["held"], each["cost"], "still held" if each["still_held"] else ""]
        for each in story["budgets"]
    ]
    text = table(["BUDGET", "HELD", "CHARGED", ""], rows, width - _INDENT, right=(1, 2), fold=1) if rows else ""
    paid = "" if story["state"] in ("refused", "parked", "suggested") else f"it cost {story['cost_usd']}"
    looked_up = f"looking things up for it cost {story['gathered_usd']}" if story["gathered_usd"].count else ""
    said = "; ".join(each for each in (paid, looked_up) if each)
    return _indented("\n".join(each for each in (said, text) if each))


def _read(story: Data, width: int) -> str:
    facts: Data = story["decision"].get("facts", {}) if story["decision"] else {}
    pairs = [(name, _fact(fact)) for name, fact in facts.items()]
    if story["preview"] is not None:
        pairs.append(("preview", _opened(story["preview"], width, "")))
    return _block(pairs, width)


def _fact(fact: Mapping[str, Any]) -> str:
    if fact["known"]:
        return clean(f"{as_text(fact['value'])}, as of {fact['as_of'].short()}")
    return clean(f"unknown: {fact['why']}")


def _changed(story: Data, row: ActionRow, now: Instant, width: int) -> str:
    """Say what came back, whether it is as the contract wants it, and whether it can be taken back."""
    undo = story["undo"]
    how = f"{undo['tool']} {shown(undo['arguments'], width)}" if isinstance(undo["tool"], str) else ""
    words = undo_words(row, now, undo["tool"])
    return _block(
        [
            ("it said", _opened(story["said"], width, "") if row.said else ""),
            ("came back", _opened(story["result"], width, "") if row.result else ""),
            ("in full", _opened(story["full_result"], width, "") if story["full_result"] is not None else ""),
            ("check", story["check"]),
            ("pictures", _pictures(story)),
            ("before", _opened(story["before"], width, "") if story["before"] is not None else ""),
            ("after", _opened(story["after"], width, "") if story["after"] is not None else ""),
            ("undo", f"{words}\nby {how}" if words and how and not undo["undone_by"] else words),
        ],
        width,
    )


def _pictures(story: Data) -> str:
    moments = ", ".join(each["moment"] for each in story["pictures"])
    return f"{moments}: `interlock action pictures {story['id']} --out FOLDER`" if moments else ""


def _steps(story: Data, width: int) -> str:
    if not story["steps"]:
        return ""
    rows = [[step["index"], step["at"], step["kind"], step["state"], _step_words(step)] for step in story["steps"]]
    return _indented(table(["ENTRY", "AT", "KIND", "STATE", "REMARK"], rows, width - _INDENT, right=(0,)))


def _step_words(step: Mapping[str, Any]) -> str:
    people = [f"{each['person']} ({each['known_by']})" for each in step["people"]]
    detail = step["detail"]
    if "verdict" in detail:
        people.append(f"{detail['by']} ({detail['known_by']}): {detail['verdict']}")
    cost = [f"cost {step['cost_usd']}"] if step["state"] in ("done", "failed") else []
    words = [*people, *([step["reason"]] if step["reason"] else []), *cost]
    return ", ".join(words) or ", ".join(step["rules"])


def _receipt(story: Data, width: int) -> str:
    receipt = story["receipt"]
    if receipt is None:
        return ""
    head = receipt["head"].splitlines()
    size = head[1] if len(head) > 1 else "?"
    last = receipt["last_anchor"]
    outside = receipt["anchored"] or last.standing is None
    return _block(
        [
            ("entry", receipt["index"]),
            ("leaf", receipt["leaf"]),
            ("head", f"{head[0]}, {size} {'entry' if size == '1' else 'entries'}"),
            ("last anchor", last if outside else f"{last}; this entry is not under it"),
        ],
        width,
    )


def _opened(value: Any, width: int, nothing: str) -> str:  # noqa: ANN401  a payload
    return nothing if value is None and nothing else shown(value, width - _INDENT - _LABEL)


def _block(pairs: Iterable[tuple[str, object]], width: int) -> str:
    shown_pairs = [(name, "" if value is None else value) for name, value in pairs]
    return block(shown_pairs, width, indent=_INDENT)


def _said(text: str, width: int) -> str:
    return _indented(wrapped(text, width - _INDENT, hang=_INDENT))


def _indented(text: str) -> str:
    return "\n".join(" " * _INDENT + line if line else line for line in text.splitlines())
