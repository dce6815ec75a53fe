"""Who the relays are, and the secret of their family."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firstboot.box import cli, commands, family
from firstboot.core.refusal import Refusal
from firstboot.site.address_plan import allot
from tests.firstboot.box.box import Box, example
from tests.firstboot.box.test_apply import Told, configured
from tests.firstboot.site.daemons.conftest import find

RELAYS = allot(example().value).relays

KEY = family.HEADING + bytes(range(64))

RELOAD = "service exitisp_relays reload"


@pytest.fixture
def running(box: Box, monkeypatch: pytest.MonkeyPatch) -> Box:
    """It runs the example, whose relays have started."""
    configured(box)
    for relay in RELAYS:
        folder = box.root / f"data/tor/relay{relay.number}"
        folder.mkdir(parents=True)
        (folder / "fingerprint").write_text(f"{relay.nickname} {relay.number:040X}\n")
        ed25519 = f"{relay.number:043d}"
        (folder / "fingerprint-ed25519").write_text(f"{relay.nickname} {ed25519}\n")
    monkeypatch.setattr(cli, "_machine", lambda _: box.machine)
    return box


def given(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_the_files_that_prove_a_contact_have_each_relay_in_a_line(
    running: Box, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["family", "--rsa"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{one.number:040X}" for one in RELAYS]
    assert cli.main(["family", "--ed25519"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{one.number:043d}" for one in RELAYS]


def test_proof_is_refused_while_a_relay_has_no_fingerprint(running: Box) -> None:
    (running.root / "data/tor/relay2/fingerprint").unlink()
    told = Told()
    with pytest.raises(Refusal, match="has not started yet"):
        family.proof("rsa", running.machine, told)
    told.clear()
    family.show(running.machine, told)
    assert f"{RELAYS[0].nickname}: {1:040X}" in told
    assert f"{RELAYS[1].nickname}: has not started yet, so it has no fingerprint" in told


@pytest.mark.parametrize("data", [b"", b"ExampleExit1\n", b"a b\n", b"\xff" * 50, b"x" * 999])
def test_a_damaged_fingerprint_is_no_fingerprint_and_not_a_missing_one(
    running: Box, data: bytes
) -> None:
    (running.root / "data/tor/relay1/fingerprint").write_bytes(data)
    with pytest.raises(Refusal, match="relay1/fingerprint"):
        family.show(running.machine, Told())


def test_a_missing_family_key_is_told_until_it_is_taken(
    running: Box, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert example().value.relays.family.ids
    told = Told()
    commands.status(running.machine, told)
    assert any(line.startswith("MISSING: the secret of the family") for line in told)
    given(KEY, monkeypatch)
    running.forget()
    assert cli.main(["family", "--import"]) == 0
    (path,) = (running.root / family.KEYS).iterdir()
    assert path.read_bytes() == KEY
    assert path.stat().st_mode & 0o777 == 0o600
    assert RELOAD in running.calls
    told.clear()
    commands.status(running.machine, told)
    assert not any(line.startswith("MISSING") for line in told)
    assert KEY[32:].hex() not in capsys.readouterr().out


@pytest.mark.parametrize(
    "data", [b"", KEY[:-1], KEY + b"\n", b"\0" * 96, b"EsIQOQjX3y/BTfoB9vzvOOTpCGAxzSHf0NGwzXDVG3o"]
)
def test_what_is_no_family_key_is_refused_and_nothing_is_kept(
    running: Box, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    given(data, monkeypatch)
    with pytest.raises(Refusal, match="it is no family key"):
        family.take_key(running.machine, Told())
    assert not (running.root / family.KEYS).exists()


def test_a_key_is_given_to_a_pipe_and_not_to_a_screen(
    running: Box, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with pytest.raises(Refusal, match="it has no family key"):
        family.give_key(running.machine)
    given(KEY, monkeypatch)
    family.take_key(running.machine, Told())
    capfdbinary.readouterr()
    family.give_key(running.machine)
    assert capfdbinary.readouterr().out == KEY
    with monkeypatch.context() as patch:
        patch.setattr(sys.stdout, "isatty", lambda: True)
        with pytest.raises(Refusal, match="does not belong on a screen"):
            family.give_key(running.machine)
    assert capfdbinary.readouterr().out == b""
    (running.root / family.KEYS / "old.secret_family_key").write_bytes(KEY)
    with pytest.raises(Refusal, match="it has several keys"):
        family.give_key(running.machine)


def test_tor_writes_what_is_read_here(running: Box, tmp_path: Path) -> None:
    tor = find("tor", "tor")
    folder = running.root / "data/tor/relay1"
    for path in folder.iterdir():
        path.unlink()
    folder.chmod(0o700)
    nickname = RELAYS[0].nickname
    torrc = tmp_path / "torrc"
    torrc.write_text(f"DataDirectory {folder}\nORPort 127.0.0.1:9\nNickname {nickname}\n")
    listed = subprocess.run(
        [tor, "--list-fingerprint", "--hush", "-f", torrc],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={"HOME": str(tmp_path), "PATH": os.defpath},
    )
    first = next(family.identities(example().value, running.machine))
    assert f"{nickname} {first.rsa}" in listed.stdout.replace(" ", "").replace(
        nickname, f"{nickname} "
    )
    assert len(first.ed25519) == 43
