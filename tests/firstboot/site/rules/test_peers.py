"""Peers and their secrets: reachable, in their role, and not to be guessed."""

import pytest

from firstboot.core.guessing import strength
from firstboot.site.check import Severity, told
from firstboot.site.rules.secrets import BITS
from tests.firstboot.site.sites import TWO, found, says

ERROR, WARNING, ADVICE = Severity

UPSTREAM = "addresses: [192.0.2.1, 2001:db8:100::1]"
SERVER = "addresses: [203.0.113.1, 2001:db8:200::1]"
NEIGHBOUR = "addresses: [203.0.113.20, 2001:db8:200::20]"
SECRET = "MPIiUrPmlmusmfuBxqglIwpV"


def test_one_network_may_have_an_entry_for_each_family() -> None:
    """The families of its addresses at the port count together, those of others do not."""
    apart = "addresses: [192.0.2.1]\n\n  - name: upstream-6\n    asn: {}\n    role: transit\n"
    six = "    addresses: [2001:db8:100::1]"
    says_so = "port and scopes have IPv"
    same = found((UPSTREAM, apart.format(64496) + six))
    assert not [one for one in same if says_so in one.reason]
    others = found((UPSTREAM, apart.format(64499) + six))
    assert len([one for one in others if says_so in one.reason]) == 2


@pytest.mark.parametrize(
    ("changes", "severity", "key", "reason"),
    [
        ([(NEIGHBOUR, "addresses: [203.0.114.20]")], ERROR, "peers[2].addresses[0]",
         "is in the network of no port"),
        ([(NEIGHBOUR, 'addresses: ["fe80::1"]')], ERROR, "peers[2].addresses[0]",
         "is of link scope"),
        ([(NEIGHBOUR, "addresses: [203.0.113.0]")], ERROR, "peers[2].addresses[0]",
         "is the network's own address of 203.0.113.0/24"),
        ([(NEIGHBOUR, "addresses: [203.0.113.255]")], ERROR, "peers[2].addresses[0]", "broadcast"),
        ([(NEIGHBOUR, 'addresses: ["2001:db8:200::"]')], ERROR, "peers[2].addresses[0]", "anycast"),
        ([(NEIGHBOUR, "addresses: [203.0.113.10]")], ERROR, "peers[2].addresses[0]",
         "the box's own address"),
        ([(NEIGHBOUR, "addresses: [203.0.113.1]")], ERROR, "peers[2].addresses[0]",
         "also an address of 'route-server'"),
        ([(NEIGHBOUR, "addresses: [198.51.100.130]")], ERROR, "peers[2].addresses[0]",
         "in the own scopes"),
        ([(NEIGHBOUR, "addresses: [192.0.2.200]")], ERROR, "peers[2].addresses[0]",
         "where BGP is not used"),
        ([(NEIGHBOUR, "addresses: []")], ERROR, "peers[2]", "has no address"),
        ([(NEIGHBOUR, "addresses: [203.0.113.20, 203.0.113.21]")], ERROR, "peers[2].addresses[1]",
         "second IPv4 address"),
        ([(NEIGHBOUR, "addresses: [203.0.113.20]")], ADVICE, "peers[2].addresses",
         "the peer has no IPv6 address"),
        ([(UPSTREAM, "addresses: [192.0.2.1]")], WARNING, "peers[0].addresses",
         "the peer has no IPv6 address"),
        ([(UPSTREAM, "addresses: [192.0.2.1, 2001:db8:200::9]")], WARNING, "peers[0].addresses",
         "on different ports"),
        ([(UPSTREAM, "addresses: [203.0.113.9]")], WARNING, "peers[0].addresses[0]",
         "most exchanges forbid transit across"),
        ([(UPSTREAM, "addresses: [203.0.113.9]")], WARNING, "ports[0]", "no peer is in"),
        ([("role: transit\n    addresses: [192.0.2.1,", "role: peer\n    addresses: [192.0.2.1,")],
         ADVICE, "peers[0].addresses[0]", "is a transit port, and this is a peer"),
        ([("role: transit\n    addresses: [192.0.2.1,", "role: peer\n    addresses: [192.0.2.1,")],
         WARNING, "peers", "no peer has the role transit"),
        ([(SERVER, "addresses: [192.0.2.1]"), (UPSTREAM, 'addresses: ["2001:db8:100::1"]')], ERROR,
         "peers[1].addresses[0]", "route servers are at exchanges"),
        ([("name: neighbour", "name: Upstream")], ERROR, "peers[2].name", "have the name"),
        ([("asn: 64500", "asn: 64496")], WARNING, "peers[2].role", "session with the role"),
        ([("irr: AS-NEIGHBOUR", "irr: NEIGHBOUR")], ERROR, "peers[2].irr", "not an as-set"),
        ([("irr: AS-NEIGHBOUR", "irr: 'AS-X | sh'")], ERROR, "peers[2].irr", "not an as-set"),
        ([("irr: AS-NEIGHBOUR", "max_prefix: 0")], ERROR, "peers[2].max_prefix", "not between"),
        ([("irr: AS-NEIGHBOUR", "max_prefix: 900000")], WARNING, "peers[2].max_prefix", "leaks"),
        ([(UPSTREAM, f"{UPSTREAM}\n    max_prefix: 1000")], WARNING, "peers[0].max_prefix",
         "closed"),
        ([(UPSTREAM, f"{UPSTREAM}\n    max_prefix: 10")], ERROR, "peers[0].max_prefix",
         "with routes: full that is refused: relays would reach nobody"),
        ([("  - 198.51.100.0/24\n  - 2001:db8:ee::/48\n", "  - 198.51.100.0/24\n")], WARNING,
         "peers", "no scope is IPv6"),
    ],
)  # fmt: skip
def test_peers_are_judged_as_the_field_does(
    changes: list[tuple[str, str]], severity: Severity, key: str, reason: str
) -> None:
    assert says(found(*changes), severity, key, reason)


