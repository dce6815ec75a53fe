"""bgpd.conf: bgpd reads it, and it says what the site says."""

import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_interface, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstboot.box import blackhole, drain
from firstboot.core.values import Asn
from firstboot.site.address_plan import allot
from firstboot.site.community import Community
from firstboot.site.model import Peer, PeerRole, PortRole, Routes, Site
from firstboot.site.render import Box
from tests.firstboot.site.daemons.conftest import find, version
from tests.firstboot.site.daemons.sites import BOX, ROOT, WITH_BGP, example, files, varied

PATH = "etc/local/bgpd.conf"
INCLUDED = "/var/db/rpki-client/openbgpd"
SHIPPED = ROOT / "overlays" / "bgp" / "files" / INCLUDED[1:]
DRAINED = f"/{drain.RULES}"
NOTHING_BLACKHOLED = ROOT / "overlays" / "bgp" / "files" / blackhole.SET
NOBODY_DRAINED = ROOT / "overlays" / "bgp" / "files" / drain.RULES
TWO_TRANSITS = "two-transits-and-an-exchange"


@pytest.fixture(scope="session")
def bgpd() -> str:
    return find("bgpd", "openbgpd")


@pytest.fixture(scope="session")
def here(bgpd: str) -> Box:
    """The box as far as the installed bgpd is concerned."""
    major, minor = version(bgpd, "-V")[:2]
    return replace(BOX, openbgpd=(major, minor))


def conf(site: Site, box: Box = BOX) -> str:
    return files(site, "bgp", box)[PATH].text


def complaints(
    bgpd: str,
    text: str,
    included: Path = SHIPPED,
    drained: Path = NOBODY_DRAINED,
    blackholed: Path = NOTHING_BLACKHOLED,
) -> str:
    """What bgpd has to say about the configuration `text`; nothing if it accepts it."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        text = text.replace(INCLUDED, str(included)).replace(DRAINED, str(drained))
        file.write(text.replace(f"/{blackhole.SET}", str(blackholed)))
        file.flush()
        done = subprocess.run(
            [bgpd, "-n", "-f", file.name], capture_output=True, text=True, timeout=120
        )
    accepted = done.returncode == 0 and "configuration OK" in done.stderr
    return "" if accepted else done.stdout + done.stderr


def block(text: str, opening: str) -> list[str]:
    """The lines within the braces that `opening` is before."""
    lines = [line.strip() for line in text.splitlines()]
    start = lines.index(f"{opening} {{")
    return lines[start + 1 : lines.index("}", start)]


def rules(text: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line.startswith(("allow ", "deny ", "match "))]


def without_waiver(site: Site) -> Site:
    return replace(site, waivers={})


def with_peer(site: Site, change: Callable[[Peer], Peer]) -> Site:
    """`site` with its first peer changed."""
    return replace(site, peers=(change(site.peers[0]), *site.peers[1:]))


@pytest.mark.parametrize("name", WITH_BGP)
def test_bgpd_accepts_an_example(bgpd: str, here: Box, name: str) -> None:
    assert complaints(bgpd, conf(example(name), here)) == ""


@pytest.mark.parametrize("name", WITH_BGP)
def test_bgpd_accepts_an_example_whose_documentation_is_not_waived(
    bgpd: str, here: Box, name: str
) -> None:
    assert complaints(bgpd, conf(without_waiver(example(name)), here)) == ""


AS_TRANS = 23456
"""The stand-in for numbers of 32 bits (RFC 6793): neither the site's rules nor bgpd take it."""


ROLES = tuple(role for role in PeerRole if role is not PeerRole.TWIN)


def may_change(peer: Peer) -> bool:
    """Whether any other neighbour could be in a peer's place."""
    return peer.routes is Routes.FULL and peer.role is not PeerRole.TWIN


