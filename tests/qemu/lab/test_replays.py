"""The lab's two replays with the box's daemons and the rehearsal's filter on this host: what the
box sees of each, what it keeps, and what the report says."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from firstboot.box.host import PATIENCE, Host, Ran
from firstboot.box.journal import noted
from firstboot.box.journal.entry import Kind, Note
from firstboot.box.journal.evidence import new
from firstboot.box.journal.noted import Seen
from firstboot.box.journal.senders import senders
from firstboot.box.reports import text
from firstboot.box.reports.incident import incidents, report
from firstboot.site.commands import BOX
from firstboot.site.model import PortRole
from firstboot.site.render import render
from image.rehearsal.build import program
from qemu.lab.appliance import Appliance
from qemu.lab.fault_actions import spoof
from qemu.lab.progress import Progress
from qemu.lab.session import Lab
from qemu.lab.systems import REHEARSAL
from qemu.world.egress_rule import rule
from qemu.world.internet import Internet
from qemu.world.net import wait
from tests.firstboot.box.reports.told import chained
from tests.image.rehearsal.test_system import SYSTEM
from tests.live.appliance import UNBOUND, Bgpd, Unbound, changed, for_linux
from tests.qemu.world.box import SITE, SITE_FILE, Box

pytestmark = pytest.mark.xdist_group("world")

PLAIN = replace(SITE, ports=tuple(replace(port, vlan=None) for port in SITE.ports))
"""The site as the stand-in has it: the cable adds the tags."""

(EXCHANGE,) = (port for port in PLAIN.ports if port.role is PortRole.EXCHANGE)
OUTGOING = "outgoing-interface"
ADDRESSES = [face.ip for face in EXCHANGE.addresses]


@dataclass(frozen=True, slots=True)
class Inside(Host):
    """Runs the programs of the box in the stand-in's namespace."""

    box: Box | None = None

    def run(self, *command: str, given: str | None = None, patience: float = PATIENCE) -> Ran:
        assert self.box
        return Host().run(*self.box.party.inside(*command), given=given, patience=patience)


@dataclass
class Replay:
    """A box that looks once before something happens and once after."""

    internet: Internet
    host: Inside
    before: Seen

    def look(self) -> Seen:
        failed = [
            one
            for one in SYSTEM.verdicts(PLAIN, (), self.host, SYSTEM.services)
            if not one.holds and one.what not in self.before.causes
        ]
        closed = next((one.reason for one in failed if one.leaks), "")
        return Seen(
            time.time() + 60,
            time.monotonic() + 60,
            {**self.before.causes, **{one.what: str(one) for one in failed}},
            "generation 1",
            not closed,
            closed,
            SYSTEM.leaks(self.host),
            "",
            SYSTEM.stopped(self.host),
        )

    def notes(self) -> tuple[Note, ...]:
        """What the journal gets of it."""
        last, _ = noted.compare(None, self.before)
        after = self.look()
        _, changes = noted.compare(last, after)
        found = new(
            last,
            after,
            lambda name: senders(PLAIN, SYSTEM.services, SYSTEM.sockets(self.host), name),
        )
        return (*changes, *found)

    def told(self, notes: tuple[Note, ...]) -> str:
        (found,) = incidents(chained(*notes))
        return " ".join(text.written(report(found, "AS65550")).split())


@pytest.fixture
def replay(internet: Internet, box: Box, bgpd: Bgpd, tmp_path: Path) -> Iterator[Replay]:
    program().write(tmp_path)
    files = {one.path: one.text for one in render(PLAIN, BOX, tmp_path / "overlays")}
    box.party.run("nft", "-f", "-", given=files["etc/rehearsal/nftables.conf"])
    host = Inside(box=box)
    # The stand-in's addresses are elsewhere than a box's, which is no part of these tests.
    wrong = {
        one.what: str(one)
        for one in SYSTEM.verdicts(PLAIN, (), host, SYSTEM.services)
        if not one.holds
    }
    before = Seen(
        time.time(), time.monotonic(), wrong, "generation 1", True, "",
        SYSTEM.leaks(host), "", SYSTEM.stopped(host),
    )  # fmt: skip
    try:
        yield Replay(internet, host, before)
    finally:
        box.party.run("nft", "flush", "ruleset")


def test_the_report_on_the_resolver_at_the_exchange_s_port_names_it_and_the_filter(
    internet: Internet, box: Box, replay: Replay
) -> None:
    folder = internet.world.folder
    (folder / "root.key").write_text(internet.trust.anchor)
    there = "".join(f"  {what}: {one}\n" for one in ADDRESSES for what in ("interface", OUTGOING))
    settings = changed(for_linux(UNBOUND, folder, SITE_FILE), "  root-hints: .*\n", "")
    settings = changed(settings, f"  {OUTGOING}: .*\n", "") + f"server:\n{there}"
    number = 1 + [port for port in PLAIN.ports if port.role.guarded].index(EXCHANGE)
    box.party.run("sh", "-c", REHEARSAL.open_filter.format(number=number, port=EXCHANGE.interface))
    since = {name: len(cable.settle()) for name, cable in internet.cables.items()}
    resolver = Unbound(box.party, settings, box.party, ADDRESSES[0])
    try:
        box.party.run(*resolver.question("www.good.example."), check=False)
        wait("packets that the filter stops", lambda: (SYSTEM.leaks(replay.host) or 0) > 5)
        found = replay.told(replay.notes())
    finally:
        resolver.daemon.stop()
    assert "Cause: A program of the box used an address that is not one of the box's own" in found
    assert f"(unbound listens on {ADDRESSES[0]} port 53" in found
    opened = f"(what leaves by {EXCHANGE.interface} passes by: meta l4proto {{ tcp, udp }}"
    assert f"the packet filter did not guard every port {opened}" in found
    assert "Packets may have left" in found
    assert "a port's" in found.partition("By which layer")[0]
    assert "Somebody sends" not in found
    for port in SITE.ports:
        if port.role.outside:
            sent = internet.cables[port.name].settle()[since[port.name] :]
            assert rule(SITE, port).strays(sent) == []


def test_the_report_on_a_campaign_of_others_says_that_nothing_left(
    internet: Internet, replay: Replay
) -> None:
    spoof(Lab(internet, cast(Appliance, None), SITE, Progress()))

    def answers() -> int:
        return sum(one.packets for one in SYSTEM.stopped(replay.host))

    # The rehearsal's filter counts SYN-ACKs alone, one for each SYN to the open port.
    wait("the answers", lambda: answers() >= 600)
    notes = replay.notes()
    assert {one.kind for one in notes} == {Kind.BACKSCATTER}
    found = replay.told(notes)
    assert "Somebody sends with this network's addresses." in found
    assert "Nothing of it left from this box" in found
    assert "Cause:" not in found
