"""What a server says that it wants is read where it can be meant, and where a token may go is one place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.core.challenge import Challenge, challenge_in
from interlock.core.errors import UpstreamFailed
from interlock.core.secret import Secret, is_within


@pytest.mark.parametrize(
    ("header", "want"),
    [
        ("Bearer", Challenge()),
        ('bearer resource_metadata="https://a.example/x"', Challenge(metadata="https://a.example/x")),
        ("Bearer error=invalid_token, scope=tools", Challenge(error="invalid_token", scope="tools")),
        ('Bearer scope="a b" , realm="x, Basic y=1"', Challenge(scope="a b")),
        ('Basic realm="x", Bearer scope="a"', Challenge(scope="a")),
        ('Bearer scope="a", Basic realm="Bearer scope=b"', Challenge(scope="a")),
        ('DPoP algs="ES256", Bearer error="x"', Challenge(error="x")),
        ('Bearer scope="a\\"b"', Challenge()),
        ('Bearer scope="a", scope="b"', None),
        ('Basic realm="Bearer scope=x"', None),
        ('Bearer scope="never ends', None),
        ("", None),
        ("Bearer " + "x" * 9_000, None),
    ],
)
def test_a_challenge_is_read_among_others_and_only_whole(header: str, want: Challenge | None) -> None:
    assert challenge_in(header) == want


@given(st.text(max_size=200))
def test_whatever_a_server_says_is_read_without_an_error(text: str) -> None:
    challenge_in(text)
    challenge_in(f"Bearer {text}")
    is_within(text, text)


@pytest.mark.parametrize(
    ("resource", "url", "want"),
    [
        ("https://a.example/mcp", "https://a.example/mcp", True),
        ("https://a.example/mcp", "https://A.example:443/mcp/", True),
        ("https://a.example", "https://a.example/mcp?team=1", True),
        ("https://a.example/mcp/", "https://a.example/mcp", True),
        ("https://a.example/mcp", "https://a.example/mcp2", False),
        ("https://a.example/mcp", "https://a.example/mcp/../other", False),
        ("https://a.example/mcp", "https://a.example/mcp/%2e%2e/other", False),
        ("https://a.example/mcp", "https://a.example/mcp%2f..", False),
        ("https://a.example/mcp", "https://a.example/", False),
        ("https://a.example/mcp", "http://a.example/mcp", False),
        ("https://a.example/mcp", "https://a.example:444/mcp", False),
        ("https://a.example/mcp", "https://b.example/mcp", False),
        ("https://a.example/mcp", "https://a.example@b.example/mcp", False),
        ("https://a.example/mcp", "https://a.example\\@b.example/mcp", False),
        ("https://a.example/mcp", "", False),
        ("", "https://a.example/mcp", False),
    ],
)
def test_a_token_goes_to_what_it_was_issued_for_and_nowhere_else(resource: str, url: str, want: bool) -> None:
    assert is_within(resource, url) is want
    secret = Secret("desk", "long enough", resource=resource)
    if want or not resource:
        assert secret.reveal(url) == "long enough"
    else:
        with pytest.raises(UpstreamFailed, match="goes nowhere else"):
            secret.reveal(url)