@st.composite
def peerings(draw: st.DrawFn) -> Site:
    """An example with other peers, ports, secrets and limits."""
    site = draw(varied(WITH_BGP))
    text = st.text(
        st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"), min_size=1
    )
    peers = tuple(
        replace(
            peer,
            name=draw(text),
            asn=Asn(draw(st.integers(1, 0xFFFFFFFF).filter(lambda asn: asn != AS_TRANS))),
            role=draw(st.sampled_from(ROLES if may_change(peer) else [peer.role])),
            md5=draw(st.none() | text.filter(lambda secret: len(secret) <= 80)),
            gtsm=draw(st.booleans()),
            max_prefix=draw(st.none() | st.integers(1, 2_000_000)),
        )
        for peer in site.peers
        if draw(st.booleans())
    )
    gone = draw(st.sampled_from([None, *PortRole]))
    ports = tuple(port for port in site.ports if port.role is not gone)
    waivers = draw(st.sampled_from([{}, site.waivers]))
    return replace(site, peers=peers, ports=ports, waivers=waivers)


@settings(max_examples=25)
@given(site=peerings())
def test_bgpd_accepts_what_is_rendered_for_any_site(bgpd: str, here: Box, site: Site) -> None:
    assert complaints(bgpd, conf(site, here)) == ""


def test_bgpd_refuses_a_configuration_whose_include_is_missing(
    bgpd: str, here: Box, tmp_path: Path
) -> None:
    """Hence the file that the image brings along."""
    text = conf(example(TWO_TRANSITS), here)
    assert "failed to include" in complaints(bgpd, text, tmp_path / "none")


def test_bgpd_accepts_what_rpki_client_writes(bgpd: str, here: Box, tmp_path: Path) -> None:
    written = tmp_path / "openbgpd"
    written.write_text("roa-set {\n\t192.0.2.0/24 source-as 64496\n}\n")
    assert complaints(bgpd, conf(example(TWO_TRANSITS), here), written) == ""


@pytest.mark.parametrize("name", WITH_BGP)
def test_bgpd_accepts_that_peers_are_drained(
    bgpd: str, here: Box, tmp_path: Path, name: str
) -> None:
    site = example(name)
    written = tmp_path / "drained"
    written.write_text(drain.rules(allot(site).sessions))
    assert complaints(bgpd, conf(site, here), drained=written) == ""


@pytest.mark.parametrize("community", ["65535:666", "64500:666:0"])
def test_bgpd_accepts_that_addresses_are_given_up(
    bgpd: str, here: Box, tmp_path: Path, community: str
) -> None:
    site = given_up(community)
    written = tmp_path / "blackholed"
    addresses = [scope.network_address + 1 for scope in site.scopes]
    written.write_text(blackhole.prefix_set(addresses))
    assert complaints(bgpd, conf(site, here), blackholed=written) == ""
    assert "network prefix-set blackholed set large-community local-as:1:2" in conf(site, here)


def given_up(community: str) -> Site:
    """An example whose first transit drops on request."""
    site = example(TWO_TRANSITS)
    first, *others = site.peers
    asked = replace(first, blackhole=Community.parse(community))
    return replace(site, peers=(asked, *others))


def test_addresses_are_given_up_to_transits_that_are_asked_and_to_nobody_else() -> None:
    site = given_up("64500:666:0")
    outward = [rule for rule in rules(conf(site)) if "local-as:1:2 set" in rule]
    assert outward == [
        f"allow to {remote} prefix {scope} prefixlen = {scope.max_prefixlen} large-community "
        "local-as:1:2 set { large-community 64500:666:0 }"
        for remote in site.peers[0].addresses
        for scope in site.scopes
        if scope.version == remote.version
    ]
    assert not [rule for rule in rules(conf(example(TWO_TRANSITS))) if "1:2" in rule]


def test_a_transit_may_hear_of_as_many_addresses_as_can_be_given_up() -> None:
    room = re.findall(r"max-prefix (\d+) out", conf(given_up("64500:666:0")))
    without = re.findall(r"max-prefix (\d+) out", conf(example(TWO_TRANSITS)))
    more = [int(new) - int(old) for new, old in zip(room, without, strict=True)]
    assert sorted(set(more)) == [0, blackhole.MOST]
    assert more.count(blackhole.MOST) == len(given_up("64500:666:0").peers[0].addresses)


def test_the_image_brings_along_that_nobody_is_drained_and_nothing_given_up() -> None:
    assert NOBODY_DRAINED.read_text() == drain.rules([])
    assert NOTHING_BLACKHOLED.read_text() == blackhole.prefix_set([])


