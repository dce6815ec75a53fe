"""What a rehearsal's own programs say of its ways out, as the plan has them."""

from pathlib import Path

import pytest

from firstboot.box.preflight import Facts, judge
from firstboot.box.systems.rehearsal.preflight import default_gateways
from firstboot.site.address_plan import allot
from firstboot.site.model import load

PROVIDED = load(Path(__file__).parents[5] / "examples" / "relays-only.yaml").value

V4 = "default via 198.51.100.129 dev ix0 src 198.51.100.130"
V6 = "default via fe80::1 dev ix0 src 2001:db8:ee:7::1 metric 1024 pref medium"


def strange(text: str) -> str:
    """Why a box of the example with these default routes could leak by them; "" if it could not."""
    facts = Facts({}, (), default_gateways(text))
    told = {one.what: one.reason for one in judge(PROVIDED, facts, ())}
    return told["no default route but the site's"]


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
