"""When the same thing is sent again, as a table: no socket, no clock."""

import itertools
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from inline_snapshot import snapshot

from interlock_sdk import Failed, InterlockError, Later, NotUnderstood, Refused, Retry, Unanswered, Unreachable
from interlock_sdk.asking import Asking, Proposed
from interlock_sdk.run import Occurrences
from interlock_sdk.talk import Ask, Heard, Lost, Pause

DONE = b'{"outcome":"done","action":"a1","result":"sent"}'
PARKED = (
    b'{"outcome":"parked","action":"a1","until":"2026-11-30T12:00:00.123456Z",'
    b'"waits_for":[{"roles":["lead"],"people":2}]}'
)
NEVER_SENT, MAYBE_SENT = Lost(sent=False, why="ConnectError"), Lost(sent=True, why="ReadError")


def heard(status: int, body: bytes = b"{}", **headers: str) -> Heard:
    return Heard(status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def problem(status: int, kind: str, more: str = "") -> Heard:
    return heard(status, f'{{"type":"/v1/problems/{kind}","detail":"why","fix":"do","status":{status}{more}}}'.encode())


OVERLOADED = problem(503, "refused", ',"outcome":"refused","reason":"overloaded","action":"a1"')
OK, BUSY, TOO_OFTEN = (
    heard(200, DONE),
    problem(503, "later"),
    heard(429, problem(429, "too-often").body, retry_after="7"),
)


def asking(**more: Any) -> Asking:
    given: dict[str, Any] = {
        "agent": None,
        "principal": "sam",
        "signer": None,
        "retry": Retry(chance=lambda: 0.5),
        **more,
    }
    return Asking(**given)


def carried(
    replies: Sequence[Heard | Lost], asks: Asking | None = None, **more: Any
) -> tuple[Any, list[Ask], list[float]]:
    """Carry a call: return how it ended, what was sent, and the pauses."""
    given: dict[str, Any] = {"run": None, "key": None, "occurrence": 1, "wait": None, **more}
    talk = (asks or asking()).call("mail.send", {"to": "sam"}, **given)
    left, sent, pauses, said = list(replies), list[Ask](), list[float](), None
    while True:
        try:
            wanted = talk.send(said)
        except StopIteration as end:
            return end.value, sent, pauses
        except InterlockError as error:
            return error, sent, pauses
        if isinstance(wanted, Pause):
            pauses.append(wanted.seconds)
            said = None
        else:
            sent.append(wanted)
            said = left.pop(0)


@pytest.mark.parametrize(
    ("replies", "ends", "pauses"),
    [
        ([OK], "Done", []),
        ([NEVER_SENT, OK], "Done", [0.1]),
        ([MAYBE_SENT, MAYBE_SENT, OK], "Done", [0.1, 0.2]),
        ([BUSY, OK], "Done", [1.1]),
        ([TOO_OFTEN, OK], "Done", [7.1]),
        ([heard(502), heard(504), OK], "Done", [0.1, 0.2]),
        ([NEVER_SENT] * 4, "Unreachable", [0.1, 0.2, 0.4]),
        ([NEVER_SENT, MAYBE_SENT, NEVER_SENT, NEVER_SENT], "Unanswered", [0.1, 0.2, 0.4]),
        ([MAYBE_SENT, BUSY, BUSY, BUSY], "Unanswered", [0.1, 1.2, 1.4]),
        ([heard(502)] * 4, "Unanswered", [0.1, 0.2, 0.4]),
        ([BUSY] * 4, "Later", [1.1, 1.2, 1.4]),
        ([heard(503, b"<html>")] * 4, "Later", [1.1, 1.2, 1.4]),
        ([heard(503, BUSY.body, retry_after="900")], "Later", []),
        ([MAYBE_SENT, heard(503, BUSY.body, retry_after="900"), OK], "Done", [0.1, 60.2]),
        ([heard(503, BUSY.body, retry_after="9" * 400)], "Later", []),
        ([problem(403, "refused", ',"outcome":"refused","reason":"policy","action":"a1"')], "Refused", []),
        ([OVERLOADED] * 4, "Refused", [1.1, 1.2, 1.4]),
        ([problem(424, "failed", ',"outcome":"failed","said":"no","action":"a1"')], "Failed", []),
        ([problem(401, "not-known")], "NotLetIn", []),
        ([problem(404, "nothing-there")], "NotThere", []),
        ([problem(400, "invalid", ',"wrong":[{"path":"$.tool","kind":"missing"}]')], "NotWanted", []),
        ([heard(500, b"oops"), OK], "Done", [0.1]),
        ([heard(500, b"oops")] * 4, "Unanswered", [0.1, 0.2, 0.4]),
        ([heard(418, b"oops")], "NotUnderstood", []),
        ([heard(301)], "NotUnderstood", []),
        ([heard(200, b"<html>")], "NotUnderstood", []),
        ([heard(200, b'{"outcome":"well","action":"a1"}')], "NotUnderstood", []),
        ([problem(408, "too-slow")], "Later", []),
        ([heard(200, b'{"outcome":"done"}')], "NotUnderstood", []),
        ([heard(200, b"[" * 100_000)], "NotUnderstood", []),
    ],
)  # fmt: skip
def test_a_call_is_sent_again_only_where_that_can_do_no_harm(
    replies: Sequence[Heard | Lost], ends: str, pauses: Sequence[float]
) -> None:
    ended, sent, paused = carried(replies)
    assert (type(ended).__name__, paused) == (ends, pytest.approx(pauses))
    assert len(sent) == len(replies)


def test_a_look_that_is_not_answered_does_not_say_that_something_may_have_happened() -> None:
    talk = asking().tools()
    said: Any = None
    with pytest.raises(Unanswered) as raised:
        while True:
            said = None if isinstance(talk.send(said), Pause) else MAYBE_SENT
    assert "happened" not in str(raised.value)
    assert (raised.value.key, raised.value.run) == (None, None)


def test_no_server_has_anybody_wait_for_ever() -> None:
    ended, _, _ = carried([heard(503, BUSY.body, retry_after="9" * 400)])
    assert isinstance(ended, Later)
    assert ended.seconds == 999_999_999


@pytest.mark.parametrize(("id", "of"), [("a2", "a1"), ("a1", "a2")])
def test_what_is_told_of_another_action_is_not_taken_for_this_one(id: str, of: str) -> None:
    names = ("state", "tool", "workflow", "environment", "agent", "principal", "run", "asked_at", "changed_at")
    done = {"outcome": "done", "action": of, "result": "sent"}
    body = json.dumps({**dict.fromkeys(names, "x"), "id": id, "outcome": done}).encode()
    talk = asking().wait("a1", None)
    next(talk)
    with pytest.raises(NotUnderstood):
        talk.send(heard(200, body))


def test_every_attempt_carries_the_same_key_and_each_call_another_one() -> None:
    _, first, _ = carried([MAYBE_SENT, BUSY, OK])
    _, second, _ = carried([OK])
    keys = {each.headers["Idempotency-Key"] for each in first}
    assert len(keys) == 1
    assert keys != {second[0].headers["Idempotency-Key"]}
    assert {each.body for each in first} == {second[0].body}


def test_within_a_run_the_call_is_known_by_its_number_and_no_key_hides_that() -> None:
    _, sent, _ = carried([OK], run="r-1", occurrence=2)
    assert "Idempotency-Key" not in sent[0].headers
    assert sent[0].body == snapshot(
        b'{"tool":"mail.send","arguments":{"to":"sam"},"occurrence":2,"principal":"sam","run":"r-1"}'
    )
    _, sent, _ = carried([OK], run="r-1", key="mine")
    assert sent[0].headers["Idempotency-Key"] == "mine"


def test_whoever_heard_no_answer_is_told_the_key_to_go_on_with() -> None:
    ended, sent, _ = carried([MAYBE_SENT] * 4)
    assert isinstance(ended, Unanswered)
    assert ended.key == sent[0].headers["Idempotency-Key"]
    assert str(ended) == snapshot("""\
no answer came, it may have happened: ReadError
fix: make the same call again, with this error's `key` and `run`: what has happened is answered from the record\
""")


def test_each_attempt_is_signed_anew_because_a_signature_is_good_for_minutes() -> None:
    class Counts:
        signed = 0

        def headers(self, proposed: Proposed) -> Mapping[str, str]:
            assert (proposed.tool, proposed.principal, proposed.key) == ("mail.send", "sam", "k")
            self.signed += 1
            return {"Interlock-Signature": str(self.signed)}

    _, sent, _ = carried([BUSY, OK], asking(signer=Counts()), key="k")
    assert [each.headers["Interlock-Signature"] for each in sent] == ["1", "2"]


def test_what_says_no_tells_everything_an_agent_may_know() -> None:
    body = ',"outcome":"refused","reason":"invalid_arguments","action":"a1","wrong":[{"path":"$.to","kind":"Type"}]'
    refused, _, _ = carried([problem(422, "refused", body)])
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.action, [each.path for each in refused.wrong]) == (
        "invalid_arguments",
        "a1",
        ["$.to"],
    )
    failed, _, _ = carried([problem(424, "failed", ',"outcome":"failed","said":"no such box","action":"a1"')])
    assert isinstance(failed, Failed)
    assert (failed.said, failed.action) == ("no such box", "a1")
    later, _, _ = carried([TOO_OFTEN] * 4)
    assert isinstance(later, Later)
    assert later.seconds == 7


