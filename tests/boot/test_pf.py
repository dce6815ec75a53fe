"""pf.conf as the proof reads it, and as pf itself does: the same packets pass.

The machine is a bridge, and pf looks at what enters and leaves its ports (if_bridge(4),
pfil_member). A frame that is sent to the port `METER`, which pf leaves alone, leaves by each other
port whose rules pass it; one that is sent to another port comes out of `METER` if it passed on its
way in. So rules alone decide over each packet, whatever its addresses: no routing table and no
socket is asked.
"""

import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from itertools import islice
from pathlib import Path

import pytest

from firstboot.site.verify.packets import Kind, Packet
from firstboot.site.verify.pf.evaluate import decision, passes
from firstboot.site.verify.pf.parser import parse
from firstboot.site.verify.pf.rules import Direction, Rule
from image import build, overlay
from image.download.cache import cache_folder
from image.inputs.base_sets import obtain
from qemu.console_patterns import LOGIN
from qemu.disk import Disk
from qemu.machine import Machine
from qemu.wire import Nic, Wire
from tests.boot import lan_packets, pf_packets, pf_rules
from tests.boot.conftest import BOOT, LOCK, ROOT, STICK, added, identify, transcripts
from tests.boot.pf_rules import INTERFACES, METER
from tests.boot.tap import Tap, tapped
from tests.firstboot.site.verify.random_packets import packets

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("pf")]

SETS, SEED = 42, 17
LEAVING, COMING = 120, 35
"""Packets of a rule set that are sent to `METER`, and to each other port: 10,920 in all sets."""

BURST = 60
"""Frames that are sent before the machine is waited for: fewer than its cards hold."""

NOBODY = bytes.fromhex("02005e10ffff")
"""An Ethernet address that no port has: the bridge sends frames for it everywhere."""

MARK = 0x88B5
"""A type of frames for experiments (IEEE 802), at which pf does not look. One comes after each
burst."""

WITHIN = 120.0
"""Seconds until a burst has passed a machine that is emulated on a busy host."""

Seen = dict[str, set[bytes]]
"""The tags of the frames that came out of each port."""


@dataclass(frozen=True)
class Bridge:
    box: Machine
    taps: Mapping[str, Tap]

    def load(self, name: str) -> None:
        self.box.shell.run(f"pfctl -q -F states && pfctl -q -f /testdata/pf/{name}", 240.0)

    def passed(self, port: str, sent: Mapping[bytes, Packet], mark: bytes) -> Seen:
        """Send packets to `port`, a burst, and see where they come out."""
        before = {name: len(tap.frames) for name, tap in self.taps.items()}
        for tag, packet in sent.items():
            frame = pf_packets.frame(packet, NOBODY, _far(port), tag)
            self.taps[port].send(frame)
        ethertype = MARK.to_bytes(2, "big")
        self.taps[port].send(NOBODY + _far(port) + ethertype + bytes(38) + mark)
        others = {name: tap for name, tap in self.taps.items() if name != port}
        deadline = time.monotonic() + WITHIN
        for name, tap in others.items():
            while not any(mark == frame[-len(mark) :] for frame in tap.frames[before[name] :]):
                assert time.monotonic() < deadline, f"nothing came from {port} to {name}"
                time.sleep(0.01)
        return {
            name: {frame[-pf_packets.TAG :] for frame in tap.frames[before[name] :]}
            for name, tap in others.items()
        }


def _far(port: str) -> bytes:
    """The Ethernet address of the other end of a port's wire."""
    return bytes.fromhex("02005e1003") + bytes([0x80 + int(port[-1])])


def write_overlay(folder: Path, texts: list[str]) -> overlay.Overlay:
    """Make an overlay with the rule sets in /testdata/pf, and with what a bridge needs."""
    for name, text in pf_rules.numbered(texts):
        path = folder / "files" / "testdata" / "pf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    loader = folder / "files" / "boot" / "loader.conf.d" / "bridge.conf"
    loader.parent.mkdir(parents=True)
    loader.write_text('bridgestp_load="YES"\nif_bridge_load="YES"\n')
    (folder / "overlay.yaml").write_text("description: Rule sets of pf, and a bridge.\n")
    return overlay.load(folder)


