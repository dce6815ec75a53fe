"""Any site file becomes the site of a lab, and what had to be left out is said."""

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from firstboot.core.values import Asn
from firstboot.site.address_plan import allot
from firstboot.site.alarms import destinations
from firstboot.site.check import examine, examine_text
from firstboot.site.model import (
    Alarm,
    Peer,
    PeerRole,
    Policy,
    Port,
    PortRole,
    RelayPolicy,
    Routes,
    Site,
    load,
)
from firstboot.site.writer import compose
from qemu.lab.administrator import public_key
from qemu.lab.appliance import plain, typed
from qemu.lab.conversation import asked, without_papers
from qemu.lab.lab_site import EXAMPLE, MOST_PEERS, MOST_PORTS, SITE, Fitted, feed, fitted
from qemu.lab.lab_site import read as read_site
from qemu.lab.made_up import made_up
from qemu.world.post import pin
from qemu.world.topology import lay_out

EXAMPLES = sorted(EXAMPLE.parent.glob("*.yaml"))
CASES = sorted(Path(__file__).resolve().parents[4].glob("shared/cases/sites/*.yaml"))
ONE = load(EXAMPLE.with_stem("one-port-of-each")).value

DEFAULT_ROUTE = load(EXAMPLE.with_stem("default-route")).value
SECRET = "T0KEN"
ALARMED = replace(
    DEFAULT_ROUTE,
    alarm=Alarm(
        replace(DEFAULT_ROUTE.alarm.mail, port=2525, user="exit", password=SECRET),
        replace(DEFAULT_ROUTE.alarm.webhook, url=f"https://hooks.example.org:8443/{SECRET}"),
    ),
)
POST, ROUTER6 = "11.250.9.10", ip_address("2001:db8:300::1")


def lab_site(site: Site) -> Fitted:
    return fitted(site, "eth{}")


def crowded(peers: int, transits: int = 1) -> Site:
    """A site with so many peers at its exchange and so many transits at ports of their own."""
    exchange = next(port for port in SITE.ports if port.role is PortRole.EXCHANGE)
    management = next(port for port in SITE.ports if port.role is PortRole.MANAGEMENT)
    ports = [
        Port(f"t{n}", f"ix{n}", PortRole.TRANSIT, (ip_interface(f"192.0.2.{4 * n + 1}/30"),))
        for n in range(transits)
    ]
    upstreams = [
        Peer(f"up{n}", Asn(3000 + n), PeerRole.TRANSIT, (ip_address(f"192.0.2.{4 * n + 2}"),))
        for n in range(transits)
    ]
    others = [
        Peer(f"peer{n}", Asn(2000 + n), PeerRole.PEER, (ip_address(f"203.0.113.{20 + n}"),))
        for n in range(peers)
    ]
    return replace(SITE, ports=(*ports, exchange, management), peers=(*others, *upstreams))


@pytest.mark.parametrize("path", [*EXAMPLES, *CASES], ids=lambda path: path.stem)
def test_a_world_is_laid_out_around_every_sound_site(path: Path) -> None:
    if path in CASES and examine(path).errors:
        pytest.skip("the site has errors")
    site = read_site(path)
    found = lab_site(site).site
    topology = lay_out(found)
    beside = {peer.name for peer in site.peers if peer is not site.twin}
    assert {peer.name for peer in topology.peers} == beside
    assert bool(topology.providers) == site.provided
    assert [port.device for port in found.ports] == [f"eth{n}" for n in range(len(site.ports))]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_site_of_the_lab_is_as_sound_as_its_file(path: Path) -> None:
    examined = examine_text(compose(lab_site(read_site(path)).site).encode(), path.name)
    assert examined.errors == 0, [one.reason for one in examined.findings]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_what_the_wizard_does_not_ask_is_typed_whole(path: Path) -> None:
    site = lab_site(read_site(path)).site
    examined = examine_text(f"{plain(site)}\n".encode(), path.name)
    assert examined.site is not None
    assert examined.site.value == site


