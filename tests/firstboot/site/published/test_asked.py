"""Programs that ask others: whatever answers them, it has an end."""

import sys

from firstboot.site.published import asked
from firstboot.site.published.asked import LARGEST, ask

ENDLESS = "import sys\nwhile True: sys.stdout.buffer.write(bytes(1 << 16))"


def test_what_is_printed_and_complained_of_comes_with_the_status() -> None:
    found = ask(["sh", "-c", "echo said; echo one >&2; echo two >&2; exit 3"], 60)
    assert (found.status, found.said, found.error) == (3, b"said\n", "two")
    assert not found.late
    assert not found.large


def test_an_answer_without_an_end_is_cut_off() -> None:
    found = ask([sys.executable, "-c", ENDLESS], 600)
    assert found.large
    assert not found.late
    assert len(found.said) == LARGEST + 1


def test_who_never_answers_is_ended() -> None:
    found = ask(["sleep", "1000"], 0.2)
    assert found.late
    assert found.said == b""


def test_complaints_without_an_end_are_not_held() -> None:
    many = asked.LAST_WORDS * 8
    found = ask(["sh", "-c", f"head -c {many} /dev/zero | tr '\\0' x >&2"], 60)
    assert found.error == "x" * 200
