"""The text of a token: what can be read from it with nothing else at hand, and what cannot be mistyped."""

import re
import string

from hypothesis import given
from hypothesis import strategies as st

from interlock.core.ids import TenantId
from interlock.identity.token import SCANNER, draw, read

TENANTS = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
CHARS = string.ascii_letters + string.digits + "_.-"


@given(TENANTS)
def test_whose_it_is_is_read_from_its_text_alone(tenant: str) -> None:
    drawn = draw(TenantId(tenant))
    presented = read(drawn.text)
    assert presented is not None
    assert (presented.tenant, presented.id, presented.hash) == (tenant, drawn.id, drawn.hash)
    assert re.fullmatch(SCANNER, drawn.text)


@given(TENANTS, st.data())
def test_one_wrong_character_is_found_offline(tenant: str, data: st.DataObject) -> None:
    text = draw(TenantId(tenant)).text
    place = data.draw(st.integers(0, len(text) - 1))
    wrong = data.draw(st.sampled_from([char for char in CHARS if char != text[place]]))
    assert read(text[:place] + wrong + text[place + 1 :]) is None


@given(TENANTS, st.data())
def test_what_is_cut_off_or_goes_on_is_none(tenant: str, data: st.DataObject) -> None:
    text = draw(TenantId(tenant)).text
    assert read(text[: data.draw(st.integers(0, len(text) - 1))]) is None
    assert read(text + data.draw(st.text(min_size=1, max_size=3))) is None
    assert read(data.draw(st.sampled_from([" ", "Bearer ", "\n"])) + text) is None


@given(st.text(max_size=400))
def test_any_other_text_is_none(text: str) -> None:
    assert read(text) is None


def test_no_two_are_alike_and_none_is_printed_by_accident() -> None:
    drawn = [draw(TenantId("acme")) for _ in range(100)]
    assert len({each.text for each in drawn}) == len({each.id for each in drawn}) == 100
    assert drawn[0].text not in repr(drawn)
    assert drawn[0].hash not in repr(drawn)
