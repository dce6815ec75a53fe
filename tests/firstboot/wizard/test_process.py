"""The wizard as a process on a pseudo-terminal of 24 rows and 80 columns."""

import base64
import os
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from firstboot.site.model import load
from firstboot.wizard.draft import Draft
from firstboot.wizard.terminal import MORE
from qemu.lab.conversation import BEGIN, Turn, conversation, play
from tests.firstboot.site.sites import ONE, ROOT, TWO
from tests.firstboot.wizard.far import PATIENCE, Far
from tests.firstboot.wizard.script import CONTROL_C, trying


@contextmanager
def wizard(folder: Path, name: str = "ttyu0") -> Iterator[Far]:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "tests.firstboot.wizard.entry", str(folder), name],
        cwd=str(ROOT),
        dimensions=(24, 80),
        timeout=PATIENCE,
        env={**os.environ, "TERM": "dumb", "LC_ALL": "C"},
    )
    child.delaybeforesend = None
    try:
        yield Far(child)
    finally:
        child.close(force=True)


def test_a_whole_conversation_over_a_terminal_makes_the_site(tmp_path: Path) -> None:
    with wizard(tmp_path) as far:
        play(far, conversation(load(TWO).value))
        assert far.end() == "saved"
    assert load(tmp_path / "site.yaml").value == load(TWO).value
    assert b"\x1b" not in far.seen
    assert MORE.encode() in far.seen
    for peer in load(TWO).value.peers:
        assert peer.md5 is None or peer.md5.encode() not in far.seen


def keys_of_rsa(count: int) -> list[str]:
    """Return public keys of 4096 bits, three times as long as the lines that a terminal edits."""
    keys = []
    for number in range(count):
        parts = [b"ssh-rsa", b"\1\0\1", b"\0" + bytes([0x80 | number]) * 512]
        blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
        keys.append(f"ssh-rsa {base64.b64encode(blob).decode()} admin{number}@example.org")
    return keys


def test_long_keys_and_forty_peers_are_pasted_in_one_go(tmp_path: Path) -> None:
    script = conversation(load(ONE).value)
    at = next(at for at, turn in enumerate(script) if turn[0] == "add, paste, change N")
    to_paste = [*script[:at], ("add, paste, change N", "paste")]
    peers = [f"member-{n} {196800 + n} peer 203.0.113.{100 + n}" for n in range(40)]
    keys = keys_of_rsa(4)
    with wizard(tmp_path) as far:
        play(far, to_paste)
        far.expect(["   1>"])
        far.child.send("\r\n".join([*peers, "", ""]))
        far.expect(["Taken: 40 peers. There are 41 now."])
        done = next(at for at, turn in enumerate(script) if "change N, remove N or done" in turn[0])
        done += next(
            at for at, turn in enumerate(script[done + 1 :], 1) if "remove N or done" in turn[0]
        )
        asked = next(at for at, turn in enumerate(script) if turn[0] == "SSH public keys")
        play(far, script[done:asked])
        far.expect(["SSH public keys"])
        far.child.send("\r".join([*keys, "", ""]))
        far.expect(["Networks that administrators come from"])
        far.send("quit")
        play(far, [("Leave?", "yes")])
        assert far.end() == "left"
    draft = Draft.open(tmp_path / "draft.yaml")
    assert draft.count("peers") == 41
    assert draft.get(("management", "keys")) == keys


def test_mistakes_steps_back_and_pastes_do_not_change_the_site(tmp_path: Path) -> None:
    script, site = trying(load(TWO).value)
    with wizard(tmp_path) as far:
        play(far, script)
        assert far.end() == "saved"
    assert load(tmp_path / "site.yaml").value == site
    assert "Förening für Ausgänge".encode() in far.seen


def test_control_c_asks_and_a_second_one_leaves(tmp_path: Path) -> None:
    with wizard(tmp_path) as far:
        play(far, [BEGIN])
        far.press(CONTROL_C, "Whose addresses")
        play(far, [("Leave?", "no"), ("Whose addresses", ""), ("Name of the operator", "A")])
        far.press(CONTROL_C, "Mail address")
        far.press(CONTROL_C, "Leave?")
        assert far.end() == "left"
    with wizard(tmp_path) as far:
        play(far, [BEGIN])
        far.press(CONTROL_C, "Mail address for complaints")
        play(far, [("Leave?", "yes")])
        assert far.end() == "left"


def test_bytes_that_are_no_utf_8_are_refused_and_asked_again(tmp_path: Path) -> None:
    with wizard(tmp_path) as far:
        play(far, [BEGIN, ("Whose addresses", "")])
        far.expect(["Name of the operator"])
        far.child.send(b"F\xf6rening\r")
        far.expect(["Set the terminal to UTF-8"])
        far.expect(["Name of the operator"])
        far.child.send("Förening\r".encode())
        play(far, [("Mail address", "quit"), ("Leave?", "yes")])
        assert far.end() == "left"
    assert "Förening" in (tmp_path / "draft.yaml").read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_whatever_ends_the_process_the_answers_are_kept(
    number: signal.Signals, tmp_path: Path
) -> None:
    begin: list[Turn] = [
        BEGIN,
        ("Whose addresses", ""),
        ("Name of the operator", "A"),
        ("Mail address", "a@example.org"),
    ]
    with wizard(tmp_path) as far:
        play(far, begin)
        far.expect(["Mail address for other operators"])
        assert far.child.pid is not None
        os.kill(far.child.pid, number)
        far.child.expect(pexpect.EOF)
    with wizard(tmp_path) as far:
        play(far, [BEGIN])
        far.expect(["goes on where it was"])
        far.expect(["Mail address for other operators [a@example.org]"])


def test_a_line_that_is_lost_ends_the_process(tmp_path: Path) -> None:
    with wizard(tmp_path) as far:
        play(far, [BEGIN, ("Whose addresses", ""), ("Name of the operator", "A")])
        far.expect(["Mail address for complaints"])
        far.child.sendeof()
        far.child.send(b"\x04")
        assert far.end() == "line lost"


def test_the_first_console_talks_and_the_other_waits_its_turn(tmp_path: Path) -> None:
    with wizard(tmp_path) as first, wizard(tmp_path, "ttyv0") as second:
        second.expect(["Press Enter to begin"])
        play(first, [BEGIN, ("Whose addresses", "")])
        first.expect(["Name of the operator"])
        second.send("")
        second.expect(["being answered on the other console (ttyu0)"])
        second.expect(["Enter or take"])
        second.send("")
        second.expect(["being answered on the other console (ttyu0)"])
        first.send("A")
        first.expect(["Mail address"])
        first.send("quit")
        play(first, [("Leave?", "yes")])
        assert first.end() == "left"
        second.expect(["Enter or take"])
        second.send("")
        second.expect(["Mail address for complaints"])


def test_a_conversation_that_was_left_alone_is_taken_over(tmp_path: Path) -> None:
    with wizard(tmp_path) as first, wizard(tmp_path, "ttyv0") as second:
        play(first, [BEGIN, ("Whose addresses", ""), ("Name of the operator", "A")])
        first.expect(["Mail address for complaints"])
        play(second, [BEGIN])
        second.expect(["Enter or take"])
        second.send("take")
        first.expect(["Another console goes on with the questions."])
        assert first.end() == "taken over"
        second.expect(["Mail address for complaints"])
