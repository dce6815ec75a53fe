"""Packets with foreign sources that the filter stopped: since the boot, and in the last hour."""

from collections.abc import Callable

import pytest

from firstboot.box import commands, last_hour, leaks, tend
from firstboot.box.last_hour import MOST
from firstboot.box.leaks import PLACE, Leaks
from firstboot.box.systems.freebsd import parse_labels
from firstboot.box.systems.rehearsal import parse_counters
from tests.firstboot.box.box import Box
from tests.firstboot.box.test_apply import Told, configured


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets so many minutes pass."""
    now = 1000.0

    def passed(many: int) -> None:
        nonlocal now
        now += 60 * many

    monkeypatch.setattr("time.monotonic", lambda: now)
    return passed


def test_what_is_new_is_that_of_the_last_hour(box: Box, minutes: Callable[[int], None]) -> None:
    leaks.note(box.machine)
    assert leaks.look(box.machine) == Leaks(0, 0)
    box.stopped(5)
    assert leaks.look(box.machine) == Leaks(5, 5)
    for _ in range(90):
        minutes(1)
        leaks.note(box.machine)
    assert leaks.look(box.machine) == Leaks(5, 0)
    box.stopped(8)
    assert leaks.look(box.machine) == Leaks(8, 3)
    assert len(last_hour.read(box.machine.state / PLACE, 1)) <= MOST
    box.stopped(2)
    assert leaks.look(box.machine) == Leaks(2, 2)


def test_status_tells_and_that_is_no_fault_of_the_box(box: Box) -> None:
    configured(box)
    tend.tend(box.machine, Told())
    told = Told()
    assert commands.status(box.machine, told)
    assert "leaks: none since the boot" in told
    box.stopped(3)
    told = Told()
    assert commands.status(box.machine, told)
    stopped = "LEAKS: 3 packets with a foreign source were stopped since the boot, 3 of them within"
    assert any(line.startswith(stopped) for line in told)


def test_a_damaged_record_is_told_and_begins_anew(box: Box) -> None:
    configured(box)
    for text in ("{}", '[["a", 1]]', "[[1, -1]]", "[3]"):
        (box.machine.state / PLACE).write_text(text)
        told = Told()
        assert not commands.status(box.machine, told)
        assert any(line.startswith("UNKNOWN: what was stopped lately") for line in told)
        leaks.note(box.machine)
        assert commands.status(box.machine, Told())


def test_counters_are_read_as_they_are_printed() -> None:
    nft = "table netdev exitisp {\n\tcounter leak4 {\n\t\tpackets 3 bytes 180\n\t}\n"
    nft += "\tcounter leak6 {\n\t\tpackets 4 bytes 80\n\t}\n}\n"
    assert parse_counters(nft) == 7
    assert parse_labels("LEAK4 9 3 180 0 0 3 180 0\nLEAK6 9 4 80 0 0 4 80 0\nntp 1 1 1\n") == 7
    assert parse_counters("Error: No such file") is None
    assert parse_labels("") is None
