"""Signing keys of relays whose master keys are not on the box."""

import io
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from firstboot.box import cli, commands, relay_keys
from firstboot.box.backup.archive import gather
from firstboot.box.machine import Machine
from firstboot.box.metrics import metrics
from firstboot.box.relay_keys import PENDING, judge
from firstboot.box.systems.freebsd import SYSTEM
from firstboot.box.tend import tend
from firstboot.core.refusal import Refusal
from firstboot.site.master_keys import CARRIED, make_keys
from firstboot.site.signing_keys import CERTIFICATE_FILE, SigningKeys, compose, parse_carried
from tests.command import ROOT
from tests.firstboot.box.box import Box, changed, example
from tests.firstboot.box.test_apply import Told, applied
from tests.firstboot.site.daemons.conftest import find
from tests.firstboot.site.keys import signing_keys

OFFLINE = ("relays:\n", "relays:\n  offline_keys: true\n")
COUNT = example().value.relays.count
ALL = tuple(range(1, COUNT + 1))
RELOAD = "service exitisp_relays reload"
JUDGE = "/usr/local/bin/tor --list-fingerprint"


@pytest.fixture
def running(box: Box, monkeypatch: pytest.MonkeyPatch) -> Box:
    """It runs the example, with offline keys that nobody brought yet."""
    applied(box, OFFLINE)
    monkeypatch.setattr(cli, "_machine", lambda _: box.machine)
    box.forget()
    return box


def brought(box: Box, *keys: SigningKeys) -> Path:
    path = box.root / "carried"
    path.write_bytes(compose(keys))
    return path


def take(box: Box, *keys: SigningKeys) -> Told:
    told = Told()
    relay_keys.take(str(brought(box, *keys)), box.machine, told)
    return told


def folder(box: Box, relay: int) -> Path:
    return box.root / f"data/tor/relay{relay}/keys"


def files(box: Box, relays: Iterable[int] = ALL) -> dict[str, bytes]:
    found = (path for relay in relays for path in folder(box, relay).glob("*"))
    return {str(path): path.read_bytes() for path in found}


def said(box: Box) -> list[str]:
    told = Told()
    commands.status(box.machine, told)
    return [line for line in told if line.startswith(("SIGNING", "MASTER", "UNFINISHED"))]


def test_relays_without_keys_are_told_with_what_to_do(running: Box) -> None:
    (line,) = said(running)
    assert line.startswith("SIGNING KEY IS MISSING: all relays: ./exitisp relay-keys")
    take(running, *map(signing_keys, ALL))
    assert said(running) == []


def test_the_metrics_say_until_when_each_relay_may_sign(running: Box) -> None:
    def expires() -> list[int]:
        name = r"exitisp_signing_key_expires_timestamp_seconds\{relay=.\d+.\} (\d+)"
        return [int(found) for found in re.findall(name, metrics(running.machine))]

    assert expires() == [0] * COUNT
    keys = [signing_keys(number) for number in ALL]
    take(running, *keys)
    assert expires() == [one.certified.expires for one in keys]
    (folder(running, 1) / CERTIFICATE_FILE).write_bytes(b"damaged")
    assert expires()[:2] == [0, keys[1].certified.expires]


def test_relays_that_renew_their_keys_by_themselves_are_in_no_metric(box: Box) -> None:
    applied(box)
    assert "exitisp_signing_key" not in metrics(box.machine)


def test_a_site_without_offline_keys_is_told_nothing_and_takes_none(box: Box) -> None:
    applied(box)
    assert said(box) == []
    with pytest.raises(Refusal, match="Write offline_keys: true"):
        take(box, signing_keys(1))


def test_keys_are_laid_where_tor_looks_and_it_is_told(running: Box) -> None:
    keys = [*map(signing_keys, ALL)]
    told = take(running, *keys)
    assert told[0].startswith("relay 1: may sign until 20")
    for one in keys:
        here = folder(running, one.relay)
        assert {path.name: path.read_bytes() for path in here.iterdir()} == one.files
        for path in (here, here.parent, here.parent.parent):
            assert path.stat().st_mode & 0o777 == 0o700, path
        assert {path.stat().st_mode & 0o777 for path in here.iterdir()} == {0o600}
    assert RELOAD in running.calls
    assert not (running.machine.cfg / PENDING).exists()
    assert {one.name for one in gather(running.machine)} >= {
        f"tor/relay1/keys/{name}" for name in keys[0].files
    }


