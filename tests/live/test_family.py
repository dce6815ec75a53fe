"""A relay that runs learns who belongs to its family, and takes a new signing key, by what the box
writes for it and SIGHUP. Its master key is not there."""

import base64
import os
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
from firstboot.box.relay_keys import lay
from firstboot.site.master_keys import CARRIED, make_keys
from firstboot.site.signing_keys import (
    CERTIFICATE,
    Certificate,
    SigningKeys,
    parse_carried,
    parse_certificate,
)
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
OfflineMasterKey 1
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


def signed_with(port: int) -> Certificate:
    """The certificate of the signing key in the relay's descriptor."""
    found = re.search(
        r"^identity-ed25519\n-----BEGIN ED25519 CERT-----\n(.*?)-----END",
        descriptor(port),
        re.DOTALL | re.MULTILINE,
    )
    assert found is not None
    return parse_certificate(CERTIFICATE + base64.b64decode(found[1].replace("\n", "")))


def brought(desk: Path, data: Path, *, renew: bool) -> SigningKeys:
    """Lay signing keys of a desk where the relay looks for them."""
    make_keys(
        desk / "site.yaml", desk / "keys", 200 if renew else 100, renew=renew, encrypted=False
    )
    keys = parse_carried((desk / "keys" / CARRIED).read_bytes())[0]
    owner = os.getuid(), os.getgid()
    lay(data.parent, f"{data.name}/relay1/keys", keys.files, owner)
    return keys


def until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.2)
    return holds()


def test_a_running_relay_takes_its_family_and_a_new_signing_key(tmp_path: Path) -> None:
    tor = find("tor", "tor")
    if version(tor, "--version") < (0, 4, 9):
        pytest.skip("this Tor is older than 0.4.9 and knows no family keys")
    for name in ("keys", "data/relay1", "data/relay2"):
        (tmp_path / name).mkdir(parents=True, mode=0o700)
    text = (ROOT / "examples/one-port-of-each.yaml").read_text()
    (tmp_path / "site.yaml").write_text(
        text.replace("  count: 4\n", "  count: 1\n  offline_keys: true\n")
    )
    first = brought(tmp_path, tmp_path / "data", renew=False)
    port = free_port()
    torrc = tmp_path / "torrc"
    torrc.write_text(TORRC.format(NOBODY, free_port(), port, tmp_path))
    log = (tmp_path / "log").open("wb")
    running = subprocess.Popen([tor, "-f", str(torrc)], stdout=log, stderr=log)
    try:
        assert until(lambda: "router ExampleExit1" in descriptor(port)), (
            tmp_path / "log"
        ).read_text()
        assert signed_with(port) == first.certified
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
        second = brought(tmp_path, tmp_path / "data", renew=True)
        running.send_signal(signal.SIGHUP)
        assert until(lambda: f"${SIBLING}" in descriptor(port)), descriptor(port)
        assert until(lambda: "family-cert" in descriptor(port)), descriptor(port)
        assert signed_with(port) == second.certified
        assert second.certified.identity == first.certified.identity
        assert second.certified.signing != first.certified.signing
    finally:
        running.kill()
        running.wait()
        log.close()
