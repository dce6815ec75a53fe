"""Lines are edited and echoed, whatever is typed."""

import os
import re
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.wizard.line_editor import (
    LONGEST,
    Hidden,
    Interrupted,
    Keyboard,
    LineLost,
    UnusableLine,
    hidden,
    shown,
)


@contextmanager
def keyboard(data: bytes) -> Iterator[tuple[Keyboard, list[str]]]:
    """Yield a keyboard on which `data` is typed before the input ends, and its echoes."""
    source, target = os.pipe()
    writer = threading.Thread(target=_write, args=(target, data))
    writer.start()
    echoed: list[str] = []
    try:
        yield Keyboard(source, echoed.append), echoed
    finally:
        os.close(source)
        writer.join()


def _write(target: int, data: bytes) -> None:
    with os.fdopen(target, "wb") as file:
        try:
            file.write(data)
            file.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), target)


def line(data: bytes, hide: Hidden = shown) -> tuple[str, str]:
    with keyboard(data) as (keys, echoed):
        return keys.line(hide), "".join(echoed)


@pytest.mark.parametrize(
    ("data", "text", "echo"),
    [
        (b"ab\r", "ab", "ab\n"),
        (b"abc\x7f\x08d\r", "ad", "abc\b \b\b \bd\n"),
        (b"\x7fa\r", "a", "a\n"),
        (b"one two\x17three\r", "one three", "one two" + "\b \b" * 3 + "three\n"),
        (b"one\x15two\r", "two", "one" + "\b \b" * 3 + "two\n"),
        (b"a\tb\r", "a b", "a b\n"),
        (b"a\x1b[Ab\x1b[1;5Cc\x1bOPd\x1b[3~\r", "abcd", "abcd\n"),
        (b"a\x00\x04b\r", "ab", "ab\n"),
        ("Förening\r".encode(), "Förening", "Förening\n"),
        (b"F\xf6rening\r", "F\ufffdrening", "F\ufffdrening\n"),
    ],
)
def test_a_line_is_edited_with_backspaces_alone(data: bytes, text: str, echo: str) -> None:
    assert line(data) == (text, echo)


def test_secrets_are_not_echoed_and_neither_is_erasing_them() -> None:
    assert line(b"secret\x7f\x7fx\r", hidden) == ("secrx", "\n")


def test_a_part_of_a_line_may_be_hidden() -> None:
    def after(typed: str) -> bool:
        return "=" in typed

    assert line(b"a=bc\x7f\x7f\x7fd\r", after) == ("ad", "a=\b \bd\n")


def test_all_line_ends_end_one_line() -> None:
    with keyboard(b"a\r\nb\nc\rd\r\n") as (keys, _):
        assert [keys.line() for _ in range(4)] == ["a", "b", "c", "d"]
        with pytest.raises(LineLost):
            keys.line()


def test_a_line_may_be_longer_than_a_terminal_takes() -> None:
    text, _ = line(b"x" * 3000 + b"\r")
    assert text == "x" * 3000


def test_a_line_that_is_too_long_is_refused_and_the_next_is_read() -> None:
    with keyboard(b"x" * (LONGEST + 1) + b"\rab\r") as (keys, _):
        with pytest.raises(UnusableLine, match="longer than 16384 characters"):
            keys.line()
        assert keys.line() == "ab"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"a\x07b\r", "U+0007"),
        ("a\u200bb\r".encode(), "U+200B"),
        ("a\u202eb\r".encode(), "U+202E"),
        (b"a\x1ab\x07\r", "U+001A"),
    ],
)
def test_a_line_with_characters_that_cannot_be_seen_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(UnusableLine, match=re.escape(code)):
        line(data)


def test_a_line_that_is_killed_begins_anew() -> None:
    assert line(b"a\x07b\x15cd\r")[0] == "cd"


def test_what_was_typed_ahead_on_a_terminal_can_be_discarded() -> None:
    near, far = os.openpty()
    tty.setraw(far)
    keys = Keyboard(far, lambda _: None)
    os.write(near, b"first\rsecond\r")
    assert keys.line() == "first"
    keys.discard()
    os.write(near, b"third\r")
    assert keys.line() == "third"
    os.close(near)
    os.close(far)


def test_what_waits_in_a_pipe_is_not_discarded() -> None:
    with keyboard(b"first\rsecond\r") as (keys, _):
        keys.line()
        keys.discard()
        assert keys.line() == "second"


def test_control_c_interrupts_and_the_next_line_is_read() -> None:
    with keyboard(b"ab\x03cd\r") as (keys, echoed):
        with pytest.raises(Interrupted):
            keys.line()
        assert keys.line() == "cd"
        assert "".join(echoed) == "ab^C\ncd\n"


def test_control_d_on_an_empty_line_is_the_end() -> None:
    with keyboard(b"\x04") as (keys, _), pytest.raises(LineLost):
        keys.line()


def test_what_is_typed_ahead_waits() -> None:
    with keyboard(b"a\rb\r") as (keys, _):
        keys.line()
        assert keys.waiting
        keys.line()


@given(st.binary(max_size=200))
def test_whatever_is_typed_becomes_printable_lines(data: bytes) -> None:
    with keyboard(data) as (keys, echoed):
        while True:
            try:
                assert keys.line().isprintable()
            except (Interrupted, UnusableLine):
                continue
            except LineLost:
                break
        assert all(part.isprintable() or part in ("\n", "^C\n", "\b \b") for part in echoed)
