"""A box measured from a machine beside it, with virtual cards."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from qemu.bench import generator, hardware
from qemu.bench.bench_setup import read
from qemu.bench.generator import ANSWERED, FLOWS, PASSED, SENT, TAKEN
from qemu.bench.hardware import Asked
from qemu.bench.rules import DISCARD
from qemu.bench.stand_in import serve
from qemu.world.net import Failed, Unable, World
from qemu.world.recording import Capture

ROOT = Path(__file__).parents[3]

SETUP = """\
lan: {device: v0, address: 198.51.100.2/24, box: 198.51.100.1}
transit: {device: v1, address: 192.0.2.1/30, box: 192.0.2.2}
resolver: 203.0.113.53
bgp: {asn: 64496, box_asn: 65550, routes: 500, md5: sesame, gtsm: yes}
seconds: 1
"""

SAID = """\
  Queries sent:         40
  Response codes:       NOERROR 30 (75.00%), SERVFAIL 10 (25.00%)
  Run time (s):         0.500000
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "wires.yaml"
    path.write_text(SETUP)
    return path


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("box: 198.51.100.1", "box: 198.51.101.1", r":1: 198.51.101.1 is no other address in"),
        ("box: 192.0.2.2", "box: 192.0.2.1", r":2: 192.0.2.1 is no other address in"),
        ("device: v1", "device: v0", r":2: v0 is the device of lan too"),
        ("203.0.113.53", "2001:db8::1", r":3: it is not IPv4"),
        ("198.51.100.2/24", "2001:db8::2/64", r":1: these are not IPv4 addresses"),
        ("seconds: 1", "seconds: 0", r":5: 0 is not between 1 and 600"),
        ("routes: 500", "routes: 5", r"5 is not between 100 and"),
        (SETUP.splitlines()[0], "", r":3: there is no lan to reach it by"),
        (SETUP.splitlines()[1], "", r":4: there is no transit to reach it by"),
        (SETUP, "seconds: 1\n", r":1: it names no network card"),
        (SETUP, SETUP.splitlines()[0], r":1: there is nothing to measure"),
        ("seconds", "second", r":5: the key .second. is unknown"),
    ],
)
def test_wires_that_cannot_be_are_refused_with_their_line(
    file: Path, old: str, new: str, told: str
) -> None:
    assert old in SETUP
    file.write_text(SETUP.replace(old, new))
    with pytest.raises(Refusal, match=told):
        read(file)


def test_packets_have_many_ports_so_that_all_queues_get_some() -> None:
    plain = bytes(range(64)) + bytes(14)
    made = {generator._from_port(plain, number) for number in range(FLOWS)}
    assert len(made) == FLOWS
    assert {len(one) for one in made} == {len(plain)}
    assert generator._words(b"\x01\xff") == "{ 0x01, 0xff }"


def test_only_good_answers_count() -> None:
    assert generator.answered(SAID) == 60.0
    with pytest.raises(Failed, match="no good answer"):
        generator.answered(SAID.replace("NOERROR", "REFUSED"))


def test_two_runs_are_compared_by_what_their_rounds_can_have() -> None:
    told = hardware.table(
        {PASSED.name: [90.0, 100.0, 110.0], SENT.name: [200.0] * 3, TAKEN.name: [3.0]},
        {PASSED.name: [100.0, 125.0, 200.0], TAKEN.name: [0.0]},
    )
    packets, sent, taken = told.splitlines()
    assert "100.0 (90.0-110.0)" in packets
    assert "0.80 (0.45-1.10)  a second" in packets
    assert sent.endswith("200.0 (200.0-200.0)  a second")
    assert taken.endswith("3.0 (3.0-3.0)  s, less is better")


def test_a_box_that_passes_all_may_be_faster_than_what_was_sent() -> None:
    assert "may be faster" in hardware.table({PASSED.name: [100.0], SENT.name: [100.0]}, {})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rounds": {"packets": "x"}}', '{"rounds": 3}'])
def test_a_file_without_figures_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(Refusal, match="it has no figures of bench --hardware"):
        hardware.figures(path)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[World]:
    """A machine of its own to measure from, so that no card of this one is touched."""
    for program in ("bird", "unbound", "trafgen", "dnsperf"):
        if not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            pytest.skip(f"no {program} here")
    folder = tmp_path / "machine"
    folder.mkdir()
    try:
        with World(folder) as world:
            yield world
    except Unable as reason:
        pytest.skip(str(reason))


