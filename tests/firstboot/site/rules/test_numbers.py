"""ASNs and address space: what the registries set aside, and what other networks accept."""

from ipaddress import ip_address, ip_network

import pytest

from firstboot.core import document
from firstboot.core.document import parse
from firstboot.site import bogons
from firstboot.site.check import Severity, examine_text
from firstboot.site.model import Site
from firstboot.site.rules.overlap import overlaps
from firstboot.site.rules.special import purpose_of, purpose_of_address
from firstboot.site.verify.intervals import subtract
from tests.firstboot.site.sites import changed, found, says

ERROR, WARNING, ADVICE = Severity


@pytest.mark.parametrize(
    ("asn", "reason"),
    [
        (112, "AS112"),
        (23456, "AS_TRANS"),
        (64512, "private use"),
        (65534, "private use"),
        (65535, "RFC 7300"),
        (65552, "reserved by IANA"),
        (131071, "reserved by IANA"),
        (4200000000, "private use"),
        (4294967294, "private use"),
        (4294967295, "RFC 7300"),
    ],
)
def test_an_asn_that_is_nobodys_is_an_error(asn: int, reason: str) -> None:
    assert says(found(("asn: 64511", f"asn: {asn}")), ERROR, "asn", reason)
    assert says(found(("asn: 64500", f"asn: {asn}")), ERROR, "peers[2].asn", reason)


@pytest.mark.parametrize("asn", [1, 64495, 131072, 396507, 4199999999])
def test_an_asn_that_registries_assign_is_fine(asn: int) -> None:
    assert not [f for f in found(("asn: 64511", f"asn: {asn}")) if f.key == ("asn",)]


@pytest.mark.parametrize("asn", [64496, 64511, 65536, 65551])
def test_an_asn_for_documentation_is_an_error_and_with_a_waiver_silent(asn: int) -> None:
    to_it = ("asn: 64500", f"asn: {asn}")
    if asn != 64511:
        assert not [one for one in found(to_it) if one.key == ("peers", 2, "asn")]
        without = ("documentation: An", "no_management: An")
        assert says(found(to_it, without), ERROR, "peers[2].asn", "documentation")


def test_a_peer_of_the_own_asn_is_an_error() -> None:
    findings = found(("asn: 64500", "asn: 64511"))
    assert says(findings, ERROR, "peers[2].asn", "AS64511 is the ASN of this site")


SCOPES = "  - 198.51.100.0/24\n  - 2001:db8:ee::/48\n"


@pytest.mark.parametrize(
    ("scopes", "severity", "key", "reason"),
    [
        ("198.51.100.0/25, 2001:db8:ee::/48", ERROR, "scopes[0]", "a /25 is too small"),
        ("198.51.100.0/24, 2001:db8:ee::/49", ERROR, "scopes[1]", "a /49 is too small"),
        ("198.51.100.0/24, 198.51.100.0/24", ERROR, "scopes[1]", "198.51.100.0/24 is listed twice"),
        ("45.0.0.0/16, 45.0.7.0/24", ERROR, "scopes[1]", "45.0.7.0/24 is part of 45.0.0.0/16"),
        ("45.0.7.0/24, 45.0.0.0/16", ERROR, "scopes[0]", "45.0.7.0/24 is part of 45.0.0.0/16"),
        ("2001:db8:ee::/48", ERROR, "scopes", "no IPv4 scope"),
        ("198.51.100.0/24", WARNING, "scopes", "no IPv6 scope"),
        ("198.51.100.0/29", ERROR, "scopes", "too small for the address plan"),
        ("0.0.0.0/0", ERROR, "scopes[0]", "larger than any operator's address space"),
        ("2000::/3", ERROR, "scopes[0]", "larger than any operator's address space"),
        ("198.51.0.0/16", ERROR, "scopes[0]", "documentation (RFC 5737)"),
        ("", ERROR, "scopes", "there is no prefix"),
    ],
)
def test_scopes_are_what_other_networks_accept_and_relays_need(
    scopes: str, severity: Severity, key: str, reason: str
) -> None:
    findings = found((f"scopes:\n{SCOPES}", f"scopes: [{scopes}]\n"))
    assert says(findings, severity, key, reason)


BOGONS = """
    0.0.0.0/24 10.0.0.0/24 100.64.0.0/24 100.127.255.0/24 127.0.0.0/24 169.254.0.0/24
    172.16.0.0/24 172.31.255.0/24 192.0.0.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24
    192.168.0.0/24 192.175.48.0/24 198.18.0.0/24 198.19.255.0/24 224.0.0.0/24 239.0.0.0/24
    240.0.0.0/24 255.255.255.0/24 ::/48 64:ff9b::/48 64:ff9b:1::/48 100::/48 2001::/48
    2001:2::/48 2001:10::/48 2001:20::/48 2002::/48 2620:4f:8000::/48 3ffe::/48 4000::/48
    5f00::/48 8000::/48 fc00::/48 fd00::/48 fe80::/48 fec0::/48 ff00::/48 ff0e::/48
    0.0.0.0/8 192.0.0.0/16 2001::/16
"""
"""`ipaddress` of some Python holds several of these for global, multicast among them."""


