"""What a newcomer reads is what happens: build, boot, the wizard, `exitisp status`, SSH.

The commands and the answers are those of README.md and docs/getting-started.md. The cache is
empty, so that a machine without a mirror builds a rehearsal.
"""

import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.wizard.conversation import Saved
from firstboot.wizard.draft import Draft
from tests.boot.test_rendered import example
from tests.boot.walk import GUIDE, README, Terminal, answers, commands
from tests.firstboot.wizard.talk import talk

EXAMPLE = example("one-port-of-each")

PASSWORD = "korund-Flieder-77-tausend"

BUILD, BOOT, QUESTION, APPLIED = 900.0, 600.0, 120.0, 1200.0
"""Seconds that each may take, with an emulated processor on a busy machine."""

UP = "The transit and exchange ports are up."


def test_both_pages_show_the_two_commands() -> None:
    for page in (README, GUIDE):
        assert ["./exitisp", "build"] in commands(page, "build"), page.name
        assert commands(page, "boot"), page.name


def test_the_answers_make_the_site_of_the_example(tmp_path: Path) -> None:
    """With ports, peers and prefixes of the file that the guide names, and fewer relays."""
    turns = answers(GUIDE, {"your public key": EXAMPLE.management.keys[0], "a password": PASSWORD})
    outcome, _ = talk(Draft.open(tmp_path / "draft.yaml"), turns)
    assert isinstance(outcome, Saved)
    site = outcome.site.value
    assert site.ports == EXAMPLE.ports
    assert site.scopes == EXAMPLE.scopes
    assert site.peers == tuple(
        replace(peer, name=made.name, md5=made.md5, irr=made.irr)
        for peer, made in zip(EXAMPLE.peers, site.peers, strict=False)
    )
    assert site.management.networks == EXAMPLE.management.networks[:1]


def key(folder: Path) -> Path:
    """A key pair of the newcomer's; the path of the private one."""
    path = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def logged_in(command: list[str], key: Path, typed: str) -> subprocess.CompletedProcess[str]:
    """What `typed` says over SSH, by the command that was printed."""
    ssh, *rest = command
    unasked = ["-i", str(key), "-o", "StrictHostKeyChecking=accept-new", "-o", "BatchMode=yes"]
    return subprocess.run(
        [ssh, *unasked, *rest, typed], capture_output=True, text=True, timeout=APPLIED
    )


@pytest.mark.boot
@pytest.mark.xdist_group("rehearsal")
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="there is no apt to build a rehearsal")
def test_the_walk_to_a_configured_box(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    build = Terminal.run(commands(README, "build")[0], tmp_path, cache)
    status = build.end(timeout=BUILD)
    if status and "Debian's packages" in build.shown():
        pytest.skip(build.shown().splitlines()[-1])
    assert status == 0, build.shown()

    private = key(tmp_path)
    public = private.with_suffix(".pub").read_text().strip()
    boot = Terminal.run(commands(README, "boot")[0], tmp_path, cache)
    try:
        turns = answers(GUIDE, {"your public key": public, "a password": PASSWORD})
        boot.answer(turns, BOOT, QUESTION)
        boot.expect(UP, timeout=APPLIED)
        boot.type("")
        boot.expect("login:", timeout=BOOT)
        boot.type("root")
        boot.expect("Password:")
        boot.type(PASSWORD)
        boot.expect("# ")
        boot.type("exitisp status; echo status $?")
        boot.expect("status 0", timeout=APPLIED)

        (command,) = re.findall(r"^ *(ssh -p .*)$", boot.shown(), re.MULTILINE)
        done = logged_in(shlex.split(command), private, "exitisp status")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "asn: 64511\n" in logged_in(shlex.split(command), private, "exitisp show").stdout
        sessions = logged_in(shlex.split(command), private, "bgpctl show").stdout
        assert "upstream-v4" in sessions
        assert "route-server-v6" in sessions
        assert PASSWORD not in boot.shown()
    finally:
        ended = boot.end("\x1d")
    assert ended == 0
