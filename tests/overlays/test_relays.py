"""The scripts of the relays, with stand-ins for Tor: relays whose addresses change."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.box_programs import search
from tests.firstboot.site.daemons.sites import ROOT

SCRIPT = ROOT / "overlays/tor/files/etc/rc.d/exitisp_relays"
FAMILY = ROOT / "overlays/tor/files/usr/local/libexec/exitisp/family"

RC_SUBR = """\
warn() { echo "WARNING: $*" >&2; }
load_rc_config() { exitisp_relays_list="relay1 relay2 relay3"; }
wait_for_pids() { while kill -0 "$@" 2>/dev/null; do sleep 0.1; done; }
run_rc_command() { eval "\\${${1}_cmd}"; }
"""

TOR = f"""\
#!{sys.executable} -IS
import os, signal, sys
from pathlib import Path
here = Path(sys.argv[0]).parent
relay = sys.argv[3].rpartition("@")[2]

def log(what):
    with (here / "log").open("a") as file:
        print(what, relay, file=file)

log("start")
if (here / f"broken-{{relay}}").exists():
    sys.exit(1)
signal.signal(signal.SIGHUP, lambda *_: log("hup"))
signal.signal(signal.SIGINT, lambda *_: (log("int"), os._exit(0)))
if pid := os.fork():
    Path(sys.argv[5]).write_text(f"{{pid}}\\n")
    os._exit(0)
os.dup2(os.open(os.devnull, os.O_RDWR), 1)
os.dup2(1, 2)
while True:
    signal.pause()