FAR = "addresses: [203.0.112.254, 2001:db8:fff::1]"
BY = "gateway: [192.0.2.1, 2001:db8:100::1]"


@pytest.mark.parametrize(
    ("more", "severity", "key", "reason"),
    [
        (f"{FAR}", ERROR, "peers[0].gateway", "203.0.112.254 is in the network of no port"),
        (f"{FAR}\n    gateway: [192.0.2.1]", ERROR, "peers[0].gateway", "2001:db8:fff::1 is in"),
        (f"{FAR}\n    gateway: [192.0.2.1, 192.0.2.1]", ERROR, "peers[0].gateway[1]",
         "the second IPv4 gateway"),
        (f"addresses: [203.0.112.254]\n    {BY}", ERROR, "peers[0].gateway[1]",
         "has no IPv6 address that this router leads to"),
        (f"{FAR}\n    gateway: [192.0.2.9]", ERROR, "peers[0].gateway[0]", "network of no port"),
        (f"{FAR}\n    gateway: [192.0.2.2]", ERROR, "peers[0].gateway[0]", "own address"),
        (f"{FAR}\n    gateway: [192.0.2.3]", ERROR, "peers[0].gateway[0]", "broadcast"),
        (f"{FAR}\n    gateway: [203.0.113.7]", ERROR, "peers[0].gateway[0]",
         "of the exchange port 'exchange'"),
        (f"{FAR}\n    gateway: [192.0.2.193]", ERROR, "peers[0].gateway[0]",
         "of the management port"),
        (f"{UPSTREAM}\n    {BY}", ERROR, "peers[0].gateway[0]", "is the peer itself"),
        (f"addresses: [203.0.113.77]\n    {BY}", ERROR, "peers[0].addresses[0]",
         "so no gateway leads to it"),
        (f"addresses: [198.51.100.9]\n    {BY}", ERROR, "peers[0].addresses[0]", "own scopes"),
        (f'addresses: ["fe80::1"]\n    {BY}', ERROR, "peers[0].addresses[0]", "no router leads"),
        (f"addresses: [224.0.0.5]\n    {BY}", ERROR, "peers[0].addresses[0]", "no router leads"),
        (f"{UPSTREAM}\n    hops: 3", ERROR, "peers[0].hops", "one hop away"),
        (f"{FAR}\n    {BY}\n    hops: 1", ERROR, "peers[0].hops", "not between 2 and 32"),
        ("addresses: [203.0.112.254]\n    gateway: [192.0.2.1]", WARNING, "peers[0].addresses",
         "the peer has no IPv6 address"),
    ],
)  # fmt: skip
def test_a_peer_several_hops_away_has_a_router_that_leads_there(
    more: str, severity: Severity, key: str, reason: str
) -> None:
    assert says(found((UPSTREAM, more)), severity, key, reason)