@pytest.mark.parametrize("name", WITH_BGP)
def test_nothing_but_the_own_scopes_is_announced(name: str) -> None:
    """The published policy that leaked said `allow to PEER prefixlen 8 - 24`."""
    site = example(name)
    text = conf(site)
    outward = [rule for rule in rules(text) if re.match(r"\S+ (quick )?to ", rule)]
    deciding = [rule for rule in outward if not rule.startswith("match ")]
    deciding = [rule for rule in deciding if 'to group "twin"' not in rule]
    assert [rule for rule in deciding if "local-as:1:2" not in rule] == [
        "deny to any",
        "allow to ebgp prefix-set own large-community local-as:1:1",
    ]
    assert block(text, "prefix-set own") == [str(scope) for scope in site.scopes]
    networks = [line for line in text.splitlines() if line.startswith("network ")]
    assert networks[:1] == ["network prefix-set own set large-community local-as:1:1"]
    # Nobody else's route can have the mark of an own one.
    scrub = (
        "match from ebgp set { large-community delete local-as:*:* community delete local-as:* }"
    )
    assert scrub in rules(text)


@pytest.mark.parametrize("name", WITH_BGP)
def test_everything_is_denied_before_anything_is_allowed(name: str) -> None:
    found = rules(conf(example(name)))
    assert found[:2] == ["deny from any", "deny to any"]
    assert not any("quick" in rule for rule in found if not rule.startswith("deny"))


def test_what_must_be_refused_is_refused_at_once() -> None:
    found = rules(conf(example(TWO_TRANSITS)))
    refused = [rule for rule in found if "deny quick" in rule and " nexthop " not in rule]
    assert refused == [
        "deny quick from ebgp prefix-set own or-longer",
        "deny quick from ebgp prefix-set bogons",
        "deny quick from ebgp prefix-set exchanges",
        "deny quick from ebgp prefix { 0.0.0.0/0, ::/0 }",
        "deny quick from ebgp ovs invalid",
        "deny quick from ebgp avs invalid",
        "deny quick from ebgp AS 23456",
        "deny quick from ebgp AS 64512 - 65535",
        "deny quick from ebgp AS 65552 - 131071",
        "deny quick from ebgp AS 4200000000 - 4294967295",
        "deny quick from ebgp max-as-len 64",
        'deny quick from group "route-server" AS as-set tier1',
        'deny quick from group "route-server" AS as-set transits',
        'deny quick from group "peer" AS as-set tier1',
        'deny quick from group "peer" AS as-set transits',
    ]


def test_documentation_is_refused_unless_that_is_waived() -> None:
    site = replace(example(TWO_TRANSITS), scopes=(ip_network("198.51.100.0/24"),))
    waived, strict = conf(site), conf(without_waiver(site))
    assert "203.0.113.0/24 or-longer" not in block(waived, "prefix-set bogons")
    assert "203.0.113.0/24 or-longer" in block(strict, "prefix-set bogons")
    assert "deny quick from ebgp AS 64496 - 64511" not in rules(waived)
    assert "deny quick from ebgp AS 64496 - 64511" in rules(strict)
    assert "10.0.0.0/8 or-longer" in block(waived, "prefix-set bogons")


@pytest.mark.parametrize("name", WITH_BGP)
def test_own_scopes_are_no_bogons(name: str) -> None:
    site = without_waiver(example(name))
    bogons = [ip_network(line.split()[0]) for line in block(conf(site), "prefix-set bogons")]
    assert not any(bogon.overlaps(scope) for bogon in bogons for scope in site.scopes)


@pytest.mark.parametrize("name", WITH_BGP)
def test_every_address_of_a_peer_has_a_session_from_the_port_beside_it(name: str) -> None:
    site = example(name)
    text = conf(site)
    assert text.count("neighbor ") == sum(len(peer.addresses) for peer in site.peers)
    for session in allot(site).sessions:
        lines = block(text, f"neighbor {session.remote}")
        assert f"remote-as {session.peer.asn}" in lines
        assert f"local-address {session.local}" in lines
        assert f"listen on {session.local}" in text.splitlines()
        secret = f'tcp md5sig password "{session.peer.md5}"'
        assert (secret in lines) == (session.peer.md5 is not None)
        other = "IPv6" if session.remote.version == 4 else "IPv4"
        assert f"announce {other} none" in lines


