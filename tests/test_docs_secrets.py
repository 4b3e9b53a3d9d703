"""The page about secrets: what it shows is typed, and what it says of files is so."""

import io
import sys
from pathlib import Path

import pytest

from interlock.core import limits
from interlock.door.cli.main import main
from interlock.oauth.authority import address_of
from interlock.secret.kept import BY_LOGIN, OAuth, oauth_of
from interlock.secret.settings import AwsSettings, VaultSettings, read_settings
from interlock.secret.template import check_template
from transcript import type_again

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "secrets.md").read_text(encoding="utf-8")
CODE = ROOT / "docs_src" / "secrets"


def test_what_the_page_shows_is_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("shop_bank.py", "contract.yaml"):
        (tmp_path / name).write_text((CODE / name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delitem(sys.modules, "shop_bank", raising=False)
    for name in ("INTERLOCK_STORE", "INTERLOCK_KEYS", "INTERLOCK_TENANT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"bank-token-4711\n"), encoding="utf-8"))
    assert main(["secret", "set", "bank", "--workflow", "shop", "--env", "dev"]) == 0
    assert main(["contract", "publish", "contract.yaml", "--env", "dev"]) == 0
    capsys.readouterr()
    type_again(PAGE, capsys)


def test_the_settings_of_the_page_are_settings(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text((CODE / "secrets.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    read = read_settings(tmp_path)
    assert [read.of(name) for name in ("dev", "prod", "audit", "staging")] == ["environment", "vault", "aws", "file"]
    assert read.vault is not None
    check_template(read.vault.path)


def test_every_key_of_the_settings_is_on_the_page() -> None:
    for kind in (VaultSettings, AwsSettings):
        assert sorted(key for key in kind.__struct_fields__ if f"`{key}`" not in PAGE) == []
    written = set(OAuth.__struct_fields__) - BY_LOGIN
    assert sorted(key for key in written if f"`{key}`" not in PAGE and f'"{key}"' not in PAGE) == []
    assert f"remembered for {limits.SECRET_KEPT_SECONDS} seconds" in PAGE
    assert f"at most {limits.SECRET_FETCHES_MAX} at once" in PAGE


def test_the_client_of_the_page_buys_tokens() -> None:
    value = oauth_of((CODE / "client.json").read_text(encoding="utf-8"))
    assert address_of(value.token_url)


def test_the_bounds_of_the_page_hold() -> None:
    said = f"{limits.SECRET_CHARS_MIN} characters to {limits.SECRET_BYTES_MAX // 1024} KiB"
    assert said in PAGE
    assert f"within {limits.SECRET_SECONDS_MAX} seconds" in " ".join(PAGE.split())