def test_a_session_over_several_hops_needs_a_secret_or_gtsm() -> None:
    md5 = "    md5: PCmxV4ElPLGCfHQWBPsW2t9q       # agreed with the upstream; make your own\n"
    unsigned = (md5, "")
    findings = found((UPSTREAM, f"{FAR}\n    {BY}"), unsigned)
    assert says(findings, WARNING, "peers[0].gateway", "from whoever says that they are the peer's")
    assert found((UPSTREAM, f"{FAR}\n    {BY}\n    gtsm: yes"), unsigned) == []
    assert found((UPSTREAM, f"{FAR}\n    {BY}")) == []


def test_a_route_server_is_at_an_exchange_and_not_several_hops_away() -> None:
    findings = found((SERVER, "addresses: [203.0.112.254]\n    gateway: [192.0.2.1]"))
    assert says(findings, ERROR, "peers[1].gateway[0]", "route servers are at exchanges")


def test_a_default_route_beside_another_transit_is_no_error() -> None:
    findings = found(("max_prefix: 1400000", "max_prefix: 2"), of=TWO)
    assert says(findings, WARNING, "peers[1].max_prefix", "all traffic leaves by other transits")
    assert not says(findings, ERROR, "peers[1].max_prefix", "")


@pytest.mark.parametrize("routes", ["default", "static"])
def test_a_transit_that_sends_no_table_needs_no_room_for_one(routes: str) -> None:
    findings = found((UPSTREAM, f"{UPSTREAM}\n    max_prefix: 10\n    routes: {routes}"))
    assert not [one for one in findings if one.severity is not ADVICE]


def test_a_static_default_route_is_advised_against() -> None:
    findings = found((UPSTREAM, f"{UPSTREAM}\n    routes: static"))
    assert says(findings, ADVICE, "peers[0].routes", "stays when this upstream loses")


def test_only_a_transit_has_a_default_route() -> None:
    findings = found(("irr: AS-NEIGHBOUR", "routes: default"))
    assert says(findings, ERROR, "peers[2].routes", "a peer has no default route")


@pytest.mark.parametrize(
    ("other", "reason"),
    [("static", "has the static default route of IPv4 already"),
     ("default", "sends a default route by BGP")],
)  # fmt: skip
def test_a_static_default_route_is_the_only_one(other: str, reason: str) -> None:
    limit, gtsm = "max_prefix: 1400000", "gtsm: yes  "
    findings = found(
        (limit, f"{limit}\n    routes: static"), (gtsm, f"routes: {other}\n    {gtsm}"), of=TWO
    )
    assert says(findings, ERROR, "peers[1].routes", reason)


def test_a_scope_that_no_peer_hears_of_is_an_error() -> None:
    findings = found(
        (UPSTREAM, "addresses: [192.0.2.1]"),
        (SERVER, "addresses: [203.0.113.1]"),
        (NEIGHBOUR, "addresses: [203.0.113.20]"),
    )
    assert says(findings, ERROR, "scopes[1]", "nobody learns this scope")