def test_the_limits_are_those_of_the_site_or_of_the_role() -> None:
    text = conf(example(TWO_TRANSITS))
    limits = {
        "192.0.2.1": ("2000000", "1"),
        "2001:db8:100::1": ("500000", "2"),
        "192.0.2.5": ("1400000", "1"),
        "203.0.113.1": ("500000", "1"),
        "203.0.113.20": ("2000", "1"),
        "2001:db8:200::30": ("20000", "2"),
    }
    for neighbour, (most, out) in limits.items():
        lines = block(text, f"neighbor {neighbour}")
        # Without `restart`: bgpd 7.7 would let a leak in again every few seconds.
        assert f"max-prefix {most}" in lines
        assert f"max-prefix {out} out" in lines


def test_packets_from_afar_are_refused_where_both_ends_agreed_and_the_kernel_can() -> None:
    text = conf(example(TWO_TRANSITS))
    with_it = "ttl-security yes    # FreeBSD has it for IPv4 alone"
    for session in allot(example(TWO_TRANSITS)).sessions:
        expected = session.peer.name == "upstream-a" and isinstance(session.remote, IPv4Address)
        assert (with_it in block(text, f"neighbor {session.remote}")) == expected
        assert not (isinstance(session.remote, IPv6Address) and expected)


def test_roles_are_said_in_the_words_of_the_version() -> None:
    site = example(TWO_TRANSITS)
    words = {"transit": "customer", "route-server": "rs-client", "peer": "peer"}
    new, old = (conf(site, replace(BOX, openbgpd=known)) for known in ((8, 0), (7, 7)))
    for group, role in words.items():
        assert block(new, f'group "{group}"')[:2] == [f"role {role}", "announce policy yes"]
        assert block(old, f'group "{group}"')[0] == f"announce policy {role}"
    assert "avs" in new
    assert "avs" not in old
    assert "\n  role " not in old


def test_a_route_server_need_not_add_itself_to_paths() -> None:
    text = conf(example(TWO_TRANSITS))
    enforced = [
        block(text, f'group "{group}"')[2].partition(" #")[0].strip()
        for group in ("transit", "route-server", "peer")
    ]
    assert enforced == [f"enforce neighbor-as {word}" for word in ("yes", "no", "yes")]


def test_a_peer_that_sells_no_transit_is_no_leak_of_its_own_routes() -> None:
    site = example(TWO_TRANSITS)
    assert re.search(r"as-set tier1 \{ 174 701 1299 .* \}", conf(site))
    changed = with_peer(site, lambda peer: replace(peer, asn=Asn(1299), role=PeerRole.PEER))
    assert re.search(r"as-set tier1 \{ 174 701 2914 .* \}", conf(changed))
    bought = with_peer(site, lambda peer: replace(peer, asn=Asn(1299)))
    assert re.search(r"as-set tier1 \{ 174 701 1299 .* \}", conf(bought))


def test_a_transit_behind_a_peer_is_a_leak_unless_it_is_a_peer_as_well() -> None:
    site = example(TWO_TRANSITS)
    assert "as-set transits { 64496 64499 }" in conf(site)
    peer = replace(site.peers[0], name="over-there", role=PeerRole.PEER)
    assert "as-set transits { 64499 }" in conf(replace(site, peers=(*site.peers, peer)))
    without = [peer for peer in site.peers if peer.role is not PeerRole.TRANSIT]
    assert "transits" not in conf(replace(site, peers=tuple(without)))


