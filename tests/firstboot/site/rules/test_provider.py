"""A site with a provider's addresses, and those that only look like one."""

import pytest

from firstboot.core import document
from firstboot.site.check import Severity, check, examine_text
from firstboot.site.model import Site
from tests.firstboot.site.sites import ONE, ROOT, changed, found, says

ERROR, WARNING, ADVICE = Severity

RELAYS_ONLY = ROOT / "examples" / "relays-only.yaml"
SCOPES = "  - 198.51.100.130/31\n  - 198.51.100.132/30\n"
SIX = "  - 2001:db8:ee:7::/64\n"
PORT = 'addresses: [198.51.100.130/25, "2001:db8:100::2/64"]'
ROUTER = 'gateway: [198.51.100.129, "fe80::1"]'
RELAYS = "relays:\n  count: 4\n"

PEER = """
peers:
  - name: upstream
    asn: 64496
    role: transit
    addresses: [198.51.100.129]
"""
SECOND = """
  - name: second
    device: ix1
    role: transit
    addresses: [203.0.113.2/30]
    gateway: [203.0.113.1]
"""


@pytest.mark.parametrize(
    ("changes", "severity", "key", "reason"),
    [
        ([("addresses: provider\n", "addresses: provider\nasn: 64511\n")], ERROR, "asn",
         "the addresses are a provider's"),
        ([("addresses: provider\n", "")], ERROR, "asn", "there is no AS number"),
        ([("\nrelays:", PEER + "\nrelays:")], ERROR, "peers", "speaks BGP with nobody"),
        ([("role: transit", "role: exchange")], ERROR, "ports[0].role",
         "exchanges are for networks with an AS number"),
        ([("\n  - name: management", SECOND + "\n  - name: management")], ERROR, "ports[1].role",
         "'provider' leads to the provider already"),
        ([(ROUTER, "gateway: [198.51.100.129]")], ERROR, "ports[0].gateway", "no IPv6 router"),
        ([(f"    {ROUTER}\n", "")], ERROR, "ports[0].gateway", "no IPv4 router"),
        ([(ROUTER, 'gateway: [203.0.113.1, "fe80::1"]')], ERROR, "ports[0].gateway[0]",
         "is in no network of this port"),
        ([(ROUTER, 'gateway: [198.51.100.130, "fe80::1"]')], ERROR, "ports[0].gateway[0]",
         "is the box's own address"),
        ([(ROUTER, 'gateway: [198.51.100.255, "fe80::1"]')], ERROR, "ports[0].gateway[0]",
         "is the broadcast address"),
        ([(ROUTER, 'gateway: [198.51.100.129, 198.51.100.128, "fe80::1"]')], ERROR,
         "ports[0].gateway[1]", "second IPv4 gateway"),
        ([(PORT, "addresses: [198.51.100.130/25]")], ERROR, "ports[0].addresses",
         "has no IPv6 address"),
        ([(PORT, 'addresses: [198.51.100.140/25, "2001:db8:100::2/64"]')], ERROR,
         "ports[0].addresses[0]", "198.51.100.140 is in none of the scopes"),
        ([(SCOPES, SCOPES + "  - 198.51.100.129/32\n")], ERROR, "scopes[2]",
         "has no address for this box"),
        ([(SCOPES, "  - 198.51.100.130/32\n")], ERROR, "scopes", "the router and 4 relays need 2"),
        ([(SCOPES, "")], ERROR, "scopes", "there is no IPv4 scope"),
        ([(SIX, "")], WARNING, "scopes", "there is no IPv6 scope"),
        ([(SCOPES, "  - 198.51.100.130/31\n")], ADVICE, "scopes", "listen on the addresses"),
        ([("\nrelays:", "\nrouter: [198.51.100.135]\nrelays:")], ERROR, "router[0]",
         "what the kernel sends by itself comes from"),
        ([(RELAYS, f"{RELAYS}  exit_addresses: [198.51.100.129]\n")], ERROR,
         "relays.exit_addresses[0]", "is the provider's router"),
        ([(RELAYS, f"{RELAYS}  exit_addresses: [198.51.100.130]\n")], ERROR,
         "scopes", "198.51.100.131 is the router's, and what the kernel"),
        ([(RELAYS, f"{RELAYS}  or_addresses: [198.51.100.135]\n"),
          ("\nmanagement:\n  keys", "\ndns:\n  addresses: [198.51.100.135]\nmanagement:\n  keys")],
         ERROR, "dns.addresses[0]", "is the resolver's source and also where relays listen"),
        ([("  - name: management\n    device: igb0\n    role: management",
           "  - name: lan\n    device: igb0\n    role: lan"),
          ("    gateway: [192.0.2.193]\n", "")], ERROR, "ports",
         "nobody may log in from the Internet"),
        ([("schema: 2", "schema: 1")], ERROR, "addresses", "is known since schema 2"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found_where_it_is(
    changes: list[tuple[str, str]], severity: Severity, key: str, reason: str
) -> None:
    findings = found(*changes, of=RELAYS_ONLY)
    assert says(findings, severity, key, reason), findings


def test_an_own_site_is_told_how_a_provider_s_addresses_are_said() -> None:
    text = changed(("\nasn: 64511", ""), of=ONE)
    (missing,) = (one for one in examine_text(text, "site.yaml").findings if one.key == ("asn",))
    assert "write addresses: provider" in missing.remedy
    small = found(("198.51.100.0/24", "198.51.100.0/29"))
    assert any("write addresses: provider" in one.remedy for one in small)


def test_a_routed_prefix_needs_no_address_on_the_link() -> None:
    text = changed(
        (SCOPES, "  - 198.51.100.128/29\n"),
        (PORT, 'addresses: [203.0.113.2/30, "2001:db8:100::2/64"]'),
        (ROUTER, 'gateway: [203.0.113.1, "fe80::1"]'),
        of=RELAYS_ONLY,
    )
    findings = check(document.parse(text, "site.yaml", Site))
    assert [one for one in findings if one.severity is ERROR] == []
