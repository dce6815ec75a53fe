import re
from pathlib import Path

import pytest

from qemu.transcript import TAIL, Transcript


def lines(transcript: Transcript) -> list[str]:
    transcript.close()
    return [
        re.sub(r"^\[ *\d+\.\d\] ", "", line) for line in transcript.text.read_text().splitlines()
    ]


def test_every_byte_is_kept(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "com1")
    transcript.write(b"a\x1b[1m\xff")
    transcript.write(b"\0\r\n")
    assert transcript.raw.read_bytes() == b"a\x1b[1m\xff\0\r\n"
    transcript.close()


def test_lines_are_whole_however_they_come(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "com1")
    for part in (b"one\r", b"\ntw", b"o\r\n\r\n", b"thr", b"ee"):
        transcript.write(part)
    assert lines(transcript) == ["one", "two", "three"]


def test_a_line_has_the_time_of_its_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    transcript = Transcript(tmp_path / "com1")
    now = 102.5
    transcript.write(b"begun")
    now = 190.0
    transcript.write(b" and ended\nnext\n")
    transcript.close()
    assert transcript.text.read_text() == "[    2.5] begun and ended\n[   90.0] next\n"


def test_a_menu_drawn_with_cursor_moves_has_lines(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "com1")
    transcript.write(b"\x1b[2J\x1b[1;1H1. Boot\x1b[2;1H2. Single user\x1b[3;1H")
    assert lines(transcript) == ["1. Boot", "2. Single user"]


def test_what_was_erased_is_not_shown(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "com1")
    transcript.write(b"|\b/\b-\bLoading kernul\b\bel\r\n")
    assert lines(transcript) == ["Loading kernel"]


def test_bytes_that_are_no_text_are_spelled_out(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "com1")
    transcript.write(b"caf\xe9\n")
    assert lines(transcript) == ["caf\\xe9"]


def test_the_tail_has_the_last_lines_and_the_unfinished_one(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "com1")
    transcript.write(b"".join(b"line %d\n" % at for at in range(100)) + b"login: ")
    tail = transcript.tail()
    transcript.close()
    assert len(tail) == TAIL
    assert tail[-1].endswith("] login:")
    assert tail[0].endswith("] line 61")


def test_a_transcript_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    for line in (b"first\n", b"second\n"):
        transcript = Transcript(tmp_path / "com1")
        transcript.write(line)
        transcript.close()
    assert lines(transcript) == ["first", "second"]
    assert transcript.raw.read_bytes() == b"first\nsecond\n"