def run(machine: World, code: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python in the machine's own namespace, not in one of a party."""
    return subprocess.run(
        machine.inside(sys.executable, "-c", code),
        input=typed,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )


@pytest.mark.xdist_group("world")
@pytest.mark.parametrize(
    ("commands", "told"),
    [
        ("ip link delete v0", "v0: there is no such device"),
        ("ip link set v0 up; ip route add default dev v0", "default route"),
        ("ip link set v0 up; ip -6 route add default dev v0", "default route"),
        ("ip address add 192.0.2.9/30 dev v0", "it has the address 192.0.2.9/30"),
        ("ip link add br0 type bridge; ip link set v0 master br0", "a part of something else"),
        ("ip link set v0 up", ""),
    ],
)
def test_a_card_that_is_in_use_is_refused(machine: World, commands: str, told: str) -> None:
    machine.run("sh", "-ec", f"ip link add v0 type veth peer name w0; {commands}")
    code = "from qemu.world.borrowed import check; check('v0'); print('taken')"
    done = run(machine, code)
    if told:
        assert "Refusal" in done.stderr
        assert told in done.stderr
    else:
        assert done.stdout == "taken\n"


@pytest.mark.xdist_group("world")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may move a network card")
def test_cards_are_taken_used_for_what_was_named_and_given_back(
    machine: World, file: Path, tmp_path: Path
) -> None:
    box = machine.party("box", forwarding=True)
    for device, port in (("v0", "lan"), ("v1", "transit")):
        end = ("peer", "name", port, "netns", "box")
        machine.run("ip", "link", "add", device, "type", "veth", *end)
    box.port("lan").up("198.51.100.1/24")
    box.port("transit").up("192.0.2.2/30")
    captures = [Capture(box.port(name)) for name in ("lan", "transit")]
    serve(box, read(file))
    output = tmp_path / "out" / "figures.json"
    code = (
        "from pathlib import Path; from qemu.bench import generator, hardware;"
        "hardware.ROUNDS = 1; generator.FLOWS = 4;"
        f"hardware.measure(hardware.Asked(Path('{file}'), Path('{output}')))"
    )
    refused = run(machine, code, "no\n")
    assert "yes was not typed" in refused.stderr
    assert not output.exists()
    done = run(machine, code, "yes\n")
    assert not done.returncode, done.stderr
    told = json.loads(output.read_text())
    assert told["virtual"] is False
    assert told["rounds"].keys() == {PASSED.name, SENT.name, ANSWERED.name, TAKEN.name}
    assert all(told["rounds"][one.name][0] > 0 for one in (PASSED, SENT, ANSWERED))
    assert "198.51" not in output.read_text()
    for device in ("v0", "v1"):
        (said,) = json.loads(machine.run("ip", "-j", "address", "show", "dev", device))
        assert "UP" not in said["flags"]
        assert not said["addr_info"]
    frames = [frame for capture in captures for frame in capture.frames() if frame.inbound]
    packets = [frame.packet for frame in frames if frame.ethertype in (0x0800, 0x86DD)]
    named = {ip_address(one) for one in ("198.51.100.1", "203.0.113.53", "192.0.2.1", "192.0.2.2")}
    assert {one.destination for one in packets} <= named
    assert sum(one.ports[1] == DISCARD for one in packets) > 100
    # BGP is spoken on port 179 of one of the two sides (RFC 4271).
    assert {one.ports[1] for one in packets if 179 not in one.ports} == {DISCARD, 53}


@pytest.mark.xdist_group("world")
def test_a_stand_in_takes_the_place_of_a_box(
    machine: World,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(hardware, "ROUNDS", 1)
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    hardware.measure(Asked(file, first, virtual=True))
    hardware.measure(Asked(file, second, virtual=True, against=first))
    assert json.loads(second.read_text())["virtual"] is True
    line = next(x for x in capsys.readouterr().out.splitlines()[::-1] if x.startswith(PASSED.name))
    assert line.count("(") == 3
