"""The rendered resolver with a small DNS: what it believes, what it tells authoritative servers,
and which addresses it asks from."""

from dataclasses import dataclass

import pytest

from firstboot.core.values import Address
from firstboot.site.model import PortRole
from qemu.world.packets import IPV4, IPV6, TCP, UDP, Packet
from tests.live import nameservers
from tests.live.appliance import UNBOUND, Answer, Unbound, changed, for_linux
from tests.live.conftest import Worlds
from tests.live.nameservers import ANSWER, LEAVES, NEAR, ROOT, TOP
from tests.live.world import PLAN, SITE, Surroundings

MINIMISED = r"qname-minimisation: yes"
FAR_ALONE = r"(?m)^  do-not-query-address: .*\n"


@dataclass(frozen=True)
class Lab:
    surroundings: Surroundings
    unbound: Unbound

    @classmethod
    def start(cls, worlds: Worlds, *without: tuple[str, str]) -> "Lab":
        """Start a resolver and servers for it to ask. `without` is what `changed` replaces in its
        configuration."""
        surroundings = worlds.make()
        surroundings.raise_ports()
        zones = nameservers.serve(surroundings)
        text = for_linux(UNBOUND, zones)
        for pattern, replacement in without:
            text = changed(text, pattern, replacement)
        return cls(surroundings, Unbound.among(surroundings, text))

    def questions(self) -> list[Packet]:
        """Return every packet to port 53 that has left the ports so far."""
        ports = self.surroundings.ports
        return [
            frame.packet
            for role, capture in self.surroundings.captures.items()
            for frame in capture.settle(ports[role])
            if frame.ethertype in (IPV4, IPV6)
            and frame.packet.protocol in (TCP, UDP)
            and frame.packet.ports[1] == 53
        ]

    def asked(self, servers: tuple[Address, ...]) -> list[str]:
        """Return the names that these servers were asked for, in order."""
        return [
            packet.question[0]
            for packet in self.questions()
            if packet.destination in servers and packet.protocol == UDP
        ]


def labels(name: str) -> int:
    return name.rstrip(".").count(".") + 1


@pytest.fixture(scope="module")
def lab(worlds: Worlds) -> Lab:
    return Lab.start(worlds)


@pytest.mark.xdist_group("live-dns")
class TestRenderedResolver:
    def test_says_that_a_signed_answer_is_authentic(self, lab: Lab) -> None:
        assert lab.unbound.ask("www.signed.example") == Answer("NOERROR", True, (ANSWER,))

    def test_says_that_a_missing_name_of_a_signed_zone_is_authentically_missing(
        self, lab: Lab
    ) -> None:
        assert lab.unbound.ask("missing.signed.example") == Answer("NXDOMAIN", True, ())

    def test_answers_for_unsigned_zones_without_saying_so(self, lab: Lab) -> None:
        assert lab.unbound.ask("www.unsigned.example") == Answer("NOERROR", False, (ANSWER,))

    @pytest.mark.parametrize("zone", ["bogus", "expired"])
    @pytest.mark.parametrize("option", [(), ("-o", "CD")], ids=["", "checking disabled"])
    def test_fails_for_zones_that_do_not_validate(
        self, lab: Lab, zone: str, option: tuple[str, ...]
    ) -> None:
        """This holds too if the client does not want validation (ignore-cd-flag)."""
        assert lab.unbound.ask(f"www.{zone}.example", *option) == Answer("SERVFAIL", False, ())

    def test_asks_from_its_own_addresses_alone(self, lab: Lab) -> None:
        for zone in ("signed", "unsigned", "bogus"):
            lab.unbound.ask(f"source.{zone}.example")
        questions = [packet for packet in lab.questions() if packet.protocol == UDP]
        assert {packet.source for packet in questions} == set(PLAN.resolver)

    def test_asks_from_its_own_addresses_where_it_takes_tcp(self, lab: Lab) -> None:
        for zone in ("signed", "unsigned"):
            assert len(lab.unbound.ask(f"large.{zone}.example", "-t").data) == 128
        streams = [packet for packet in lab.questions() if packet.protocol == TCP]
        asking = {packet.source for packet in streams if packet.destination in LEAVES}
        assert asking == set(PLAN.resolver)

    def test_tells_the_top_level_domain_no_more_than_the_zone(self, lab: Lab) -> None:
        lab.unbound.ask("a.secret.deep.signed.example")
        asked = lab.asked(TOP)
        assert "signed.example." in asked
        assert all(labels(name) <= 2 for name in asked)
        assert "a.secret.deep.signed.example." in lab.asked(LEAVES)

    def test_listens_on_the_lan_and_on_loopback_alone(self, lab: Lab) -> None:
        lan = {i.ip for p in SITE.ports if p.role is PortRole.LAN for i in p.addresses}
        listens = lab.unbound.listens()
        assert {address for address in listens if not address.is_loopback} == lan
        assert {address.version for address in listens - lan} == {4, 6}


@pytest.mark.xdist_group("live-dns")
def test_while_the_clock_is_years_off_only_its_own_servers_are_found(worlds: Worlds) -> None:
    lab = Lab.start(
        worlds,
        (r'domain-insecure: "0\.freebsd\.pool\.ntp\.org"', 'domain-insecure: "www.signed.example"'),
        (r"harden-glue: yes", 'harden-glue: yes\n  val-override-date: "20500101000000"'),
    )
    assert lab.unbound.ask("www.signed.example") == Answer("NOERROR", False, (ANSWER,))
    assert lab.unbound.ask("a.deep.signed.example") == Answer("SERVFAIL", False, ())


@pytest.mark.xdist_group("live-dns")
class TestNeighbour:
    def test_is_not_asked_for_a_zone_that_names_it(self, lab: Lab) -> None:
        assert lab.unbound.ask("www.near.example") == Answer("SERVFAIL", False, ())
        assert "near.example." in lab.asked(TOP)
        assert lab.asked(NEAR.servers) == []

    def test_is_asked_where_nothing_forbids_it(self, worlds: Worlds) -> None:
        """This shows that the test above would fail."""
        lab = Lab.start(worlds, (FAR_ALONE, ""))
        lab.surroundings.rack.run(*lab.unbound.question("www.near.example"), check=False)
        assert lab.asked(NEAR.servers)


@pytest.mark.xdist_group("live-dns")
class TestRoot:
    def test_is_asked_for_top_level_domains_alone(self, worlds: Worlds) -> None:
        lab = Lab.start(worlds)
        assert lab.unbound.ask("a.secret.deep.signed.example").authentic
        asked = lab.asked(ROOT)
        assert "example." in asked
        assert all(labels(name) == 1 for name in asked)

    def test_sees_whole_names_without_minimisation(self, worlds: Worlds) -> None:
        """This shows that the test above would fail."""
        lab = Lab.start(worlds, (MINIMISED, "qname-minimisation: no"))
        assert lab.unbound.ask("a.secret.deep.signed.example").authentic
        assert "a.secret.deep.signed.example." in lab.asked(ROOT)
