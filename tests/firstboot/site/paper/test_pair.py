"""Papers of two boxes that share the scopes: one AS, one pair of prefixes, one set of papers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.site.address_plan import allot
from firstboot.site.model import PeerRole, PortRole, Site, load
from firstboot.site.paper import names
from firstboot.site.paper.command import papers
from firstboot.site.paper.details import details
from firstboot.site.paper.letters.letters import letters
from firstboot.site.paper.pair import as_one, box_name
from firstboot.site.paper.rpki import aspa
from firstboot.site.paper.zones import all_zones
from tests.command import exitisp
from tests.firstboot.site.paper.zone_judges import named_checkzone, records
from tests.firstboot.site.sites import ROOT, changed

A, B = (ROOT / "examples" / f"two-edges-{name}.yaml" for name in "ab")

PAPERS = (
    "registry: {rir: ripe, network: EXAMPLE-EXIT, organisation: ORG-EEF1-RIPE, "
    "maintainer: EXAMPLE-MNT, contact: EXA1-RIPE, abuse: EXB1-RIPE, peeringdb: 99999}\n"
    "zones: {domain: exit.example.com, servers: [ns1.example.org, ns2.example.net], serial: 7}\n"
)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """The example, whose first box has what papers need."""
    first = tmp_path / "a.yaml"
    country = "  jurisdiction: Washington, United States\n"
    first.write_bytes(
        changed((country, f"{country}  country: US\n"), ("waivers:\n", f"{PAPERS}waivers:\n"), of=A)
    )
    return first, B


def both(pair: tuple[Path, Path]) -> tuple[Site, Site]:
    site, other = (load(path).value for path in pair)
    return site, other


def test_bind_takes_the_zones_of_both_boxes(pair: tuple[Path, Path], tmp_path: Path) -> None:
    site, other = both(pair)
    for zone in all_zones(site, details(site), 7, other):
        file = tmp_path / zone.file
        file.write_text(zone.text)
        assert named_checkzone(zone.name, file) == ""


def test_the_reverse_zones_name_every_address_of_both_boxes(pair: tuple[Path, Path]) -> None:
    site, other = both(pair)
    made = all_zones(site, details(site), 7, other)
    everything = {key: data for zone in made for key, data in records(zone.text).items()}
    for box, name in ((site, "edge-a"), (other, "edge-b")):
        for address in allot(box).addresses:
            (pointer,) = everything[f"{address.reverse_pointer}.", "PTR"]
            assert pointer.endswith(f".{name}.exit.example.com.")
            assert str(address) in everything[pointer, "A" if address.version == 4 else "AAAA"]
    assert ("tor-exit-1.edge-a.exit.example.com.", "A") in everything
    assert "192.0.2.194" not in made[0].text
    assert "192.0.2.195" not in made[0].text


def test_the_zones_are_the_same_whichever_box_is_named_first(pair: tuple[Path, Path]) -> None:
    site, other = both(pair)
    known = details(site)
    assert all_zones(site, known, 7, other) == all_zones(other, known, 7, site)


def test_the_registry_learns_of_the_neighbours_of_both_boxes(pair: tuple[Path, Path]) -> None:
    site, other = both(pair)
    made = papers(site, details(site), 7, twin=other)
    assert made["rpki/aspa.txt"] == "AS64511 => AS64496, AS64499\n"
    for asn in (64496, 64497, 64499):
        assert f"from AS{asn} accept ANY" in made["registry/objects.txt"]
    assert "AS64511 accept" not in made["registry/objects.txt"]
    assert json.loads(made["peeringdb/network.json"])["info_prefixes4"] == 1
    alone = aspa(site)
    assert alone is not None
    assert 64499 not in alone.providers


def test_every_neighbour_gets_its_letters(pair: tuple[Path, Path]) -> None:
    site, other = both(pair)
    made = letters(site, details(site), ROOT / "overlays", other)
    for name in ("notice-upstream-a", "authority-upstream-a", "notice-upstream-b", "port-exchange"):
        assert f"letters/{name}.txt" in made
    assert (
        "6.2.0.192.in-addr.arpa. PTR link-transit.edge-b.exit.example.com."
        in made["letters/notice-upstream-b.txt"]
    )


def test_neighbours_of_one_name_get_letters_of_their_own(pair: tuple[Path, Path]) -> None:
    site, other = both(pair)
    renamed = tuple(
        replace(peer, name="upstream-a") if peer.role is PeerRole.TRANSIT else peer
        for peer in other.peers
    )
    made = letters(site, details(site), ROOT / "overlays", replace(other, peers=renamed))
    for box, there in (("edge-a", "192.0.2.2"), ("edge-b", "192.0.2.6")):
        pointer = ".".join(reversed(there.split(".")))
        assert f"{pointer}.in-addr" in made[f"letters/notice-upstream-a-{box}.txt"]


def test_the_plan_of_both_as_one_is_that_of_the_first(pair: tuple[Path, Path]) -> None:
    site, other = both(pair)
    one = as_one(site, other)
    assert allot(one).addresses == allot(site).addresses
    assert [port.name for port in one.ports if port.role is PortRole.TRANSIT] == [
        "transit-edge-a",
        "transit-edge-b",
    ]


def test_boxes_that_call_each_other_the_same_have_different_names(
    pair: tuple[Path, Path],
) -> None:
    site, other = (
        replace(
            one,
            peers=tuple(
                replace(p, name="other") if p.role is PeerRole.TWIN else p for p in one.peers
            ),
        )
        for one in both(pair)
    )
    assert {box_name(site, other), box_name(other, site)} == {"other", "other-2"}
    assert {one.label for one in names.names(site, other)} >= {
        "tor-exit-1.other",
        "tor-exit-1.other-2",
    }


def test_one_of_two_boxes_has_no_papers_of_its_own(pair: tuple[Path, Path], tmp_path: Path) -> None:
    for more in ((), ("--check",)):
        ran = exitisp("paper", pair[0], *more, folder=tmp_path)
        assert ran.returncode == 1
        assert "Name the site of the other box with --twin" in " ".join(ran.stderr.split())
    ran = exitisp("paper", pair[0], "--twin", pair[1], "-o", "papers", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "edge-b" in (tmp_path / "papers" / "zones" / "exit.example.com.zone").read_text()


def test_published_names_of_both_boxes_are_asked_for(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    ran = exitisp("paper", "--check", pair[0], "--twin", pair[1], folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "dns-198.51.100.1.txt" in ran.stdout
    assert "dns-198.51.100.129.txt" in ran.stdout
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "rpki.json").write_text(
        json.dumps(
            {
                "roas": [
                    {"asn": 64511, "prefix": one, "maxLength": int(one.split("/")[1]), "ta": "t"}
                    for one in ("198.51.100.0/24", "2001:db8:ee::/48")
                ],
                "aspas": [{"customer_asid": 64511, "expires": 0, "providers": [64496, 64499]}],
            }
        )
    )
    arguments = ("--twin", pair[1], "--from", "published")
    ran = exitisp("paper", "--check", pair[0], *arguments, folder=tmp_path)
    assert "no difference in ROAs" in ran.stdout, ran.stdout


def test_sites_that_do_not_fit_have_no_papers(pair: tuple[Path, Path], tmp_path: Path) -> None:
    wrong = tmp_path / "b.yaml"
    wrong.write_bytes(changed(("  - 2001:db8:ee::/48", "  - 2001:db8:ee::/47"), of=B))
    ran = exitisp("paper", pair[0], "--twin", wrong, "-o", "papers", folder=tmp_path)
    assert ran.returncode == 1
    assert "2001:db8:ee::/47" in ran.stdout
    assert not (tmp_path / "papers").exists()
