"""Requests for ROAs and an ASPA."""

import csv
import json
from ipaddress import ip_network

import defusedxml.ElementTree as ElementTree
import pytest

from firstboot.site.model import Rir
from firstboot.site.paper.rpki import ARIN as NAMESPACE
from firstboot.site.paper.rpki import requests, roas
from tests.firstboot.site.paper.sites import ARIN, BOTH, RIPE, site


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)
def test_max_length_is_the_length_of_the_prefix(path: object) -> None:
    made = site(of=path)
    assert [roa.prefix for roa in roas(made)] == list(made.scopes)
    assert all(roa.max_length == roa.prefix.prefixlen for roa in roas(made))


@pytest.mark.parametrize("rir", Rir)
def test_the_table_for_portals_has_every_prefix(rir: Rir) -> None:
    head, *rows = csv.reader(requests(site(), rir)["roas.csv"].splitlines())
    assert head == ["Prefix", "Origin AS", "Max length"]
    assert rows == [
        ["198.51.100.0/24", "AS65550", "24"],
        ["2001:db8:ee::/48", "AS65550", "48"],
        ["3fff:0:a000::/35", "AS65550", "35"],
    ]


def test_the_request_to_the_ripe_ncc_adds_every_roa_and_deletes_none() -> None:
    body = json.loads(requests(site(), Rir.RIPE)["roas.json"])
    assert body["deleted"] == []
    assert [roa["prefix"] for roa in body["added"]] == [str(one) for one in site().scopes]
    for roa in body["added"]:
        assert roa["asn"] == "AS65550"
        assert roa["maximalLength"] == roa["prefix"].rpartition("/")[2]


def test_the_transaction_for_arin_has_roas_and_an_aspa() -> None:
    root = ElementTree.fromstring(requests(site(of=ARIN), Rir.ARIN)["transaction.xml"])
    names = {"r": NAMESPACE}
    assert root.tag == f"{{{NAMESPACE}}}rpkiTransaction"
    found = [
        tuple(
            resource.findtext(f"r:{name}", namespaces=names)
            for name in ("startAddress", "cidrLength", "maxLength")
        )
        for resource in root.iterfind(".//r:roaSpecResource", names)
    ]
    assert found == [("198.51.100.0", "24", "24"), ("2001:db8:ee::", "48", "48")]
    for spec in root.iterfind(".//r:roaSpec", names):
        name = spec.findtext("r:name", namespaces=names)
        assert name is not None
        assert name.replace(" ", "").replace("-", "").isalnum()
    assert [one.text for one in root.iterfind(".//r:providerAsId", names)] == ["64496"]
    assert [one.text for one in root.iterfind(".//r:customerAsId", names)] == ["64511"]


def test_an_aspa_lists_the_transits_alone() -> None:
    assert requests(site(), Rir.RIPE)["aspa.txt"] == "AS65550 => AS64496, AS64499\n"


def test_there_is_no_aspa_without_transits() -> None:
    made = site(
        (
            "    role: transit\n    addresses: [192.0.2.1,",
            "    role: peer\n    addresses: [192.0.2.1,",
        ),
        of=ARIN,
    )
    files = requests(made, Rir.ARIN)
    assert "aspa.txt" not in files
    assert "aspaAdd" not in files["transaction.xml"]


def test_every_prefix_of_a_roa_is_one() -> None:
    for roa in roas(site(of=RIPE)):
        assert ip_network(str(roa.prefix)) == roa.prefix