@pytest.mark.parametrize("bogon", BOGONS.split())
def test_special_purpose_space_is_no_scope(bogon: str) -> None:
    to_it = (SCOPES, f'  - 198.51.100.0/24\n  - "{bogon}"\n')
    assert says(found(to_it), ERROR, "scopes[1]", "space for")


BESIDE = """
    1.0.0.0/24 9.255.255.0/24 11.0.0.0/8 100.63.255.0/24 100.128.0.0/24 128.0.0.0/24
    172.15.0.0/24 172.32.0.0/24 192.0.1.0/24 192.0.3.0/24 192.167.0.0/24 192.169.0.0/24
    198.17.255.0/24 198.20.0.0/24 198.51.99.0/24 198.51.101.0/24 203.0.112.0/24
    223.255.255.0/24 2001:200::/32 2001:db7::/32 2001:db9::/32 2003::/32 2a00::/32 3ffd::/32
    3fff:1000::/32
"""


@pytest.mark.parametrize("network", BESIDE.split())
def test_space_beside_it_is_everybodys(network: str) -> None:
    assert purpose_of(ip_network(network)) is None


@pytest.mark.parametrize("prefix", ["192.0.2.0/24", "203.0.113.0/24", "3fff:fff::/48"])
def test_prefixes_for_documentation_are_errors_and_with_a_waiver_silent(prefix: str) -> None:
    to_it = (SCOPES, f"{SCOPES}  - {prefix}\n")
    assert not [one for one in found(to_it) if one.key == ("scopes", 2)]
    without = ("waivers:\n  documentation: An", "waivers:\n  no_management: An")
    assert says(found(to_it, without), ERROR, "scopes[2]", "is reserved for documentation")


def test_a_single_address_is_judged_as_its_network_is() -> None:
    special = purpose_of_address(ip_address("224.0.0.5"))
    assert special is not None
    assert special.purpose.startswith("multicast")
    assert purpose_of_address(ip_address("45.0.0.1")) is None


def test_overlaps_are_found_however_deep_and_each_with_the_smallest_around_it() -> None:
    texts = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16", "::/0", "11.0.0.0/8"]
    named = [(ip_network(text), (text,)) for text in reversed(texts)]
    assert [(str(outer[0]), str(inner[0])) for outer, inner in overlaps(named)] == [
        ("10.0.0.0/8", "10.1.0.0/16"),
        ("10.1.0.0/16", "10.1.2.0/24"),
        ("10.0.0.0/8", "10.2.0.0/16"),
    ]


PRIVATE = ("asn: 64496\n    role: transit", "asn: 65001\n    role: transit")
WAIVED = ("waivers:\n", "waivers:\n  private_asn: This data centre numbers its customers so\n")


def test_a_transit_with_a_private_number_needs_a_waiver() -> None:
    (finding,) = (one for one in found(PRIVATE) if one.key == ("peers", 0, "asn"))
    assert finding.severity is ERROR
    assert finding.remedy.endswith("or set the rule aside for transits: waivers, private_asn")
    assert not found(PRIVATE, WAIVED)


def test_the_waiver_is_for_transits_alone_and_needs_one() -> None:
    peer = ("asn: 64500", "asn: 65002")
    assert says(found(PRIVATE, WAIVED, peer), ERROR, "peers[2].asn", "is for private use")
    assert says(found(WAIVED), ADVICE, "waivers.private_asn", "no transit has a private")
    reserved = ("asn: 64496\n    role: transit", "asn: 65535\n    role: transit")
    assert says(found(reserved, WAIVED), ERROR, "peers[0].asn", "RFC 7300")


def test_paths_with_the_private_number_of_a_transit_are_taken_and_no_others() -> None:
    without = bogons.of(parse(changed(PRIVATE, WAIVED), "site.yaml", Site).value).asns
    usual = bogons.of(parse(changed(PRIVATE), "site.yaml", Site).value).asns
    assert subtract(usual, without) == ((65001, 65001),)
    assert subtract(without, usual) == ()


@pytest.mark.parametrize(
    ("origin", "reason", "remedy"),
    [
        (
            "64499",
            "the origin would be AS64499, and OpenBGPD originates",
            "a ROA of the prefix with",
        ),
        ("AS64511", "every scope has the AS number of the site", "Write the prefix alone"),
        ("none", "there are keys where a prefix is expected", "Write one value"),
    ],
)
def test_a_scope_with_an_origin_says_what_to_ask_the_lessor_for(
    origin: str, reason: str, remedy: str
) -> None:
    leased = f"  - prefix: 198.51.100.0/24\n    origin: {origin}\n  - 2001:db8:ee::/48\n"
    (finding,) = examine_text(changed((SCOPES, leased)), "site.yaml").findings
    assert document.spell(finding.key) == "scopes[0]"
    assert reason in finding.reason
    assert remedy in finding.remedy
