"""libexec/exitisp/tend, which init(8) keeps running, with stand-ins for what it starts."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from image.rehearsal.selection import PROGRAMS
from tests.firstboot.site.daemons.sites import ROOT

SCRIPT = ROOT / "overlays/firstboot/files/usr/local/libexec/exitisp/tend"

STAND_INS = {
    "service": 'echo "$*" >>$here/guarded; echo "the ports are down now"',
    "exitisp": (
        'echo "$*" >>$here/tended; echo "restarted"; sleep 1000 >/dev/null 2>&1 & '
        "echo $! >>$here/daemons; echo $$ >>$here/tending; "
        "[ -z ${stops-} ] || kill -STOP $$; exec sleep ${hang:-0}"
    ),
    "logger": "cat >>$here/log",
}


@dataclass(frozen=True)
class Tended:
    """`state` is in the place of /var/run/exitisp."""

    folder: Path
    running: "subprocess.Popen[bytes]"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def configured(self) -> None:
        (self.state / "generation").touch()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Tended]]:
    """Starts the script, with a tenth of a second in place of a minute."""
    (tmp_path / "state").mkdir()
    for name, does in STAND_INS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    text = SCRIPT.read_text()
    for old, new in (
        ("PATH=/sbin:", f"PATH={tmp_path}:/sbin:"),
        ("/usr/local/bin/exitisp", f"{tmp_path}/exitisp"),
        ("/var/run/exitisp", f"{tmp_path}/state"),
        ("sleep 60", "sleep 0.1"),
        ("-k 60 1800", "-k 0.1 ${half_an_hour:-1800}"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "tend").write_text(text)
    started: list[subprocess.Popen[bytes]] = []

    def begin(**environment: str) -> Tended:
        told = {"here": str(tmp_path), **environment}
        started.append(
            subprocess.Popen(["sh", tmp_path / "tend", "tend"], env=told, start_new_session=True)
        )
        return Tended(tmp_path, started[-1])

    yield begin
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.pid, signal.SIGKILL)
        one.wait()


def until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError


def test_a_configured_box_is_looked_after_again_and_again_and_what_is_said_goes_to_the_log(
    start: Callable[..., Tended],
) -> None:
    box = start()
    time.sleep(0.5)
    assert box.lines("guarded") == []
    box.configured()
    until(lambda: len(box.lines("tended")) > 2)
    assert {*box.lines("guarded")} == {"exitisp_ports guard"}
    assert {*box.lines("tended")} == {"tend"}
    until(lambda: {*box.lines("log")} == {"the ports are down now", "restarted"})


def test_what_hangs_does_not_keep_it_from_looking_at_the_ports(
    start: Callable[..., Tended],
) -> None:
    box = start(hang="1000")
    box.configured()
    until(lambda: len(box.lines("guarded")) > 2)


@pytest.mark.parametrize("stuck", [{"hang": "1000"}, {"stops": "yes"}])
def test_what_hangs_ends_after_half_an_hour_and_leaves_the_daemons_that_it_started(
    start: Callable[..., Tended], stuck: dict[str, str]
) -> None:
    box = start(half_an_hour="0.2", **stuck)
    box.configured()
    until(lambda: bool(box.lines("tending")))
    until(lambda: not Path("/proc", box.lines("tending")[0]).exists())
    assert Path("/proc", box.lines("daemons")[0]).exists()


def test_a_box_that_goes_down_restarts_nothing_any_more_and_does_after_its_start(
    start: Callable[..., Tended],
) -> None:
    box = start()
    box.configured()
    until(lambda: bool(box.lines("tended")))
    box.running.send_signal(signal.SIGHUP)
    assert box.running.wait() == 0
    assert (box.state / "untended").exists()
    start()
    until(lambda: not (box.state / "untended").exists())


def test_init_of_both_systems_keeps_it_running() -> None:
    ttys = (ROOT / "overlays/base/files/etc/ttys").read_text()
    (line,) = (one.split() for one in ttys.splitlines() if one.startswith("tend"))
    assert line == ["tend", "/usr/local/libexec/exitisp/tend", "none", "on"]
    inittab = (ROOT / "image/rehearsal/overlay/files/etc/inittab").read_text()
    assert "::respawn:/usr/local/libexec/exitisp/tend\n" in inittab


def test_a_rehearsal_has_a_timeout_that_knows_the_foreground() -> None:
    """That of busybox does not, and then nobody would tend the box."""
    assert "timeout --foreground" in SCRIPT.read_text()
    assert "usr/bin/timeout" in PROGRAMS