def stands(outcome: bytes) -> Heard:
    """Say where `a1` stands."""
    names = ("state", "tool", "workflow", "environment", "agent", "principal", "run", "asked_at", "changed_at")
    said = {**dict.fromkeys(names, "x"), "id": "a1", "outcome": json.loads(outcome)}
    return heard(200, json.dumps(said).encode())


def test_a_call_that_may_wait_looks_until_people_have_said_something() -> None:
    ended, sent, paused = carried([heard(202, PARKED), stands(PARKED), stands(DONE)], wait=60)
    assert (type(ended).__name__, len(paused)) == ("Done", 1)
    assert [each.path.partition("=")[0] for each in sent] == ["/v1/actions"] + ["/v1/actions/a1?wait"] * 2
    ended, _, _ = carried([heard(202, PARKED)])
    assert ended.in_words == snapshot(
        "nothing has happened yet: action a1 waits until 2026-11-30T12:00:00Z "
        "for the consent of 2 people with the role lead"
    )


@pytest.mark.parametrize("away", [NEVER_SENT, MAYBE_SENT, BUSY, heard(502)])
def test_a_wait_goes_on_when_the_server_is_back(away: Heard | Lost) -> None:
    ended, sent, _ = carried([heard(202, PARKED), *[away] * 12, stands(PARKED), stands(DONE)], wait=60)
    assert (type(ended).__name__, len(sent)) == ("Done", 15)


