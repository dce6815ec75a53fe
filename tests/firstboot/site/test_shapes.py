"""Networks as they are: each can be said, has no error, and what is rendered for it has no flaw."""

from collections.abc import Iterator, Mapping

import pytest

from firstboot.core import document
from firstboot.site.check import Severity, check
from firstboot.site.model import Site
from firstboot.site.render import render
from firstboot.site.verify.verify import verify
from tests.firstboot.site.daemons.sites import BOX
from tests.firstboot.site.sites import ONE, ROOT, changed

UPSTREAM = "    asn: 64496\n    role: transit\n"
SERVER = "    asn: 64497\n    role: route-server\n"
PEER = "    asn: 64500\n    role: peer\n"
RELAYS = "  count: 4\n"
SECOND = """\
  - name: second
    asn: 64499
    role: transit
    addresses: [192.0.2.6, 2001:db8:101::1]
    {more}

relays:
"""
LINK = """\
  - name: second
    device: ix7
    role: transit
    addresses: [192.0.2.5/30, 2001:db8:101::2/64]

peers:
"""


def said(after: str, *lines: str) -> tuple[str, str]:
    return after, after + "".join(f"    {line}\n" for line in lines)


def second(more: str) -> Iterator[tuple[str, str]]:
    """A second upstream at a port of its own."""
    yield "\npeers:\n", f"\n{LINK}"
    yield "\nrelays:\n", f"\n{SECOND.format(more=more)}"


SHAPES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "a backup upstream, prepended": (*second("announce: [{prepend: 3}]"),),
    "two links, IPv4 by one and IPv6 by the other": (
        said(UPSTREAM, "announce: [{scopes: [2001:db8:ee::/48], prepend: 3}]"),
        *second("announce: [{scopes: [198.51.100.0/24], prepend: 3}]"),
    ),
    "MED and the upstream's own communities": (
        said(UPSTREAM, "announce: [{med: 100, communities: [64496:70, 64496:3000]}]"),
    ),
    "a route server that leaves out two members": (
        said(SERVER, "announce: [{communities: [0:64501, 64497:0:64502, 64497:103:64500]}]"),
    ),
    "a route server that passes on to one member": (
        said(SERVER, "announce: [{communities: [0:64497, 64497:64500]}]"),
    ),
    "a peer in private, prepended, and an upstream that drops": (
        said(PEER, "announce: [{prepend: 1}, {scopes: [2001:db8:ee::/48], med: 5}]"),
        said(UPSTREAM, "blackhole: 64496:666:0", "announce: [{communities: [64496:1:1]}]"),
    ),
    "a data centre that numbers its customers privately": (
        (UPSTREAM, UPSTREAM.replace("64496", "4200000001") + "    routes: default\n"),
        ("waivers:\n", "waivers:\n  private_asn: So it is in this data centre\n"),
    ),
    "one relay for the web, two with rules, the others reduced": (
        (
            RELAYS,
            f"{RELAYS}  policies:\n    - {{relays: [1], policy: web}}\n"
            "    - {relays: [2, 3], policy: own, rules: [accept *:80, accept *:443]}\n",
        ),
    ),
    "an exit address for each relay, and what none reaches": (
        (
            RELAYS,
            f"{RELAYS}  exit_addresses: [198.51.100.21, 198.51.100.22, 198.51.100.23, "
            "198.51.100.24]\n  block: [203.0.113.7]\n",
        ),
    ),
    "a scope that one peer keeps, and one that a route server does not hear of": (
        said(PEER, "announce: [{scopes: [198.51.100.0/24], no_export: yes}]"),
        said(SERVER, "announce: [{scopes: [2001:db8:ee::/48], withheld: yes}]"),
    ),
    "an upstream's loopback, two hops away, with a static default route": (
        (
            "addresses: [192.0.2.1, 2001:db8:100::1]",
            "addresses: [203.0.112.254, 2001:db8:fff::1]\n"
            "    gateway: [192.0.2.1, 2001:db8:100::1]\n    gtsm: yes\n    routes: static",
        ),
    ),
    "a peer's loopback in private address space, five hops away": (
        *second("md5: kD8vW2xq-LpZ_4mTnR"),
        ("asn: 64499\n    role: transit\n", "asn: 64499\n    role: peer\n"),
        (
            "addresses: [192.0.2.6, 2001:db8:101::1]",
            "addresses: [10.7.0.1]\n    gateway: [192.0.2.6]\n    hops: 5",
        ),
    ),
    "an upstream that sends nothing, and hears of the scopes with a MED": (
        (UPSTREAM, f"{UPSTREAM}    routes: static\n    announce: [{{prepend: 2, med: 0}}]\n"),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_it_can_be_said_and_is_proved(shape: str) -> None:
    text = changed(*SHAPES[shape], of=ONE)
    found = document.parse(text, "site.yaml", Site)
    assert [one for one in check(found) if one.severity is Severity.ERROR] == []
    files = render(found.value, BOX, ROOT / "overlays")
    assert [str(flaw) for flaw in verify(found.value, BOX, files)] == []
    usual = render(document.load(ONE, Site).value, BOX, ROOT / "overlays")
    assert files != usual
