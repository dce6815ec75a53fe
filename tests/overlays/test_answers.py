"""libexec/exitisp/answers: what runs and hangs is told from what runs, with real daemons and
stand-ins for what other systems lack."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firstboot.site.services import SILENT
from tests.box_programs import search
from tests.firstboot.site.daemons.conftest import find
from tests.firstboot.site.daemons.sites import ROOT

SCRIPT = ROOT / "overlays/management/files/usr/local/libexec/exitisp/answers"

STAND_INS = {
    "pgrep": '[ -e $here/pid ] && [ "$2" = none ] && cat $here/pid',
    "setfib": 'shift 2; exec "$@"',
    "sleep": "exec /bin/sleep 0.01",
}


@dataclass
class Asked:
    folder: Path
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def has(self, name: str, does: str) -> None:
        (self.folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (self.folder / name).chmod(0o755)

    def run(self, *command: str | Path) -> "subprocess.Popen[bytes]":
        """Starts the daemon that is asked about."""
        nowhere = subprocess.DEVNULL
        one = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere)
        self.started.append(one)
        (self.folder / "pid").write_text(f"{one.pid}\n")
        return one

    def about(self, name: str) -> int:
        environment = {"here": str(self.folder), "PATH": search()}
        script = self.folder / "answers"
        return subprocess.run(["sh", script, name], env=environment).returncode

    def stop(self) -> None:
        self.started[-1].send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.started[-1].pid, os.WSTOPPED | os.WNOWAIT)


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    text = SCRIPT.read_text()
    for old, new in (
        ("PATH=/sbin:", f"PATH={tmp_path}:/sbin:"),
        ("run=/var/run", f"run={tmp_path}/run"),
        ("/etc/ssh/sshd_config", f"{tmp_path}/sshd_config"),
        ("ssh-keyscan -T 10", "ssh-keyscan -T 1 -p $(cat $here/port)"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "answers").write_text(text)
    (tmp_path / "run").mkdir()
    found = Asked(tmp_path)
    for name, does in STAND_INS.items():
        found.has(name, does)
    yield found
    for one in found.started:
        one.kill()
        one.wait()


def daemon(asked: Asked) -> None:
    asked.run(sys.executable, "-IS", "-c", "import time; time.sleep(600)")


def well(asked: Asked) -> dict[str, Callable[[], None]]:
    """What makes each daemon one that answers."""
    return {
        "ntpd": lambda: asked.has("ntpq", "echo stratum=3"),
        "syslogd": lambda: asked.has("logger", 'echo "$5" >>$here/run/exitisp.heard'),
        "cron": lambda: (asked.folder / "run/exitisp.cron").touch(),
        "sshd": lambda: (asked.folder / "run/exitisp.greeted").touch(),
    }


@pytest.mark.parametrize("name", ["sshd", "ntpd", "syslogd", "cron"])
def test_one_that_is_stopped_hangs_whatever_answers_for_it(asked: Asked, name: str) -> None:
    well(asked)[name]()
    assert asked.about(name) == 1
    daemon(asked)
    assert asked.about(name) == 0
    asked.stop()
    assert asked.about(name) == SILENT
    asked.started[-1].send_signal(signal.SIGCONT)
    asked.started[-1].kill()
    asked.started[-1].wait()
    assert asked.about(name) == 1


def test_a_clock_that_answers_nothing_hangs(asked: Asked) -> None:
    daemon(asked)
    asked.has("ntpq", "echo 'localhost: timed out, nothing received'")
    assert asked.about("ntpd") == SILENT
    asked.has("timeout", "exit 124")
    assert asked.about("ntpd") == SILENT


def test_a_log_that_writes_nothing_down_hangs_and_what_it_hears_stays_small(asked: Asked) -> None:
    daemon(asked)
    asked.has("logger", ":")
    assert asked.about("syslogd") == 0
    heard = asked.folder / "run/exitisp.heard"
    heard.write_text("heard-1-1\n")
    assert asked.about("syslogd") == SILENT
    heard.write_bytes(b"old line\n" * 10_000)
    well(asked)["syslogd"]()
    assert asked.about("syslogd") == 0
    assert heard.stat().st_size < 100
    asked.has("logger", "exit 1")
    assert asked.about("syslogd") == SILENT


def test_jobs_that_do_not_run_any_more_are_noticed_and_new_ones_have_time(asked: Asked) -> None:
    daemon(asked)
    assert asked.about("cron") == 0
    asked.has("ps", "case $2 in state=) echo S ;; etimes=) echo 1000 ;; esac")
    assert asked.about("cron") == 0
    ran = asked.folder / "run/exitisp.cron"
    ran.touch()
    assert asked.about("cron") == 0
    os.utime(ran, (time.time() - 600, time.time() - 600))
    assert asked.about("cron") == SILENT


def test_sshd_greets_once_an_hour(asked: Asked) -> None:
    sshd, folder = find("sshd", "openssh-server"), asked.folder
    if os.getuid():
        pytest.skip("sshd is asked for a greeting as root alone")
    find("ssh-keyscan", "openssh-client")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "port").write_text(str(port))
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    config = folder / "sshd_config"
    config.write_text(f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {key}\nPidFile none\n")
    inside = 'mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec "$0" "$@"'
    asked.run("unshare", "-m", "sh", "-c", inside, sshd, "-D", "-f", config)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    assert asked.about("sshd") == 0
    greeted = folder / "run/exitisp.greeted"
    assert greeted.exists()
    before = greeted.stat().st_mtime_ns
    assert asked.about("sshd") == 0
    assert greeted.stat().st_mtime_ns == before
    # One that takes connections and says nothing.
    asked.started[-1].kill()
    asked.started[-1].wait()
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.0.1", port))
        silent.listen()
        daemon(asked)
        assert asked.about("sshd") == 0
        greeted.unlink()
        assert asked.about("sshd") == 0
        assert not greeted.exists()
        greeted.touch()
        os.utime(greeted, (time.time() - 7200, time.time() - 7200))
        assert asked.about("sshd") == SILENT
        assert asked.about("sshd") == SILENT


def test_each_daemon_of_the_administrators_is_asked_by_it() -> None:
    text = (ROOT / "overlays/management/services.yaml").read_text()
    assert text.count("ready: [/usr/local/libexec/exitisp/answers, ") == text.count("ready: ") == 4
