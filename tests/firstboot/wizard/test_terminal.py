"""A terminal wraps lines, turns pages, hides secrets; a pipe has neither echo nor pages."""

import contextlib
import os
import threading
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from firstboot.wizard.line_editor import Hidden, LineLost, hidden, shown
from firstboot.wizard.terminal import MORE, SHOWN_AGAIN, Terminal, console

PATIENCE = 60
"""Seconds; the machine may be busy."""


class Typed:
    """Enter, whenever something is asked."""

    def __init__(self, waiting: bool = False) -> None:
        self.waiting = waiting
        self.asked = 0

    def discard(self) -> None:
        self.waiting = False

    def line(self, hide: Hidden = shown) -> str:
        self.asked += 1
        return ""


def said(text: str, *, waiting: bool = False, rows: int = 24) -> str:
    seen: list[str] = []
    Terminal(Typed(waiting), seen.append, rows=rows).say(text)
    return "".join(seen)


def test_long_lines_go_on_as_far_in_as_they_began() -> None:
    lines = said("  " + "word " * 30).splitlines()
    assert len(lines) == 2
    assert all(line.startswith("  word") and len(line) <= 79 for line in lines)


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=400))
def test_no_line_reaches_the_last_column(text: str) -> None:
    assert all(len(line) <= 79 for line in said(text).split("\n"))


def test_nothing_that_is_said_or_asked_acts_on_the_terminal() -> None:
    seen: list[str] = []
    terminal = Terminal(Typed(), seen.append)
    terminal.say("a\x1b[2Jb\x07\x9bc")
    terminal.ask("d\r\x1b]0;e\x07f?")
    assert "".join(seen) == "a?[2Jb??c\nd??]0;e?f? "


def test_nothing_scrolls_away_unread() -> None:
    seen = said("\n".join(map(str, range(60))))
    pages = seen.split(MORE)
    assert len(pages) == 3
    assert all(page.count("\n") <= 23 for page in pages)
    assert [int(line) for page in pages for line in page.split()] == list(range(60))


def test_an_answer_that_is_typed_ahead_is_not_taken_for_a_turned_page() -> None:
    assert MORE not in said("\n".join(map(str, range(60))), waiting=True)


def test_asking_begins_a_new_page() -> None:
    seen: list[str] = []
    terminal = Terminal(Typed(), seen.append)
    for _ in range(5):
        terminal.say("\n".join("x" * 20))
        terminal.ask("Why?")
    assert MORE not in "".join(seen)


def test_a_terminal_that_does_not_know_its_size_has_eighty_columns() -> None:
    near, far = os.openpty()
    with console(far, far) as terminal:
        terminal.say("x" * 79)
    os.close(far)
    assert os.read(near, 1000) == b"x" * 79 + b"\r\n"
    os.close(near)


def test_a_pipe_is_read_without_echo_or_pages() -> None:
    source, typed = os.pipe()
    seen, target = os.pipe()
    os.write(typed, b"first\nsecond\n")
    os.close(typed)
    with console(source, target) as terminal:
        assert terminal.ask("One?") == "first"
        terminal.say("\n".join("x" * 50))
        assert terminal.ask("Two?") == "second"
        try:
            terminal.ask("Three?")
            raise AssertionError("there is nothing more")
        except LineLost:
            pass
    os.close(source)
    os.close(target)
    with os.fdopen(seen, "rb") as file:
        assert file.read() == b"One? " + b"x\n" * 50 + b"Two? Three? "


def test_a_refusal_and_a_note_differ_in_the_first_column() -> None:
    seen: list[str] = []
    terminal = Terminal(Typed(), seen.append)
    terminal.refuse("word " * 20)
    terminal.note("word " * 20)
    refusal, more, note, _ = "".join(seen).splitlines()
    assert refusal.startswith("!! No: word")
    assert more.startswith("   word")
    assert note.startswith("   Taken. Note: word")


@contextlib.contextmanager
def on_a_terminal() -> Iterator[tuple[Terminal, int]]:
    """A console on a pseudo-terminal, and the end where a person types and reads."""
    near, far = os.openpty()
    try:
        with console(far, far) as terminal:
            yield terminal, near
    finally:
        os.close(far)
        os.close(near)


def test_what_is_typed_ahead_of_a_hidden_question_is_no_secret() -> None:
    with on_a_terminal() as (terminal, near):
        os.write(near, b"one\rahead\r")
        assert terminal.ask("One?") == "one"
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(terminal.ask("Secret?", hidden)))
        asking.start()
        read_until(near, b"Secret?")
        os.write(near, b"korund\r")
        asking.join(PATIENCE)
        assert answers == ["korund"]


def test_a_secret_typed_twice_is_neither_shown_nor_the_next_answer() -> None:
    with on_a_terminal() as (terminal, near):
        answers: list[str] = []

        def ask() -> None:
            answers.append(terminal.ask("Secret?", hidden))
            answers.append(terminal.ask("Colour?"))

        asking = threading.Thread(target=ask)
        asking.start()
        seen = read_until(near, b"Secret?")
        os.write(near, b"korund\rkorund\r")
        seen += read_until(near, b"Colour? ")
        os.write(near, b"red\r")
        asking.join(PATIENCE)
        assert answers == ["korund", "red"]
        assert b"korund" not in seen
        assert SHOWN_AGAIN.encode() in seen


def test_what_is_typed_ahead_of_a_refusal_is_forgotten() -> None:
    with on_a_terminal() as (terminal, near):
        os.write(near, b"one\rtwo\r")
        assert terminal.ask("One?") == "one"
        terminal.refuse("This is no number.")
        os.write(near, b"1\r")
        assert terminal.ask("One?") == "1"


def test_what_is_typed_to_turn_a_page_is_not_shown() -> None:
    with on_a_terminal() as (terminal, near):
        saying = threading.Thread(target=lambda: terminal.say("\n".join(map(str, range(40)))))
        saying.start()
        seen = read_until(near, MORE.encode())
        os.write(near, b"korund\r")
        saying.join(PATIENCE)
        assert b"korund" not in seen + read_until(near, b"39\r\n")


def test_a_line_that_cannot_be_an_answer_is_asked_for_again() -> None:
    with on_a_terminal() as (terminal, near):
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(terminal.ask("One?")))
        asking.start()
        read_until(near, b"One?")
        os.write(near, b"a\x07b\r")
        assert b"!! No: The line has a control character" in read_until(near, b"One?")
        os.write(near, b"ab\r")
        asking.join(PATIENCE)
        assert answers == ["ab"]


def read_until(near: int, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        seen += os.read(near, 4096)
    return seen
