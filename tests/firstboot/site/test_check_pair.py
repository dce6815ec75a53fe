"""Two sites of one operator: whether they fit, and whether each edge carries both boxes."""

from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from firstboot.site.check_pair import check_two
from firstboot.site.commands import BOX
from firstboot.site.model import Site, load
from firstboot.site.verify.pair import unproved
from tests.firstboot.site.sites import ONE, ROOT, changed

A, B = (ROOT / "examples" / f"two-edges-{name}.yaml" for name in "ab")


def told(tmp_path: Path, capsys: pytest.CaptureFixture[str], *changes: tuple[str, str]) -> str:
    """What is printed of the pair with changes to the second one, which is refused."""
    path = tmp_path / "other.yaml"
    path.write_bytes(changed(*changes, of=B))
    with pytest.raises(Refusal):
        check_two([A, path])
    return capsys.readouterr().out


def test_the_examples_fit_and_are_proved(capsys: pytest.CaptureFixture[str]) -> None:
    check_two([A, B])
    said = capsys.readouterr().out
    assert said.count("0 errors, 0 warnings, 0 advice") == 2
    assert "two-edges-a.yaml and two-edges-b.yaml fit" in said


LAN = """  - name: lan
    device: ix5
    role: lan
    addresses: [198.51.100.193/26, 2001:db8:ee:8010::1/64]
    reachable: [{address: 198.51.100.194, port: 443}]

  - name: management"""


def test_a_lan_of_one_box_goes_by_both_edges(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.yaml"
    path.write_bytes(changed(("  - name: management", LAN), of=B))
    check_two([A, path])
    assert "two-edges-a.yaml and other.yaml fit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("  - 2001:db8:ee::/48", "  - 2001:db8:ee::/47"), "2001:db8:ee::/47, 2001:db8:ee::/48"),
        (("addresses: [10.64.0.2/30,", "addresses: [10.64.0.3/29,"), "10.64.0.2 is no address of"),
        (("addresses: [10.64.0.2/30,", "addresses: [10.64.0.2/29,"), "10.64.0.0/29 is no network"),
        (("    role: twin\n    addresses: [10.64.0.2", "    role: twin\n    mtu: 9000\n"
          "    addresses: [10.64.0.2"), "the MTU is 1500, and 9000 at the other end"),
        (("    networks:  ", "    md5: hQ3xZkM7sVwD2pLr9TfBn5Ya\n    networks:  "),
         "the secret of the session is another one"),
        (("      - 198.51.100.0/25", "      - 198.51.100.0/26"),
         "the twin has 198.51.100.0/26, 2001:db8:ee::/49 here"),
        (("192.0.2.195/27", "192.0.2.194/27"), "192.0.2.194 is also an address of the port"),
        (("      - 198.51.100.0/25", "      - 198.51.100.128/25"), "are of this box and of that"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_an_error(
    change: tuple[str, str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reason in told(tmp_path, capsys, change)


def test_a_site_without_a_twin_is_no_half_of_a_pair(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Refusal):
        check_two([A, ONE])
    assert "no peer has the role twin" in capsys.readouterr().out
    with pytest.raises(Refusal, match="a pair are two site files, not 1"):
        check_two([A])


def other_has(site: Site, *networks: str) -> Site:
    assert site.twin is not None
    has = tuple(ip_network(one) for one in networks)
    peers = (replace(one, networks=has if one == site.twin else one.networks) for one in site.peers)
    return replace(site, peers=tuple(peers))


def test_addresses_that_neither_edge_passes_on_are_told() -> None:
    """The rules know nothing of these sites, which do not fit: the packets show it."""
    one, other = (load(path).value for path in (A, B))
    assert [*unproved(one, other, BOX), *unproved(other, one, BOX)] == []
    less = other_has(one, "198.51.100.192/26", "2001:db8:ee:8000::/49")
    reasons = list(unproved(less, other, BOX))
    assert any("is for the other box and does not leave by the cable" in text for text in reasons)
    assert any("comes from the other box and does not leave" in text for text in reasons) or any(
        "comes from the other box and does not come in by the cable" in text for text in reasons
    )


def test_strangers_with_an_address_of_both_boxes_are_told() -> None:
    """With all addresses its own as well, this box lets the twin's pass where nobody asked."""
    one, other = (load(path).value for path in (A, B))
    more = other_has(one, "198.51.100.0/25", "2001:db8:ee::/49")
    assert list(unproved(more, other, BOX))
