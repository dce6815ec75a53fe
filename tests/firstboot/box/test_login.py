"""Logins as ps(1) of each system shows them."""

import os
import time

import pytest

from firstboot.box.login import PS, login
from tests.firstboot.box.box import Box


@pytest.mark.parametrize(
    ("rows", "console", "age"),
    [
        (
            "ME 200 00:01 pts/0 exitisp\n200 190 10:00 pts/0 sh\n190 80 10:02 - sshd-session",
            False,
            602,
        ),
        ("ME 200 0:01 136,0 exitisp\n200 190 10:00 136,0 sh\n190 80 61:00 ? sshd", False, 3660),
        (
            "ME 200 00:01 ttyv0 exitisp\n200 150 10:00 ttyv0 sh\n150 1 1-02:00:00 ttyv0 login",
            True,
            93600,
        ),
        ("ME 200 0:01 4,64 exitisp\n200 1 90:00 4,64 sh", True, 5400),
        ("ME 200 00:01 pts/3 exitisp\n200 90 00:10 pts/3 sh\n90 1 03:04:05 - tmux", False, 11045),
    ],
    ids=["FreeBSD over SSH", "busybox over SSH", "FreeBSD console", "busybox console", "tmux"],
)
def test_a_login_is_as_old_as_its_connection_or_its_oldest_process(
    box: Box, rows: str, console: bool, age: int
) -> None:
    listener = "80 1 20-00:00:00 - sshd\n1 0 30-00:00:00 - init\n"
    box.answer(" ".join(PS), f"{rows.replace('ME', str(os.getpid()))}\n{listener}")
    found = login(box.machine, {})
    assert found.console is console
    assert time.monotonic() - found.since == pytest.approx(age, abs=5)


def test_a_login_that_ps_does_not_show_is_no_console_and_old(box: Box) -> None:
    found = login(box.machine, {})
    assert not found.console
    assert found.since < -1e6
