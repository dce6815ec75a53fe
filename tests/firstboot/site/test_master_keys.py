"""Master keys at a desk, made by Tor."""

import io
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from firstboot.core.refusal import Refusal
from firstboot.site import master_keys
from firstboot.site.master_keys import CARRIED, make_keys
from firstboot.site.signing_keys import MASTER_SECRETS, SigningKeys, parse_carried
from tests.command import ROOT
from tests.firstboot.site.daemons.conftest import find

PLAIN, SEALED = MASTER_SECRETS
PHRASE = "korund-Flieder-77-tausend-Igel"


@pytest.fixture
def tor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master_keys, "SEARCH", str(Path(find("tor", "tor")).parent))


def site(folder: Path, *, relays: int = 2, offline: str = "true") -> Path:
    text = (ROOT / "examples/one-port-of-each.yaml").read_text()
    path = folder / "site.yaml"
    assert "  count: 4\n" in text
    path.write_text(text.replace("  count: 4\n", f"  count: {relays}\n  offline_keys: {offline}\n"))
    return path


def carried(folder: Path) -> tuple[SigningKeys, ...]:
    return parse_carried((folder / CARRIED).read_bytes())


def typed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{text}\n"))


@pytest.mark.usefixtures("tor")
def test_master_keys_stay_and_signing_keys_are_carried(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    make_keys(site(tmp_path), folder, 180, renew=False, encrypted=False)
    first = carried(folder)
    assert [one.relay for one in first] == [1, 2]
    names = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert names == sorted([CARRIED, *2 * [PLAIN, "ed25519_master_id_public_key"]])
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    for one in first:
        public = (folder / f"relay{one.relay}/keys/ed25519_master_id_public_key").read_bytes()
        assert one.files["ed25519_master_id_public_key"] == public
    make_keys(site(tmp_path, relays=3), folder, 90, renew=True, encrypted=False)
    second = carried(folder)
    assert [one.relay for one in second] == [1, 2, 3]
    for old, new in zip(first, second, strict=False):
        assert new.certified.identity == old.certified.identity
        assert new.certified.signing != old.certified.signing
        assert old.certified.expires - new.certified.expires == 90 * 24 * 3600


@pytest.mark.usefixtures("tor")
def test_a_passphrase_opens_master_keys_and_is_in_no_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    real = subprocess.run

    def noted(command: list[str], **options: Any) -> Any:
        ran.append(command)
        return real(command, **options)

    monkeypatch.setattr(subprocess, "run", noted)
    folder = tmp_path / "keys"
    typed("password", monkeypatch)
    with pytest.raises(Refusal, match="the passphrase: it has"):
        make_keys(site(tmp_path), folder, 180, renew=False, encrypted=True)
    typed(PHRASE, monkeypatch)
    make_keys(site(tmp_path), folder, 180, renew=False, encrypted=True)
    before = (folder / CARRIED).read_bytes()
    assert (folder / "relay2/keys" / SEALED).exists()
    assert not (folder / "relay2/keys" / PLAIN).exists()
    typed("another", monkeypatch)
    with pytest.raises(Refusal, match=r"relay1: Tor made no keys: .*Type the right passphrase"):
        make_keys(site(tmp_path), folder, 180, renew=True, encrypted=False)
    assert (folder / CARRIED).read_bytes() == before
    typed(PHRASE, monkeypatch)
    make_keys(site(tmp_path), folder, 180, renew=True, encrypted=False)
    assert carried(folder) != parse_carried(before)
    assert len(ran) == 5
    assert not any(PHRASE in word for command in ran for word in command)


@pytest.mark.usefixtures("tor")
def test_an_identity_is_neither_replaced_nor_made_by_mistake(tmp_path: Path) -> None:
    path, folder = site(tmp_path, relays=1), tmp_path / "keys"
    with pytest.raises(Refusal, match="it has no master key of a relay of this site"):
        make_keys(path, folder, 180, renew=True, encrypted=False)
    assert not folder.exists()
    make_keys(path, folder, 180, renew=False, encrypted=False)
    secret = (folder / "relay1/keys" / PLAIN).read_bytes()
    with pytest.raises(Refusal, match="has a master key already"):
        make_keys(path, folder, 180, renew=False, encrypted=False)
    assert (folder / "relay1/keys" / PLAIN).read_bytes() == secret


@pytest.mark.usefixtures("tor")
@pytest.mark.parametrize("days", [6, 366])
def test_a_signing_key_is_good_for_weeks_and_not_for_years(tmp_path: Path, days: int) -> None:
    with pytest.raises(Refusal, match="is not from 7 to 365"):
        make_keys(site(tmp_path), tmp_path / "keys", days, renew=False, encrypted=False)


def test_a_site_whose_relays_keep_their_keys_gets_none(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="Write offline_keys: true below relays first"):
        make_keys(site(tmp_path, offline="false"), tmp_path, 180, renew=False, encrypted=False)


def test_without_tor_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(master_keys, "SEARCH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match="sudo apt install tor"):
        make_keys(site(tmp_path), tmp_path / "keys", 180, renew=False, encrypted=False)