def test_they_come_over_a_connection_too(
    running: Box, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with brought(running, signing_keys(1)).open("rb") as file:
        before = os.dup(0)
        os.dup2(file.fileno(), 0)
        try:
            assert cli.main(["relay-keys", "-"]) == 0
        finally:
            os.dup2(before, 0)
            os.close(before)
    assert folder(running, 1).exists()
    assert "Still without a signing key: relay 2" in capsys.readouterr().out
    assert cli.main(["relay-keys"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "may sign until" in lines[0]
    assert lines[1].endswith("its signing key IS MISSING")


def test_a_relay_keeps_the_identity_that_it_has(running: Box) -> None:
    take(running, signing_keys(1), signing_keys(2))
    before = files(running)
    with pytest.raises(Refusal, match="relay2: its master key is another one"):
        take(running, signing_keys(1, 200), signing_keys(2, 200, b"\x99" * 32))
    assert files(running) == before
    (folder(running, 1) / "ed25519_signing_cert").unlink()
    with pytest.raises(Refusal, match="relay1: its master key is another one"):
        take(running, signing_keys(1, 200, b"\x99" * 32))
    (folder(running, 1) / "ed25519_master_id_public_key").write_bytes(b"\0")
    with pytest.raises(Refusal, match="it is no public key of a relay"):
        take(running, signing_keys(1, 200))


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (signing_keys(1, 90), "has a signing key that lasts longer"),
        (signing_keys(1, -1), "is over already, by the clock of this box"),
        (signing_keys(99), "this box has no such relay"),
    ],
)
def test_older_keys_and_keys_of_others_are_refused(
    running: Box, keys: SigningKeys, why: str
) -> None:
    take(running, signing_keys(1, 100))
    before = files(running)
    with pytest.raises(Refusal, match=why):
        take(running, keys)
    assert files(running) == before


def test_what_tor_does_not_take_is_not_laid(running: Box) -> None:
    running.fail(JUDGE, "The signing cert we loaded was not signed correctly")
    with pytest.raises(Refusal, match="Tor does not take its keys: The signing cert"):
        take(running, signing_keys(1))
    assert files(running) == {}
    assert not (running.machine.cfg / PENDING).exists()
    assert not [*running.machine.state.glob("exitisp-*")]


def test_what_was_cut_on_the_way_is_refused(running: Box) -> None:
    path = brought(running, signing_keys(1))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Refusal, match="its end is missing"):
        relay_keys.take(str(path), running.machine, Told())
    with pytest.raises(Refusal, match="it cannot be read"):
        relay_keys.take(str(path.with_name("none")), running.machine, Told())


def test_no_link_of_a_relay_leads_root_elsewhere(running: Box) -> None:
    elsewhere = running.root / "elsewhere"
    elsewhere.mkdir()
    (running.root / "data/tor").mkdir()
    (running.root / "data/tor/relay1").symlink_to(elsewhere)
    with pytest.raises(NotADirectoryError):
        take(running, signing_keys(1))
    assert not [*elsewhere.iterdir()]
    secret = running.root / "etc/secret"
    secret.write_text("root's")
    (running.root / "data/tor/relay1").unlink()
    folder(running, 1).mkdir(parents=True)
    for name in (".ed25519_signing_cert.new", "ed25519_signing_cert"):
        (folder(running, 1) / name).symlink_to(secret)
    assert said(running)[1].startswith("SIGNING KEY IS DAMAGED: relay 1: ")
    take(running, signing_keys(1))
    assert secret.read_text() == "root's"


def test_a_pipe_in_the_place_of_a_certificate_stops_nobody(running: Box) -> None:
    folder(running, 1).mkdir(parents=True)
    os.mkfifo(folder(running, 1) / "ed25519_signing_cert")
    assert said(running)[1].startswith("SIGNING KEY IS DAMAGED: relay 1: ")


