"""Secrets are taken out of what comes back, however they are spelled there, and nothing else is."""

import json
import re
import string
from base64 import b64encode

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from interlock.core.canonical import Json
from interlock.redact.scrub import Scrubber, is_long
from spelled import SPELLED

CANARY = "sk_live_C4narY/51+x="
MARK = "[secret pay]"

secret_texts = st.text(
    st.sampled_from(string.ascii_letters + string.digits + '!"%&/+=_-.: éß語'), min_size=8, max_size=40
)
any_text = st.text(max_size=40)


def scrub(secret: str = CANARY) -> Scrubber:
    return Scrubber("pay", (secret,))


@pytest.mark.promise("secret")
@pytest.mark.parametrize("how", SPELLED)
def test_a_secret_is_taken_out_however_it_is_spelled(how: str) -> None:
    spelled = SPELLED[how](CANARY)
    left = scrub().text(f"before <{spelled}> after")
    assert MARK in left
    assert left.startswith("before <")
    assert left.endswith("> after")
    assert spelled not in left
    assert not any(core in left.lower() for core in ("c4nary", "yran4c", b"C4narY".hex()))


@pytest.mark.promise("secret")
@given(secret_texts, any_text, any_text, st.sampled_from(sorted(SPELLED)))
@example("0000000 ß", "", "", "url with plus")
def test_no_text_around_it_hides_a_secret(secret: str, before: str, after: str, how: str) -> None:
    assume(len(re.sub(r"[\s:\-_.]", "", secret)) >= 8)
    assume(not re.search(r"[é-￿]", secret) or not how.startswith(("swapped", "upper", "reversed and", "json, each")))
    spelled = SPELLED[how](secret)
    left = scrub(secret).text(f"{before}{spelled}{after}")
    assume(secret.lower() not in MARK.lower())
    assert MARK in left
    assert spelled not in left.replace(MARK, "\0")


@given(any_text)
def test_what_holds_no_secret_is_left_as_it_is(text: str) -> None:
    assert scrub().text(text) == text
    assert scrub().json({"a": [text, 7, None, True, 1.5]}) == {"a": [text, 7, None, True, 1.5]}


def test_a_secret_is_taken_out_of_values_names_and_numbers() -> None:
    found = Scrubber("pin", ("4417123456789113",)).json(
        {"n": 4417123456789113, "4417123456789113": [{"deep": ["x4417123456789113", 1]}], "left": 4417}
    )
    assert found == snapshot({"n": "[secret pin]", "[secret pin]": [{"deep": ["x[secret pin]", 1]}], "left": 4417})


def test_what_a_limit_cut_off_is_taken_out_as_well() -> None:
    text = "the bank says: no to " + CANARY[:9]
    assert scrub().text(text, cut=True) == "the bank says: no to " + MARK
    assert scrub().text(text) == text
    assert scrub().text("nothing of it", cut=True) == "nothing of it"


def test_each_line_of_a_key_and_each_text_of_an_object_is_a_secret_itself() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"
    assert scrub(key).text("it begins with MIIEvQIBADANBgkq") == "it begins with " + MARK
    assert scrub(key).text(key.replace("\n", "")) == f"-----{MARK}-----"
    assert scrub(key).text("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"
    both = json.dumps({"user": "billing-user", "password": "hunter2hunter2", "port": 5432})
    assert scrub(both).text("postgres://billing-user:hunter2hunter2@db:5432") == f"postgres://{MARK}:{MARK}@db:5432"


def test_two_that_lie_over_each_other_leave_nothing_between() -> None:
    left = Scrubber("pay", ("abcdefgh1234", "gh1234xyzzy!")).text("<abcdefgh1234xyzzy!>")
    assert left == f"<{MARK}>"


def test_a_user_and_a_password_in_one_header_are_met_inside() -> None:
    header = b64encode(f"user:{CANARY}".encode()).decode()
    assert scrub().text(f"Authorization: Basic {header}").startswith("Authorization: Basic dXNlcj")
    assert MARK in scrub().text(header)


def test_of_a_long_text_that_hides_a_secret_nothing_is_left_and_of_one_that_shows_it_the_rest_is() -> None:
    filler = "some words, and 100% of them. " * 3_000
    assert scrub().text(filler) == filler
    assert scrub().text(filler + CANARY + filler) == filler + MARK + filler
    assert scrub().text(filler + SPELLED["json, each sign"](CANARY) + filler) == MARK
    both = filler + CANARY + SPELLED["html, each sign"](CANARY)
    assert scrub().json({"a": both, "b": "left"}) == {"a": MARK, "b": "left"}


def test_what_is_long_is_known_before_all_of_it_was_looked_at() -> None:
    assert not is_long({"a": ["x" * 1_000, 7]})
    assert is_long({"a": [str(number) for number in range(20_000)]})
    assert is_long("x" * 100_000)


escapes = st.lists(
    st.sampled_from(
        [
            "%",
            "%%",
            "\\",
            "\\\\",
            "\\/",
            "&",
            "&amp;",
            "&#37;",
            "&#x5c;",
            ";",
            "=",
            "==",
            "=\n",
            "\r",
            "\n",
            "%3D",
            "%25",
        ]
        + ["%5C", "%26", "\\u", "\\u00", "\\u0025", "\\u005c", "\\x", "41", "x", " ", "é"]
    ),
    max_size=6,
).map("".join)


@pytest.mark.promise("secret")
@given(escapes, st.sampled_from(sorted(SPELLED)), st.sampled_from(sorted(SPELLED)), escapes)
def test_escapes_read_all_at_once_are_those_that_are_read_one_by_one(
    before: str, how: str, over: str, after: str
) -> None:
    one_by_one = Scrubber("pay", (CANARY, "not ascii: 語語語語"))
    text = before + SPELLED[over](SPELLED[how](CANARY)) + after
    assert scrub().text(text) == one_by_one.text(text)


def test_a_secret_in_many_texts_is_taken_out_of_each_and_what_hides_it_in_too_many_is_left_out() -> None:
    many: Json = [f"{number}: {CANARY}" for number in range(3_000)]
    assert scrub().json(many) == [f"{number}: {MARK}" for number in range(3_000)]
    hidden = [f"{number}: {SPELLED['json, each sign'](CANARY)}" for number in range(3_000)]
    left = scrub().json(["first", *hidden, "last"])
    assert isinstance(left, list)
    assert (left[0], left[1], left[-2], left[-1]) == ("first", f"0: {MARK}", MARK, "last")