@cache
def texts() -> list[str]:
    return pf_rules.rule_sets(SETS, SEED)


CROWDS = (0, 190)
"""Neighbours at the exchange besides those of the example."""


@cache
def crowds() -> list[str]:
    return [pf_rules.crowded(count) for count in CROWDS]


@cache
def lan() -> str:
    return pf_rules.of_example(lan_packets.EXAMPLE)


@pytest.fixture(scope="module")
def bridge(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    folder = tmp_path_factory.mktemp("pf")
    overlays = [
        *overlay.load_all(ROOT / "overlays"),
        *added(sets),
        write_overlay(folder, [*texts(), *crowds(), lan()]),
    ]
    image = folder / "bridge.img"
    build.build(obtain(sets, LOCK, cache_folder()), overlays, image, cache_folder().parent)
    with ExitStack() as stack:
        taps, nics = {}, []
        for at, name in enumerate((*INTERFACES, METER)):
            wire = stack.enter_context(Wire())
            taps[name] = stack.enter_context(tapped(wire.b))
            nics.append(Nic(f"02:00:5e:10:03:{at:02x}", wire.a))
        disk = Disk(image, size=STICK)
        machine = Machine(disk, folder=transcripts(sets), nics=nics, memory=1024, name="pf")
        box = stack.enter_context(machine)
        box.console.expect(LOGIN, timeout=BOOT)
        box.shell.open_shell(timeout=BOOT)
        identify(box.shell)
        members = " ".join(f"addm {name}" for name in taps)
        up = " && ".join(f"ifconfig {name} -rxcsum -txcsum -lro up" for name in taps)
        box.shell.run(
            "sysctl net.link.bridge.pfil_member=1 net.link.bridge.pfil_bridge=0"
            " net.link.bridge.pfil_onlyip=0"
            f" && ifconfig bridge0 create && ifconfig bridge0 {members} up && {up}",
            240.0,
        )
        # It is on already, where a box has no site yet.
        box.shell.run("pfctl -q -e 2>/dev/null; pfctl -s info | grep -q '^Status: Enabled'")
        yield Bridge(box, taps)


@dataclass(frozen=True)
class Case:
    """A packet at an interface, and the rule that decides over it there, as the proof has it."""

    tag: bytes
    packet: Packet
    interface: str
    direction: Direction
    rule: Rule

    @property
    def passes(self) -> bool:
        return passes(self.rule) and not pf_packets.is_refused(self.packet)

    def came(self, seen: Seen) -> bool:
        way_out = METER if self.direction is Direction.IN else self.interface
        return self.tag in seen[way_out]


@pytest.mark.parametrize("at", range(SETS))
def test_pf_passes_what_the_proof_says_and_nothing_else(bridge: Bridge, at: int) -> None:
    name, text = list(pf_rules.numbered(texts()))[at]
    rules, mistakes = parse(text)
    assert mistakes == []
    bridge.load(name)
    draw = random.Random(at)
    names = pf_packets.tags(draw)
    used: set[pf_packets.Flow] = set()
    wrong: list[str] = []
    verdicts = set()
    for port, count in ((METER, LEAVING), *((name, COMING) for name in INTERFACES)):
        leaves = port == METER
        direction = Direction.OUT if leaves else Direction.IN
        drawn = packets(rules, draw, "" if leaves else port, direction)
        fresh = islice(pf_packets.without_states(drawn, used), count)
        while burst := list(islice(fresh, BURST)):
            cases = [
                Case(tag, packet, interface, direction, rule)
                for packet in burst
                for tag in [next(names)]
                for interface in (INTERFACES if leaves else (port,))
                if (rule := decision(rules, interface, direction, packet))
            ]
            assert len(cases) == len(burst) * (len(INTERFACES) if leaves else 1)
            seen = bridge.passed(port, {case.tag: case.packet for case in cases}, next(names))
            # A frame may be lost on its way. What pf blocked made no state, so it is blocked again.
            if lost := [case for case in cases if case.passes and not case.came(seen)]:
                again = {case.tag: case.packet for case in lost}
                for way_out, tags in bridge.passed(port, again, next(names)).items():
                    seen[way_out] |= tags
            verdicts |= {case.passes for case in cases}
            wrong += [
                f"{case.direction.value} on {case.interface}: {case.packet} "
                f"{'is blocked' if case.passes else 'passes'} against line {case.rule.line}: "
                f"{text.splitlines()[case.rule.line - 1]}"
                for case in cases
                if case.came(seen) is not case.passes
            ]
    assert wrong == []
    assert verdicts == {True, False}


MOST = 40
"""Rules that pf looks at for a packet of a relay, at one interface."""

RELAY, FAR = (int(ip_address(one)) for one in ("198.51.100.12", "9.9.9.9"))


def test_a_relays_packets_are_compared_with_few_rules_however_many_neighbours_there_are(
    bridge: Bridge,
) -> None:
    ways = {
        METER: Packet(4, Kind.TCP, (RELAY, FAR, 40_000, 443, pf_packets.ACK)),
        INTERFACES[0]: Packet(4, Kind.TCP, (FAR, RELAY, 443, 40_000, pf_packets.ACK)),
    }
    numbered = list(pf_rules.numbered([*texts(), *crowds()]))[SETS:]
    looked = {
        way: [_looks(bridge, name, way, packet) for name, _ in numbered]
        for way, packet in ways.items()
    }
    for few, many in looked.values():
        assert many == few
    # A packet that leaves is seen at each of the interfaces, one that comes in at its own first.
    assert looked[METER][0] <= MOST * len(INTERFACES)
    assert looked[INTERFACES[0]][0] <= MOST * len(INTERFACES)


def _looks(bridge: Bridge, name: str, way: str, packet: Packet) -> int:
    """How many rules pf compares `packet` with that is sent to the port `way`."""
    bridge.load(name)
    draw = pf_packets.tags(random.Random(way))
    bridge.box.shell.run("pfctl -q -z")
    seen = bridge.passed(way, {next(draw): packet}, next(draw))
    assert any(seen.values())
    said = bridge.box.shell.run("pfctl -vsr", 240.0).text
    return sum(map(int, re.findall(r"Evaluations: (\d+)", said)))


def _load_lan(bridge: Bridge) -> None:
    *_, (name, _) = pf_rules.numbered([*texts(), *crowds(), lan()])
    bridge.load(name)


def test_strangers_reach_of_machines_on_a_lan_what_the_site_says(bridge: Bridge) -> None:
    _load_lan(bridge)
    draw = pf_packets.tags(random.Random(5))
    sent = {next(draw): said for said in lan_packets.SAID}
    packets_by_tag = {tag: said.packet for tag, said in sent.items()}
    seen = bridge.passed(lan_packets.TRANSIT, packets_by_tag, next(draw))
    # A frame may be lost on its way. What pf blocked made no state, so it is blocked again.
    again = bridge.passed(lan_packets.TRANSIT, packets_by_tag, next(draw))
    came = {tag: tag in seen[METER] | again[METER] for tag in sent}
    wrong = [said.what for tag, said in sent.items() if came[tag] is not said.comes_in]
    assert wrong == []
    # The LAN's own port lets it out as well, and no other port does.
    behind = {tag: tag in seen[lan_packets.LAN] | again[lan_packets.LAN] for tag in sent}
    assert behind == came


def test_an_answer_to_a_machine_on_a_lan_comes_in_because_it_asked(bridge: Bridge) -> None:
    _load_lan(bridge)
    draw = pf_packets.tags(random.Random(6))
    for question in lan_packets.QUESTIONS:
        early, asked, late = (next(draw) for _ in range(3))
        back = lan_packets.answer(question)
        seen = bridge.passed(lan_packets.TRANSIT, {early: back}, next(draw))
        assert early not in seen[METER]
        seen = bridge.passed(METER, {asked: question}, next(draw))
        assert asked in seen[lan_packets.TRANSIT]
        seen = bridge.passed(lan_packets.TRANSIT, {late: back}, next(draw))
        assert late in seen[METER]