def test_a_power_cut_between_two_files_is_mended_within_a_minute(
    running: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def cut(*arguments: object, **options: object) -> None:
        if arguments[1] == "ed25519_signing_cert":
            raise OSError(5, "the power goes")
        real(*arguments, **options)  # type: ignore[arg-type]

    keys = signing_keys(1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", cut)
        with pytest.raises(OSError, match="the power goes"):
            take(running, keys)
    assert (folder(running, 1) / "ed25519_signing_secret_key").exists()
    assert not (folder(running, 1) / "ed25519_signing_cert").exists()
    assert any(line.startswith("UNFINISHED: signing keys") for line in said(running))
    running.forget()
    told = Told()
    tend(running.machine, told)
    assert "Signing keys of relays that were cut off are laid." in told
    assert {p.name: p.read_bytes() for p in folder(running, 1).iterdir()} == keys.files
    assert RELOAD in running.calls
    assert not any(line.startswith("UNFINISHED") for line in said(running))


@pytest.mark.parametrize(
    ("days", "line", "good"),
    [
        (16, "", True),
        (14, "SIGNING KEY ENDS SOON: all relays, ", True),
        (0.5, "SIGNING KEY ENDS WITHIN A DAY: all relays, ", False),
        (-0.5, "SIGNING KEY IS OVER: all relays, ", False),
    ],
)
def test_the_end_of_a_signing_key_is_told_before_it_comes(
    running: Box, monkeypatch: pytest.MonkeyPatch, days: float, line: str, good: bool
) -> None:
    take(running, *map(signing_keys, ALL))
    now = time.time()
    monkeypatch.setattr("firstboot.box.relay_keys.time.time", lambda: now + (180 - days) * 86400)
    found = [*relay_keys.told(changed(OFFLINE).value, running.machine)]
    assert [one[0][: len(line)] for one in found] == ([line] if line else [])
    assert all(as_it_has_to_be is good for _, as_it_has_to_be in found)


def test_a_master_key_that_was_left_on_the_box_is_told(running: Box) -> None:
    take(running, *map(signing_keys, ALL))
    (folder(running, 2) / "ed25519_master_id_secret_key").write_bytes(b"secret")
    (line,) = said(running)
    assert line.startswith("MASTER KEY ON THE BOX: relay 2: ")


def test_relays_that_wait_for_keys_are_not_restarted_again_and_again(
    running: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firstboot.box.tend.AGAIN", 0.0)
    take(running, *map(signing_keys, ALL[1:]))
    running.programs.dead |= {"relay1", "relay2"}
    running.forget()
    told = Told()
    tend(running.machine, told)
    assert "service exitisp_relays start relay2" in running.calls
    assert "service exitisp_relays start relay1" not in running.calls
    assert "The transit and exchange ports go down" not in "".join(told)


def test_no_secret_is_said(running: Box, capsys: pytest.CaptureFixture[str]) -> None:
    keys = signing_keys(1)
    path = brought(running, keys)
    assert cli.main(["relay-keys", str(path)]) == 0
    assert cli.main(["relay-keys", str(path)]) == 0
    secret = compose((keys,)).split()[2].decode()
    told = io.StringIO("".join(capsys.readouterr()))
    assert secret not in told.read()


def test_tor_itself_judges_what_is_brought(running: Box, tmp_path: Path) -> None:
    """It takes what a desk made, no key with another's certificate and no other signature."""
    tor = find("tor", "tor")
    desk = tmp_path / "desk"
    desk.mkdir()
    text = (ROOT / "examples/one-port-of-each.yaml").read_text()
    (desk / "site.yaml").write_text(
        text.replace("  count: 4\n", "  count: 2\n  offline_keys: true\n")
    )
    make_keys(desk / "site.yaml", desk / "keys", 180, renew=False, encrypted=False)
    one, two = parse_carried((desk / "keys" / CARRIED).read_bytes())
    root = tmp_path / "box"
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/tor").symlink_to(tor)
    machine = Machine(root, os.defpath, system=SYSTEM)
    judge(one, machine, "here")
    for wrong in (
        SigningKeys(1, two.secret, one.certificate),
        SigningKeys(1, one.secret, one.certificate[:-1] + b"x"),
    ):
        with pytest.raises(Refusal, match="here: relay1: Tor does not take its keys: "):
            judge(wrong, machine, "here")
    assert not [*machine.state.iterdir()]