def test_the_wizard_asks_for_all_of_the_lab_s_own_site_and_not_for_what_is_blocked() -> None:
    assert asked(SITE) == without_papers(SITE)
    blocks = load(EXAMPLE.with_stem("relays-only")).value
    assert blocks.relays.block
    assert asked(blocks) != without_papers(blocks)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_addresses_and_neighbours_are_those_of_the_file(path: Path) -> None:
    site = read_site(path)
    found, whole = allot(lab_site(site).site), allot(site)
    assert found.resolver == whole.resolver
    assert found.router == whole.router
    if not site.provided:
        assert [one.source for one in found.relays] == [one.source for one in whole.relays[:2]]
    assert [(one.remote, one.local) for one in found.sessions] == [
        (one.remote, one.local) for one in whole.sessions
    ]


def test_twenty_peers_are_all_there() -> None:
    site = crowded(MOST_PEERS - 1)
    result = lab_site(site)
    assert [peer.name for peer in result.site.peers] == [peer.name for peer in site.peers]
    assert not [cut for cut in result.cuts if "peers are there" in cut]
    assert len(lay_out(result.site).peers) == MOST_PEERS


def test_more_are_cut_down_and_named_and_each_role_stays() -> None:
    result = lab_site(crowded(MOST_PEERS + 3))
    names = [peer.name for peer in result.site.peers]
    assert len(names) == MOST_PEERS
    assert "up0" in names
    assert any(f"{MOST_PEERS} of 24 peers are there" in cut for cut in result.cuts)
    assert any("peer19, peer20, peer21, peer22" in cut for cut in result.cuts)


def test_a_port_without_peers_is_left_out_with_them() -> None:
    result = lab_site(crowded(0, MOST_PORTS + 4))
    assert len(result.site.peers) == MOST_PEERS
    assert len(result.site.ports) <= MOST_PORTS
    sessions = {one.port.name for one in allot(result.site).sessions}
    transits = {port.name for port in result.site.ports if port.role is PortRole.TRANSIT}
    assert transits == sessions
    assert sum("left out" in cut for cut in result.cuts) == 2


def test_many_transits_announce_no_more_together_than_a_few() -> None:
    assert feed(SITE) == (300, 100)
    assert feed(crowded(2, 10)) == (60, 20)
    defaults = [replace(one, routes=Routes.DEFAULT) for one in SITE.peers]
    assert feed(replace(SITE, peers=tuple(defaults))) == (300, 100)


def test_a_limit_that_the_world_would_break_is_left_out_and_said() -> None:
    peers = [replace(one, max_prefix=60) for one in SITE.peers]
    result = lab_site(replace(SITE, peers=tuple(peers)))
    assert {one.max_prefix for one in result.site.peers} == {None}
    assert any("max_prefix is left out: upstream-a" in cut for cut in result.cuts)
    defaults = load(EXAMPLE.with_stem("default-route")).value
    assert lab_site(defaults).site.peers[0].max_prefix == 10


def test_no_secret_of_the_file_is_in_the_lab() -> None:
    site = read_site(EXAMPLE)
    secrets = {peer.md5 for peer in site.peers if peer.md5}
    found = lab_site(site).site
    assert secrets
    assert not secrets & {peer.md5 for peer in found.peers}
    assert {bool(peer.md5) for peer in found.peers} == {True, False}
    assert made_up("a") != made_up("b")


def test_policies_of_relays_that_run_stay() -> None:
    policies = (RelayPolicy((2, 5), Policy.WEB), RelayPolicy((4,), Policy.DEFAULT))
    site = replace(ONE, relays=replace(ONE.relays, policies=policies))
    assert lab_site(site).site.relays.policies == (RelayPolicy((2,), Policy.WEB),)


def test_alarms_go_to_the_world_at_the_site_s_ports_with_secrets_of_the_lab() -> None:
    site = ALARMED
    result = lab_site(site)
    mail, webhook = result.site.alarm.mail, result.site.alarm.webhook
    (to_mail, to_webhook) = destinations(result.site)
    assert {str(one.address) for one in (to_mail, to_webhook)} == {POST}
    assert [one.port for one in (to_mail, to_webhook)] == [2525, 8443]
    assert [one.certificate for one in (to_mail, to_webhook)] == [pin(), pin()]
    assert (mail.to, mail.user) == (site.alarm.mail.to, "exit")
    assert mail.password not in (None, site.alarm.mail.password)
    assert SECRET not in str(webhook.url)
    assert [cut for cut in result.cuts if "Alarms go to a mail relay and a web server" in cut]
    assert typed(result.site).alarm == Alarm()


