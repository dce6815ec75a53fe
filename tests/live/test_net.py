"""Worlds of network namespaces begin empty, and leave nothing behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qemu.world.net import Unable, World, wait
from qemu.world.packets import ARP, IPV6, SOLICITATION
from qemu.world.recording import Capture

ROOT = Path(__file__).parents[2]

CRASH = """\
import sys, time
from pathlib import Path
from qemu.world.net import World
with World(Path(sys.argv[1])) as world:
    party = world.party("somebody")
    party.start("daemon", "sleep", "86400")
    party.start("stubborn", "sh", "-c", "trap '' TERM INT HUP; sleep 86401; sleep 86402")
    print(world.namespace, flush=True)
    time.sleep(86403)
"""

SEND = """\
import socket, sys
for address in sys.argv[1:]:
    (family, *_), = socket.getaddrinfo(address, 9, type=socket.SOCK_DGRAM)
    socket.socket(family, socket.SOCK_DGRAM).sendto(b"?", (address, 9))
"""


def members(namespace: str) -> list[Path]:
    """Return the processes in a PID namespace."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "ns" / "pid").readlink()) == namespace:
                found.append(process)
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return found


def test_a_world_ends_with_a_test_that_is_killed(tmp_path: Path) -> None:
    with World(tmp_path):
        pass  # or skip here, with the reason
    test = subprocess.Popen(
        [sys.executable, "-c", CRASH, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert test.stdout is not None
    namespace = test.stdout.readline().strip()
    wait("its processes", lambda: len(members(namespace)) >= 4)
    test.send_signal(signal.SIGKILL)
    test.wait()
    wait("the end of them", lambda: not members(namespace))


def test_a_world_has_no_way_out(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        assert world.run("ip", "-4", "route", "show", "table", "all") == ""
        devices = world.run("ip", "-oneline", "link").splitlines()
        assert all("LOOPBACK" in device or "DOWN" in device for device in devices)


def test_a_capture_has_the_first_frame(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        one, other = (world.party(name).port("eth0") for name in ("one", "other"))
        world.wire(one, other)
        capture = Capture(other)
        other.up("192.0.2.2/30", "2001:db8::2/64")
        one.up("192.0.2.1/30", "2001:db8::1/64")
        one.party.run(sys.executable, "-c", SEND, "192.0.2.2", "2001:db8::2")
        wait("a search", lambda: any(frame.ethertype == ARP for frame in capture.settle(one)))
        wait(
            "a solicitation",
            lambda: (
                SOLICITATION
                in {frame.packet.kind for frame in capture.settle(one) if frame.ethertype == IPV6}
            ),
        )


def test_a_world_without_its_programs_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unable, match="Debian package util-linux"), World(tmp_path):
        pass
