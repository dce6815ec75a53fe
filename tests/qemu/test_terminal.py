import pytest

from qemu.terminal import LONGEST_SEQUENCE, PlainText

MENU = b"\x1b[2J\x1b[12;5H1. \x1b[1mB\x1b[moot\x1b[13;5H\x1b]0;title\x07\x1b(B2. Single\r\n"


def test_escape_sequences_and_control_characters_are_dropped() -> None:
    assert PlainText().feed(MENU + b"\x00\x07a\tb\x7f\n") == b"1. Boot2. Single\r\na\tb\n"


def test_cursor_moves_are_marked_when_asked() -> None:
    assert PlainText(moved=b"|").feed(MENU) == b"|1. Boot|2. Single\r\n"


@pytest.mark.parametrize("cut", range(len(MENU)))
def test_a_sequence_cut_in_two_is_one(cut: int) -> None:
    plain = PlainText()
    assert plain.feed(MENU[:cut]) + plain.feed(MENU[cut:]) == b"1. Boot2. Single\r\n"


def test_single_bytes_make_the_same_text() -> None:
    plain = PlainText()
    assert b"".join(plain.feed(bytes([byte])) for byte in MENU) == b"1. Boot2. Single\r\n"


def test_a_lone_escape_character_does_not_swallow_what_follows() -> None:
    plain = PlainText()
    text = plain.feed(b"\x1b]" + b"x" * LONGEST_SEQUENCE) + plain.feed(b"login: ")
    assert text.endswith(b"xlogin: ")
