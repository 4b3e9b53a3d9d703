"""Key files of people: a signature is about one action, one digest, one thing that was seen."""

from pathlib import Path

import pytest

from interlock.core.errors import NotPermitted
from interlock.identity.key_file import make_key, sign
from interlock.ledger.consent import Signature, consent_text

TEXT = consent_text("a1", "digest", "seen")


@pytest.mark.promise("consent")
def test_a_signature_is_about_exactly_what_was_signed(tmp_path: Path) -> None:
    known_by = make_key(tmp_path / "ada.pem")
    signature = sign(tmp_path / "ada.pem", TEXT)
    signature.check(TEXT)
    assert signature.known_by == known_by
    for other in (("a2", "digest", "seen"), ("a1", "other", "seen"), ("a1", "digest", "other")):
        with pytest.raises(NotPermitted, match="not about what it says"):
            signature.check(consent_text(*other))


@pytest.mark.promise("consent")
def test_a_signature_of_another_key_is_none(tmp_path: Path) -> None:
    make_key(tmp_path / "ada.pem")
    make_key(tmp_path / "eve.pem")
    ada, eve = sign(tmp_path / "ada.pem", TEXT), sign(tmp_path / "eve.pem", TEXT)
    with pytest.raises(NotPermitted):
        Signature(public_key=ada.public_key, signature=eve.signature).check(TEXT)
