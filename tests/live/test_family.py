"""A relay that runs learns who belongs to its family, by what the box writes for it and SIGHUP."""

import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from firstboot.box.family import HEADING, LENGTH
from tests.command import ROOT
from tests.firstboot.site.daemons.conftest import find, version

SCRIPT = ROOT / "overlays/tor/files/usr/local/libexec/exitisp/family"

TORRC = """\
SocksPort 0
AssumeReachable 1
PublishServerDescriptor 0
ExitRelay 0
Address 127.0.0.1
TestingTorNetwork 1
DirAuthority none orport=9 v3ident={0} 127.0.0.1:9 {0}
ORPort 127.0.0.1:{1}
DirPort 127.0.0.1:{2} NoAdvertise
Nickname ExampleExit1
DataDirectory {3}/data/relay1
FamilyKeyDirectory {3}/keys
FamilyId *
%include {3}/run/family/*.conf
"""

NOBODY = "A" * 40

SIBLING = "C" * 40

PATIENCE = 60.0
"""Seconds for a relay to start, and to say something new of itself."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def descriptor(port: int) -> str:
    """What the relay says of itself; empty while it does not answer."""
    told = b""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(b"GET /tor/server/authority HTTP/1.0\r\n\r\n")
            while data := connection.recv(65536):
                told += data
    except OSError:
        return ""
    return told.decode(errors="replace")


def until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.2)
    return holds()


def test_a_running_relay_declares_its_siblings_and_proves_its_family(tmp_path: Path) -> None:
    tor = find("tor", "tor")
    if version(tor, "--version") < (0, 4, 9):
        pytest.skip("this Tor is older than 0.4.9 and knows no family keys")
    for name in ("keys", "data/relay1", "data/relay2"):
        (tmp_path / name).mkdir(parents=True, mode=0o700)
    port = free_port()
    torrc = tmp_path / "torrc"
    torrc.write_text(TORRC.format(NOBODY, free_port(), port, tmp_path))
    log = (tmp_path / "log").open("wb")
    running = subprocess.Popen([tor, "-f", str(torrc)], stdout=log, stderr=log)
    try:
        assert until(lambda: "router ExampleExit1" in descriptor(port)), (
            tmp_path / "log"
        ).read_text()
        assert not re.search(r"^family", descriptor(port), re.MULTILINE)
        (tmp_path / "data/relay2/fingerprint").write_text(f"ExampleExit2 {SIBLING}\n")
        text = SCRIPT.read_text().replace("/data/tor", f"{tmp_path}/data")
        script = tmp_path / "script"
        script.write_text(text.replace("/var/run/exitisp", f"{tmp_path}/run"))
        subprocess.run(["sh", script, "relay1", "relay2"], check=True)
        made = [tor, "--keygen-family", "ours", "--DataDirectory", str(tmp_path / "made")]
        subprocess.run([*made, "-f", str(torrc)], cwd=tmp_path, check=True, capture_output=True)
        key = (tmp_path / "ours.secret_family_key").read_bytes()
        assert len(key) == LENGTH
        assert key.startswith(HEADING)
        shutil.copy(tmp_path / "ours.secret_family_key", tmp_path / "keys")
        running.send_signal(signal.SIGHUP)
        assert until(lambda: f"${SIBLING}" in descriptor(port)), descriptor(port)
        assert until(lambda: "family-cert" in descriptor(port)), descriptor(port)
    finally:
        running.kill()
        running.wait()
        log.close()