"""

STAND_INS = {
    "tor": TOR,
    "setfib": '#!/bin/sh\nshift 2\nexec "$@"\n',
    "pgrep": '#!/bin/sh\nkill -0 $(cat "$2") 2>/dev/null\n',
    "procstat": "#!/bin/sh\necho '1 tor HUP --C'\n",
    "fetch": "#!/bin/sh\nexit 0\n",
    "jls": "#!/bin/sh\nexit 0\n",
    "install": "#!/bin/sh\nexit 0\n",
}


@dataclass(frozen=True)
class Relays:
    folder: Path

    def run(self, command: str) -> str:
        ran = subprocess.run(
            ["sh", self.folder / "script", command],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": f"{self.folder}:{search()}", "here": str(self.folder)},
        )
        return ran.stdout

    def has(self, relay: str, address: str) -> None:
        path = self.folder / f"torrc@{relay}"
        path.write_text(f"ORPort {address}:443\nNickname {relay}\n")

    def log(self, least: int = 0) -> list[str]:
        """What was logged since the last look. Signals are on their way when a script has ended, so
        it waits for the `least` that have to come."""
        for _ in range(600):
            found = (self.folder / "log").read_text().splitlines()
            if len(found) >= least:
                break
            time.sleep(0.1)
        (self.folder / "log").write_text("")
        return found

    def pids(self) -> dict[str, str]:
        return {one.stem: one.read_text() for one in self.folder.glob("run/*.pid")}


@pytest.fixture
def relays(tmp_path: Path) -> Iterator[Relays]:
    """Three that run."""
    (tmp_path / "run").mkdir()
    (tmp_path / "rc.subr").write_text(RC_SUBR)
    text = SCRIPT.read_text()
    for old, new in (
        ("/etc/rc.subr", f"{tmp_path}/rc.subr"),
        ("/usr/local/bin/tor", f"{tmp_path}/tor"),
        ("/usr/local/etc/tor", str(tmp_path)),
        ("/var/run/tor", f"{tmp_path}/run"),
        ("/usr/local/libexec/exitisp/family", f"{tmp_path}/declare"),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "script").write_text(text)
    family = FAMILY.read_text().replace("/var/run/exitisp", str(tmp_path))
    (tmp_path / "declare").write_text(family.replace("/data/tor", f"{tmp_path}/data"))
    (tmp_path / "declare").chmod(0o755)
    for name, does in STAND_INS.items():
        (tmp_path / name).write_text(does)
        (tmp_path / name).chmod(0o755)
    found = Relays(tmp_path)
    for number in (1, 2, 3):
        found.has(f"relay{number}", f"198.51.100.{number}")
    found.run("launch")
    found.log()
    yield found
    for pid in found.pids().values():
        subprocess.run(["kill", "-KILL", pid.strip()], check=False, capture_output=True)


def test_relays_that_keep_their_addresses_read_their_files_again(relays: Relays) -> None:
    before = relays.pids()
    assert relays.run("reload") == ""
    assert relays.pids() == before


def test_relays_whose_addresses_change_are_restarted_one_after_the_other(relays: Relays) -> None:
    before = relays.pids()
    relays.has("relay1", "198.51.100.11")
    relays.has("relay3", "198.51.100.13")
    said = relays.run("reload")
    assert said.count("whose addresses change") == 2
    steps = [one for one in relays.log() if not one.startswith("hup")]
    assert steps == ["int relay1", "start relay1", "int relay3", "start relay3"]
    changed = {name for name, pid in relays.pids().items() if pid != before[name]}
    assert changed == {"relay1", "relay3"}
    assert "whose addresses change" not in relays.run("reload")


def test_one_that_does_not_come_back_leaves_the_others_alone(relays: Relays) -> None:
    for number in (1, 3):
        relays.has(f"relay{number}", f"198.51.100.1{number}")
    (relays.folder / "broken-relay1").touch()
    relays.run("reload")
    assert relays.pids().keys() == {"relay2", "relay3"}


def started(relays: Relays, relay: str, line: str) -> Path:
    """Tor has written who `relay` is."""
    path = relays.folder / f"data/{relay}/fingerprint"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line)
    return path


def declared(relays: Relays) -> list[str]:
    return (relays.folder / "family/relays.conf").read_text().splitlines()


ONE, TWO, THREE = (letter * 40 for letter in "1AF")


def test_relays_declare_each_other_and_read_it_when_it_is_news(relays: Relays) -> None:
    started(relays, "relay1", f"ExampleExit1 {ONE}\n")
    relays.run("family")
    assert declared(relays) == [f"MyFamily {ONE}"]
    assert sorted(relays.log(3)) == ["hup relay1", "hup relay2", "hup relay3"]
    relays.run("family")
    assert relays.log() == []
    started(relays, "relay2", f"ExampleExit2 {TWO}\n")
    relays.run("family")
    assert declared(relays) == [f"MyFamily {ONE}", f"MyFamily {TWO}"]


def test_what_a_relay_writes_of_itself_never_becomes_another_line_of_a_torrc(
    relays: Relays,
) -> None:
    started(relays, "relay1", f"ExampleExit1 {ONE}\nUser root\n")
    started(relays, "relay2", f"Exit {TWO} Log debug file /etc/x\n")
    started(relays, "relay3", f"User root\nExampleExit3 {THREE}\n")
    relays.run("family")
    assert declared(relays) == [f"MyFamily {ONE}"]
    other = started(relays, "elsewhere", f"ExampleExit3 {THREE}\n")
    path = relays.folder / "data/relay3/fingerprint"
    path.unlink()
    path.symlink_to(other)
    os.mkfifo(relays.folder / "data/relay2/pipe")
    (relays.folder / "data/relay2/pipe").replace(relays.folder / "data/relay2/fingerprint")
    relays.run("family")
    assert declared(relays) == [f"MyFamily {ONE}"]


def test_a_relay_that_waits_for_its_new_address_is_not_told_of_its_family(relays: Relays) -> None:
    """SIGHUP would end it: it cannot bind a low port any more."""
    started(relays, "relay1", f"ExampleExit1 {ONE}\n")
    relays.has("relay2", "198.51.100.12")
    relays.run("family")
    assert sorted(relays.log(2)) == ["hup relay1", "hup relay3"]