def test_a_wait_ends_when_the_server_stays_away_for_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(step=100.0)
    monkeypatch.setattr("interlock_sdk.asking.time.monotonic", lambda: next(ticks))
    talk, looks = asking().wait("a1", None), 0
    wanted = talk.send(None)
    with pytest.raises(Unreachable, match="nothing was sent"):
        for _ in range(100):
            looks += isinstance(wanted, Ask)
            wanted = talk.send(NEVER_SENT if isinstance(wanted, Ask) else None)
    assert looks == 2 * 4


@pytest.mark.parametrize("lost", [[NEVER_SENT] * 4, [MAYBE_SENT] * 4, [BUSY] * 4, [problem(401, "not-known")]])
@pytest.mark.parametrize("given", [{}, {"key": "mine"}, {"run": "r-1"}])
def test_whoever_loses_the_server_while_people_are_asked_is_told_how_not_to_ask_them_twice(
    lost: list[Heard | Lost], given: dict[str, Any]
) -> None:
    impatient = asking(retry=Retry(chance=lambda: 0.5, away_seconds=0))
    ended, sent, _ = carried([heard(202, PARKED), *lost], impatient, wait=60, **given)
    assert isinstance(ended, Unanswered)
    assert (ended.action, ended.key, ended.run) == ("a1", sent[0].headers.get("Idempotency-Key"), given.get("run"))
    assert ended.key or ended.run
    assert ended.fix == snapshot("wait for it: `wait('a1')`; or call again with this error's `key` and `run`")


