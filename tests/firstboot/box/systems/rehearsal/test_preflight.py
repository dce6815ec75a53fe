"""What a rehearsal's own programs say of its ways out, as the plan has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from firstboot.box.host import PATIENCE, Host, Ran
from firstboot.box.preflight import Facts, judge
from firstboot.box.systems.rehearsal.preflight import default_gateways, verdicts
from firstboot.site.address_plan import allot
from firstboot.site.model import load

PROVIDED = load(Path(__file__).parents[5] / "examples" / "relays-only.yaml").value

OWN = load(Path(__file__).parents[5] / "examples" / "default-route.yaml").value


@dataclass(frozen=True, slots=True)
class Answering(Host):
    """A host whose programs print what `texts` has for them, or nothing."""

    texts: Mapping[str, str] = field(kw_only=True)

    def run(self, *command: str, given: str | None = None, patience: float = PATIENCE) -> Ran:
        return Ran(self.texts.get(" ".join(command), ""), 0)


V4 = "default via 198.51.100.129 dev ix0 src 198.51.100.130"
V6 = "default via fe80::1 dev ix0 src 2001:db8:ee:7::1 metric 1024 pref medium"


def strange(text: str) -> str:
    """Why a box of the example with these default routes could leak by them; "" if it could not."""
    facts = Facts({}, (), default_gateways(text))
    told = {one.what: one.reason for one in judge(PROVIDED, facts, ())}
    return told["no default route but the site's"]


@pytest.mark.parametrize(
    ("routes", "up", "reason"),
    [
        ("203.0.112.1 via 192.0.2.1 dev ix0\n", True, ""),
        ("", True, "the route to 203.0.112.1 by 192.0.2.1 is missing"),
        ("", False, ""),
        (
            "203.0.112.1 via 192.0.2.3 dev ix0\n",
            True,
            "the route to 203.0.112.1 by 192.0.2.1 is missing, and goes by 192.0.2.3",
        ),
    ],
)
def test_a_missing_route_to_a_neighbour_several_hops_away_is_told_while_the_port_is_up(
    routes: str, up: bool, reason: str
) -> None:
    far, gateway = (ip_address("203.0.112.1"),), (ip_address("192.0.2.1"),)
    upstream = replace(OWN.peers[0], addresses=far, gateway=gateway)
    site = replace(OWN, peers=(upstream,))
    flags = '["BROADCAST", "UP"]' if up else '["BROADCAST"]'
    texts = {
        "ip -json address": f'[{{"ifname": "ix0", "flags": {flags}}}]',
        "ip -4 route show 203.0.112.1": routes,
    }
    box = Answering(texts=texts)
    found = {one.what: one.reason for one in verdicts(site, box, ())}
    assert found["neighbours several hops away have their routes"] == reason


def test_the_provider_s_routers_are_the_ways_out_link_local_ones_too() -> None:
    assert default_gateways(f"{V4}\n{V6}\n") == allot(PROVIDED).ways_out
    assert strange(f"{V4}\n{V6}\n") == ""
    assert strange("") == ""


@pytest.mark.parametrize(
    ("text", "way"),
    [
        (V6.replace("ix0", "ix1"), "fe80::1%ix1"),
        (V6.replace("fe80::1", "fe80::2"), "fe80::2%ix0"),
        (V4.replace(".129", ".131"), "198.51.100.131"),
        ("default dev tun0 scope link", "tun0"),
        ("default proto static metric 1024", "default proto static metric 1024"),
    ],
)
def test_any_other_is_strange(text: str, way: str) -> None:
    assert default_gateways(text) == {way}
    assert strange(f"{V4}\n{text}\n") == f"there is one by {way}"