def test_a_next_hop_is_the_neighbour_or_may_be_at_the_route_servers_exchange() -> None:
    site = example(TWO_TRANSITS)
    found = rules(conf(site))
    for role in ("transit", "peer"):
        for family, lengths in (("inet", "8 - 24"), ("inet6", "16 - 48")):
            accepted = f'allow from group "{role}" {family} prefixlen {lengths} nexthop neighbor'
            assert accepted in found
    assert 'allow from group "route-server" inet prefixlen 8 - 24' in found
    refused = {rule.rpartition(" ")[2] for rule in found if rule.startswith("deny") and
               'group "route-server" nexthop' in rule}  # fmt: skip
    here = {
        str(session.remote) for session in allot(site).sessions if session.port.name == "exchange"
    }
    away = {str(session.remote) for session in allot(site).sessions} - here
    assert away | {"203.0.113.10", "192.0.2.2", "198.51.100.1", "2001:db8:ee:53::1"} <= refused
    assert not here & refused


def test_a_route_server_names_nobody_at_another_exchange(bgpd: str, here: Box) -> None:
    site = example(TWO_TRANSITS)
    other = replace(
        next(port for port in site.ports if port.name == "exchange"),
        name="exchange-2",
        device="ix9",
        addresses=(ip_interface("192.0.2.130/26"),),
        mac=None,
    )
    server = Peer("rs-2", Asn(64498), PeerRole.ROUTE_SERVER, (IPv4Address("192.0.2.131"),))
    wider = replace(site, ports=(*site.ports, other), peers=(*site.peers, server))
    text = conf(wider, here)
    assert complaints(bgpd, text) == ""
    assert "deny quick from 203.0.113.1 nexthop 192.0.2.131" in rules(text)
    assert "deny quick from 192.0.2.131 nexthop 203.0.113.20" in rules(text)
    assert "deny quick from 192.0.2.131 nexthop 203.0.113.1" in rules(text)
    assert not any(rule.endswith("203.0.113.1 nexthop 203.0.113.20") for rule in rules(text))
    assert 'deny quick from group "route-server" nexthop 192.0.2.131' not in rules(text)


def test_a_graceful_shutdown_lowers_what_a_role_has_raised() -> None:
    found = rules(conf(example(TWO_TRANSITS)))
    raised = [at for at, rule in enumerate(found) if rule.startswith("match from group")]
    assert len(raised) == 3
    lowered = found.index("match from ebgp community GRACEFUL_SHUTDOWN set { localpref 0 }")
    assert lowered > max(raised)


def test_quotes_stay_within_their_string() -> None:
    text = conf(
        with_peer(example(TWO_TRANSITS), lambda peer: replace(peer, name='a " b', md5='12"34'))
    )
    assert r'descr "a \" b-v4"' in text
    assert r'tcp md5sig password "12\"34"' in text


def test_a_long_name_is_cut_to_what_bgpd_takes(bgpd: str, here: Box) -> None:
    site = with_peer(example(TWO_TRANSITS), lambda peer: replace(peer, name="x" * 70))
    assert complaints(bgpd, conf(site, here)) == ""


def test_only_root_reads_the_secrets() -> None:
    file = files(example(TWO_TRANSITS), "bgp")[PATH]
    assert (file.mode, file.owner) == (0o600, "root")


def test_the_questions_of_rpki_client_come_from_the_routers_address() -> None:
    site = example("one-port-of-each")
    line = files(site, "bgp")["etc/cron.d/rpki-client"].text.splitlines()[-1]
    minute, *rest = line.split("\t")
    first, _, rhythm = minute.partition("-")
    assert 0 <= int(first) < 10
    assert rhythm == "59/10"
    assert rest[:5] == ["*", "*", "*", "*", "root"]
    assert f"/rpki validate {allot(site).router.v4} " in line


def test_bgpd_is_in_no_jail() -> None:
    lines = files(example(TWO_TRANSITS), "bgp")["etc/rc.conf.d/openbgpd"].text.splitlines()
    assert 'openbgpd_enable="YES"' in lines
    assert 'openbgpd_svcj="NO"' in lines


def test_sites_without_peers_announce_to_nobody(bgpd: str, here: Box) -> None:
    text = conf(replace(example(TWO_TRANSITS), peers=()), here)
    assert "neighbor " not in text
    assert complaints(bgpd, text) == ""


def test_a_peer_beside_no_port_has_no_session() -> None:
    peer = Peer("lost", Asn(64500), PeerRole.PEER, (IPv4Address("9.9.9.9"),))
    site = replace(example(TWO_TRANSITS), peers=(peer,))
    assert allot(site).sessions == ()
