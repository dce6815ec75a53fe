"""Two boxes of one operator: what a site may say of its twin, and what not."""

from pathlib import Path

import pytest

from firstboot.site.address_plan import allot
from firstboot.site.check import Severity, examine_text
from firstboot.site.model import load
from tests.firstboot.site.sites import ROOT, found, says

ERROR, WARNING, ADVICE = Severity

EDGE = ROOT / "examples" / "two-edges-a.yaml"
OTHER = ROOT / "examples" / "two-edges-b.yaml"
TEXT = EDGE.read_text()

PARTS = "      - 198.51.100.128/25\n      - 2001:db8:ee:8000::/49\n"
NETWORKS = TEXT[TEXT.index("    networks:  ") : TEXT.index(PARTS)] + PARTS
PORT = TEXT[TEXT.index("  - name: twin ") : TEXT.index("  - name: management")]
PEER = TEXT[TEXT.index("  - name: edge-b") : TEXT.index("relays:\n")]
LAN = """  - name: lan
    device: ix4
    role: lan
    addresses: [198.51.100.193/26]

"""


@pytest.mark.parametrize("path", [EDGE, OTHER])
def test_both_examples_have_nothing_but_advice(path: Path) -> None:
    findings = examine_text(path.read_bytes(), path.name).findings
    assert {one.severity for one in findings} <= {ADVICE}


@pytest.mark.parametrize(
    ("changes", "key", "reason"),
    [
        ([(PORT, "")], "peers[2].role", "no port has the role twin"),
        ([(PEER, "")], "peers", "no peer has the role twin"),
        ([(PORT, PORT + PORT.replace("name: twin", "name: two").replace("ix3", "ix5"))],
         "ports[3].role", "leads to the twin already"),
        ([(PEER, PEER + PEER.replace("edge-b", "edge-c"))], "peers[3].role", "is the twin already"),
        ([("asn: 64511                          #", "asn: 64501 #")], "peers[2].asn",
         "a twin has the AS number of this site"),
        ([("asn: 64497", "asn: 64511")], "peers[1].asn", "AS64511 is the ASN of this site"),
        ([('[10.64.0.2, "fd64:511::2"]', "[10.64.0.2]")], "peers[2].addresses",
         "the twin has no IPv6 address"),
        ([("[10.64.0.2,", "[203.0.113.9,")],
         "peers[2].addresses[0]", "network of the exchange port 'exchange'"),
        ([("[203.0.113.1, ", "[10.64.0.2, ")],
         "peers[1].addresses[0]", "network of the twin port 'twin'"),
        ([(NETWORKS, "")], "peers[2].networks", "no part of the scopes is the twin's"),
        ([("198.51.100.128/25", "203.0.113.128/25")], "peers[2].networks[0]",
         "is no part of a scope"),
        ([("198.51.100.128/25", "198.51.100.0/24")], "peers[2].networks",
         "the twin has all of the IPv4 scopes"),
        ([("      - 2001:db8:ee:8000::/49\n", "")], "peers[2].networks",
         "no part of the IPv6 scopes"),
        ([("198.51.100.128/25", "198.51.100.128/25\n      - 198.51.100.192/26")],
         "peers[2].networks[1]", "198.51.100.192/26 is part of 198.51.100.128/25"),
        ([("relays:\n", "router: [198.51.100.131]\n\nrelays:\n")], "router[0]",
         "198.51.100.131 is in the twin's part of the scopes"),
        ([("  - name: management", LAN + "  - name: management")], "ports[3].addresses[0]",
         "is in the twin's part of the scopes"),
        ([(NETWORKS, NETWORKS + "    gtsm: yes\n")], "peers[2].gtsm", "at no other port"),
        ([(NETWORKS, NETWORKS + "    routes: default\n")], "peers[2].routes", "all the routes"),
        ([("role: transit\n    addresses: [192.0.2.1,",
           "role: transit\n    routes: static\n    addresses: [192.0.2.1,")], "peers[0].routes",
         "is not told to the twin"),
        ([("role: route-server", "role: route-server\n    networks: [198.51.100.0/25]")],
         "peers[1].networks", "only a twin has a part of the scopes"),
        ([("addresses: [10.64.0.1/30", "addresses: [198.51.100.5/30")], "ports[2].addresses[0]",
         "overlaps the own scopes"),
    ],
)  # fmt: skip
def test_a_site_that_does_not_fit_a_twin_is_refused(
    changes: list[tuple[str, str]], key: str, reason: str
) -> None:
    assert says(found(*changes, of=EDGE), ERROR, key, reason)


def test_a_lan_of_both_boxes_is_refused_at_one_of_them_with_the_reason() -> None:
    """Wherever it is in the scopes, one of the two boxes has it not."""
    for address in ("198.51.100.65/26", "198.51.100.193/26", "198.51.100.1/24"):
        lan = LAN.replace("198.51.100.193/26", address)
        refused = [
            one
            for path in (EDGE, OTHER)
            for one in found(("  - name: management", lan + "  - name: management"), of=path)
            if "twin's part of the scopes" in one.reason and one.key[0] == "ports"
        ]
        assert refused
        assert all("(CARP) is not supported" in one.remedy for one in refused)


def test_each_box_plans_its_addresses_in_what_the_other_has_not() -> None:
    one, other = (allot(load(path).value) for path in (EDGE, OTHER))
    assert not {*one.addresses} & {*other.addresses}
    for mine, theirs in ((one, other), (other, one)):
        assert mine.mine == theirs.twins
        for address in mine.addresses:
            assert any(address in network for network in mine.mine)
