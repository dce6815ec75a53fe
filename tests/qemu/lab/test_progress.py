"""Progress shows that a lab goes on."""

import threading
import time

import pytest

from qemu.lab.progress import Progress


def test_a_stage_is_told_when_it_begins_and_when_it_ends_and_is_kept() -> None:
    lines: list[str] = []
    progress = Progress(lines.append)
    with progress.stage("BGP comes up"):
        assert [line.partition("] ")[2] for line in lines] == ["BGP comes up ..."]
    assert lines[1].partition("] ")[2].startswith("BGP comes up: 0.")
    assert [stage.name for stage in progress.stages] == ["BGP comes up"]


def test_a_long_stage_tells_again_and_again_what_it_does() -> None:
    lines: list[str] = []
    progress = Progress(lines.append, every=0.02)
    with progress.stage("the box starts", lambda: "Loading kernel"):
        wait_for(lines, "so far: Loading kernel", 2)
    told = len(lines)
    time.sleep(0.1)
    assert len(lines) == told


def test_of_stages_within_each_other_the_innermost_one_tells() -> None:
    lines: list[str] = []
    progress = Progress(lines.append, every=0.02)
    with progress.stage("fault"), progress.stage("check"):
        wait_for(lines, "check, 0 s so far", 2)
        assert not any("fault, 0 s" in line for line in lines[2:])


def test_a_stage_that_fails_is_not_kept_and_falls_silent() -> None:
    progress = Progress(lambda _: None, every=0.02)
    with pytest.raises(ZeroDivisionError), progress.stage("stage"):
        raise ZeroDivisionError
    assert progress.stages == []
    assert not any(thread.name == "progress" for thread in threading.enumerate())


def wait_for(lines: list[str], text: str, times: int) -> None:
    end = time.monotonic() + 60
    while sum(text in line for line in lines) < times:
        assert time.monotonic() < end, lines
        time.sleep(0.01)
