"""`exitisp top` on terminals of several kinds."""

import os
import sys
import textwrap
from pathlib import Path

import pexpect
import pytest

from firstboot.box.status import Line
from firstboot.box.top import Screenful, below, painted, parse_counters, rates, screen, top
from tests.firstboot.box.box import ROOT, Box
from tests.firstboot.box.test_apply import configured
from tests.firstboot.box.test_metrics import NETSTAT

FOUND = (
    Line("up: resolver"),
    Line("DOWN: clock: it does not run", "clock: it runs"),
    Line("NOT LISTED: relay 2", "relay 2 is in the consensus", wrong=False),
    Line("clock: " + "x" * 200),
)


def drawn(width: int = 80, height: int = 24, found: tuple[Line, ...] = FOUND) -> list[str]:
    return screen(Screenful(1.0, found, {}), None, 0, width, height)


def test_what_is_wrong_comes_first() -> None:
    first, *rows, last = drawn()
    assert first == "1970-01-01 00:00:00 UTC  1 not as it has to be"
    assert rows[:3] == ["DOWN: clock: it does not run", "NOT LISTED: relay 2", "up: resolver"]
    assert last == "q ends"
    assert drawn(found=FOUND[:1])[0].endswith("  well")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 6), (20, 4), (0, 0), (500, 200)])
def test_it_stays_within_its_terminal(width: int, height: int) -> None:
    many = tuple(Line(f"up: {'y' * 90} {number}") for number in range(60))
    rows = drawn(width, height, FOUND + many)
    assert len(rows) <= max(height, 4)
    assert all(len(row) < max(width, 20) for row in rows)
    if height < 60:
        assert any("more" in row for row in rows)


def test_nothing_acts_on_the_terminal() -> None:
    rows = drawn(found=(Line("a\x1b[2Jb\nc"),))
    assert "a?[2Jb?c" in rows


def test_traffic_is_told_from_the_second_look_on() -> None:
    counters = parse_counters(NETSTAT)
    assert counters["ix0"] == (244556014, 11203324)
    before = Screenful(10.0, (), counters)
    later = {name: (one + 2_500_000, other + 125) for name, (one, other) in counters.items()}
    now = Screenful(12.0, (), later | {"new": (1, 1)})
    assert [*rates(now, before)] == [
        "ix0: 10 Mbit/s in, 500 bit/s out",
        "lo0: 10 Mbit/s in, 500 bit/s out",
    ]
    assert [*rates(now, None)] == []
    assert [*rates(Screenful(12.0, (), counters), Screenful(11.0, (), later))] == []


def test_a_number_that_no_counter_has_is_passed_over() -> None:
    long = NETSTAT.replace("244556014", "9" * 5000)
    assert "ix0" not in parse_counters(long)
    assert "lo0" in parse_counters(long)


def test_a_screen_is_painted_over_or_stands_below() -> None:
    assert painted(["a", "b"]) == "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n\x1b[J"
    assert below(["a", "b"]) == "\na\nb\n"


def test_without_a_terminal_one_screen_is_all(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    top(configured(box).machine)
    said = capsys.readouterr().out
    assert said.count("q ends") == 1
    assert "  well\n" in said
    assert "\x1b" not in said


PROGRAM = textwrap.dedent(
    """\
    import sys
    from pathlib import Path
    from firstboot.box import top
    from tests.firstboot.box.box import Box
    from tests.firstboot.box.test_apply import configured

    top.top(configured(Box(Path(sys.argv[1]))).machine, 1)
    print("it has ended")
    """
)


def started(box: Box, kind: str) -> "pexpect.spawn[str]":
    environment = {"PATH": os.environ["PATH"], "TERM": kind, "PYTHONPATH": str(ROOT)}
    return pexpect.spawn(
        sys.executable,
        ["-c", PROGRAM, str(box.root)],
        cwd=str(ROOT),
        env=environment,
        encoding="utf-8",
        timeout=60,
        dimensions=(24, 80),
    )


@pytest.mark.parametrize("key", ["q", "\x03"])
@pytest.mark.parametrize("kind", ["vt100", "dumb"])
def test_it_is_drawn_again_until_somebody_ends_it(box: Box, kind: str, key: str) -> None:
    child = started(box, kind)
    for _ in range(2):
        child.expect("UTC  well")
        child.expect("q ends")
        assert ("\x1b[K" in str(child.before)) is (kind == "vt100")
    child.send("x")
    child.expect("q ends")
    child.send(key)
    child.expect("it has ended" if key == "q" else "KeyboardInterrupt")
    child.expect(pexpect.EOF)
    child.close()


def test_the_terminal_is_as_before(box: Box, tmp_path: Path) -> None:
    script = f'stty >"{tmp_path}/a"; "$@"; stty >"{tmp_path}/b"'
    child = pexpect.spawn(
        "sh",
        ["-c", script, "sh", sys.executable, "-c", PROGRAM, str(box.root)],
        cwd=str(ROOT),
        env={"PATH": os.environ["PATH"], "TERM": "vt100", "PYTHONPATH": str(ROOT)},
        encoding="utf-8",
        timeout=60,
    )
    child.expect("q ends")
    child.send("q")
    child.expect(pexpect.EOF)
    child.close()
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()