def test_alarms_go_by_a_family_that_both_ways_have() -> None:
    ports = tuple(
        replace(port, addresses=(ip_interface("2001:db8:300::2/64"),), gateway=(ROUTER6,))
        if port.role is PortRole.MANAGEMENT
        else port
        for port in ALARMED.ports
    )
    found = lab_site(replace(ALARMED, ports=ports)).site
    assert {one.address and one.address.version for one in destinations(found)} == {6}
    assert str(found.alarm.webhook.url).startswith("https://[2d0f:")


def test_a_site_that_tells_nobody_stays_so() -> None:
    result = lab_site(read_site(EXAMPLE))
    assert result.site.alarm == Alarm()
    assert not [cut for cut in result.cuts if "larms" in cut]


def test_the_lab_logs_in_from_the_router_of_the_management_port() -> None:
    result = lab_site(ALARMED)
    management = result.site.management
    assert management.keys == (*ALARMED.management.keys, public_key())
    assert management.networks == ALARMED.management.networks
    assert [cut for cut in result.cuts if "a key of its own" in cut]
    far = replace(ALARMED.management, networks=(ip_network("10.0.0.0/8"),))
    found = lab_site(replace(ALARMED, management=far)).site.management
    assert found.networks == (ip_network("10.0.0.0/8"), ip_network("192.0.2.193/32"))


def test_nobody_logs_in_where_no_management_port_has_a_router() -> None:
    ports = tuple(replace(port, gateway=()) for port in ONE.ports)
    site = replace(ONE, ports=ports)
    assert lab_site(site).site.management == site.management


def test_a_site_without_a_transit_is_refused() -> None:
    peers = tuple(peer for peer in SITE.peers if peer.role is not PeerRole.TRANSIT)
    with pytest.raises(Refusal, match="no transit is at a port"):
        lab_site(replace(SITE, peers=peers))


def test_bundles_and_vlans_stay_where_the_kernel_speaks_lacp() -> None:
    site = load(EXAMPLE.with_stem("bundle")).value
    fit = fitted(site, "vtnet{}", bundles=True)
    assert not [cut for cut in fit.cuts if "bundle" in cut or "VLAN" in cut]
    assert [(one.device, one.members, one.vlan) for one in fit.site.ports] == [
        ("lagg0", ("vtnet0", "vtnet1"), 1203),
        ("lagg0", ("vtnet0", "vtnet1"), 1204),
        ("lagg1", ("vtnet2", "vtnet3"), None),
        ("lagg2", ("vtnet4", "vtnet5"), None),
        ("vtnet6", (), None),
    ]


def test_a_machine_without_room_for_all_cards_has_one_for_each_port() -> None:
    site = load(EXAMPLE.with_stem("bundle")).value
    many = tuple(f"ix{number}" for number in range(MOST_PORTS))
    exchange = replace(site.ports[2], members=many)
    wide = replace(site, ports=(*site.ports[:2], exchange, *site.ports[3:]))
    (cut,) = (one for one in fitted(wide, "vtnet{}", bundles=True).cuts if "(lagg1)" in one)
    assert cut == "A bundle (lagg1) is one card: the machine has room for 24 cards."


def test_bundles_vlans_and_large_packets_are_said() -> None:
    cuts = lab_site(load(EXAMPLE.with_stem("bundle")).value).cuts
    assert any("lagg0" in cut for cut in cuts)
    assert any("transit-a, transit-b" in cut for cut in cuts)
    large = replace(ONE, ports=tuple(replace(port, mtu=9000) for port in ONE.ports))
    assert any("1500 bytes at transit" in cut for cut in lab_site(large).cuts)


def test_a_site_with_errors_is_printed_and_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(EXAMPLE.read_text().replace("asn: 64496", "asn: 64512", 1))
    with pytest.raises(Refusal, match="the site has 1 error"):
        read_site(path)
    assert "peers[0].asn" in capsys.readouterr().out


def test_what_needs_no_cut_is_not_cut() -> None:
    small = lab_site(ONE).site
    assert lab_site(small) == Fitted(small)