def test_what_people_say_in_the_meantime_is_raised_as_it_is() -> None:
    refused = b'{"outcome":"refused","action":"a1","reason":"approval_denied"}'
    ended, _, _ = carried([heard(202, PARKED), stands(refused)], wait=60)
    assert isinstance(ended, Refused)


def test_any_mapping_is_an_object_and_counts_as_the_same_call() -> None:
    frozen = MappingProxyType({"to": MappingProxyType({"name": "sam"})})
    talk = asking().call("mail.send", frozen, run=None, key="k", occurrence=1, wait=None)
    sent = next(talk)
    assert isinstance(sent, Ask)
    assert json.loads(sent.body)["arguments"] == {"to": {"name": "sam"}}
    made = Occurrences()
    assert [made.next("mail.send", each) for each in (frozen, {"to": {"name": "sam"}})] == [1, 2]


CIRCLE: dict[str, Any] = {}
CIRCLE["in"] = CIRCLE


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        ({"n": float("nan")}, "`$.n` is no finite number"),
        ({"ok": [1, "ü", None], "n": [1, object()]}, "`$.n[1]` is of the type object"),
        ({"n": {"of": Decimal("7.5")}}, "`$.n.of` is of the type Decimal"),
        ({"n": "\ud800"}, "`$.n` is no Unicode text"),
        (CIRCLE, "is nested too deeply"),
    ],
)
def test_what_is_no_json_is_not_sent_and_not_repeated(arguments: dict[str, Any], where: str) -> None:
    talk = asking().call("mail.send", arguments, run=None, key=None, occurrence=1, wait=None)
    with pytest.raises(InterlockError) as caught:
        next(talk)
    assert str(caught.value).startswith("the arguments cannot be written as JSON")
    assert where in str(caught.value)
    assert "7.5" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "k" * 257, "clé", "a\nb"])
def test_a_key_that_no_server_takes_is_refused_before_anything_is_sent(key: str) -> None:
    ended, sent, _ = carried([OK], key=key)
    assert (type(ended).__name__, sent) == ("NotWanted", [])


def test_a_refusal_names_the_command_that_explains_it() -> None:
    said = problem(403, "refused", ',"outcome":"refused","reason":"policy","action":"a1"').body
    ended, _, _ = carried([heard(403, said.replace(b'"do"', b'"look: `interlock explain ACTION`"'))])
    assert ended.fix == "look: `interlock explain a1`"
    ended, _, _ = carried([heard(202, PARKED), stands(b'{"outcome":"refused","action":"a1","reason":"x"}')], wait=60)
    assert ended.fix.endswith("`interlock explain a1`")


def test_nothing_can_be_asked_in_no_attempt() -> None:
    with pytest.raises(InterlockError, match="no attempt"):
        Retry(attempts=0)


def test_the_errors_have_one_root_and_a_fix() -> None:
    assert issubclass(Unreachable, InterlockError) and issubclass(NotUnderstood, InterlockError)
    ended, _, _ = carried([NEVER_SENT] * 4)
    assert ended.fix


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_no_time_to_wait_is_said_before_anything_is_sent(seconds: float) -> None:
    ended, sent, _ = carried([OK], wait=seconds)
    assert (type(ended).__name__, sent) == ("NotWanted", [])
    with pytest.raises(InterlockError, match="no time to wait"):
        next(asking().wait("a1", seconds))


def test_an_action_that_is_not_there_is_to_be_looked_for_by_whoever_asked_for_it() -> None:
    ended, _, _ = carried([problem(404, "nothing-there")])
    assert (type(ended).__name__, ended.fix) == (
        "NotThere",
        "see whether the id is whole, and whether the agent and the principal of this token have asked for it",
    )
