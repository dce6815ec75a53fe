"""Lines, pages and pipes."""

import os

from hypothesis import given
from hypothesis import strategies as st

from firstboot.wizard.line_editor import Hidden, LineLost, shown
from firstboot.wizard.terminal import MORE, Terminal, console


class Typed:
    """Enter, as often as it is asked for."""

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