def test_no_peer_at_all_is_an_error() -> None:
    text = TWO.read_text()
    peers = text[text.index("peers:\n") : text.index("relays:\n")]
    assert says(found((peers, ""), of=TWO), ERROR, "peers", "there is no peer")


@pytest.mark.parametrize("irr", ["AS64500", "RIPE::AS-X", "AS64500:AS-ALL:AS-X_1", "as-lower"])
def test_objects_of_routing_registries_are_understood(irr: str) -> None:
    assert not [f for f in found(("AS-NEIGHBOUR", irr)) if f.key[-1] == "irr"]


@pytest.mark.parametrize(
    ("secret", "severity", "reason"),
    [
        ("kUr7", ERROR, "shorter than 12"),
        ("k7Qw9zTb3Xe", ERROR, "shorter than 12"),
        ("k7Qw9zTb3XeR", WARNING, "shorter than 16"),
        ("x7" * 41, ERROR, "longer than the 80 bytes"),
        ("changeme-changeme", ERROR, "words, repetitions or sequences"),
        ("P@ssw0rd2024!!!!", ERROR, "words, repetitions or sequences"),
        ("bgpsecret64500bgp", ERROR, "words, repetitions or sequences"),
        ("neighbour-neighbour", ERROR, "words, repetitions or sequences"),
        ("ExampleExitFoundation1", ERROR, "words, repetitions or sequences"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", ERROR, "words, repetitions or sequences"),
        ("abcdefghijklmnopqrstuvwxyz", ERROR, "words, repetitions or sequences"),
        ("1234567890123456789", ERROR, "words, repetitions or sequences"),
        ("Kx9Kx9Kx9Kx9Kx9Kx9Kx9", ERROR, "words, repetitions or sequences"),
        ("with space K7Qw9zTb3Xe", ERROR, "read in different ways"),
        ('quote"K7Qw9zTb3Xe', ERROR, "read in different ways"),
        ("dollar$K7Qw9zTb3Xe", ERROR, "read in different ways"),
        ("hash#K7Qw9zTb3XeRp", ERROR, "read in different ways"),
        ("back\\K7Qw9zTb3XeRp", ERROR, "read in different ways"),
        ("é7Qw9zTb3XeRp5Vn", ERROR, "read in different ways"),
        ("PCmxV4ElPLGCfHQWBPsW2t9q", ERROR, "peers[0] has the same secret"),
    ],
)
def test_a_weak_secret_is_found_and_never_told(
    secret: str, severity: Severity, reason: str
) -> None:
    findings = found((SECRET, "'" + secret + "'"))
    assert says(findings, severity, "peers[2].md5", reason)
    assert not any(secret in told("site.yaml", finding) for finding in findings)


@pytest.mark.parametrize(
    "secret",
    [SECRET, "jR4!vT9%mZ2&xK7*", "tbqk-wzjx-vhfm-pcgd", "0f3a9c51d7e86b240f3a9c51d7e86b24"],
)
def test_a_good_secret_is_fine(secret: str) -> None:
    assert not [f for f in found((SECRET, f"'{secret}'")) if f.key[-1] == "md5"]


def test_two_route_servers_of_one_exchange_may_share_a_secret() -> None:
    one = "addresses: [203.0.113.1, 2001:db8:200::1]"
    two = "addresses: [203.0.113.2, 2001:db8:200::2]"
    with_secret = [(text, f"{text}\n    md5: {SECRET}") for text in (one, two)]
    assert not [f for f in found(*with_secret, of=TWO) if f.key[-1] == "md5"]


def test_what_is_known_of_the_site_is_worth_nothing_in_a_secret() -> None:
    assert strength("Zorbwenk-Zorbwenk7", []) > strength("Zorbwenk-Zorbwenk7", ["Zorbwenk"])
    assert strength("Zorbwenk-Zorbwenk7", ["Zorbwenk"]) < BITS
