"""Which ROAs of all are kept: those that overlap the scopes, and those of the AS."""

import json
from ipaddress import ip_network

import pytest

from firstboot.core.refusal import Refusal
from firstboot.core.values import Network
from firstboot.site.published.rpki import Validated, overlap, parse

SCOPES: list[Network] = [ip_network("198.51.100.0/24"), ip_network("2001:db8:ee::/48")]

PREFIXES = [
    f"{start}/{length}"
    for start, lengths in {
        "0.0.0.0": (0, 8),
        "128.0.0.0": (1, 24),
        "192.0.0.0": (2, 8),
        "198.0.0.0": (8, 15),
        "198.51.0.0": (16, 17),
        "198.51.100.0": (22, 24, 32),
        "198.51.101.0": (24,),
        "19.8.51.0": (24,),
        "::": (0, 16),
        "2000::": (3, 12, 16),
        "2001::": (16, 24),
        "2001:db8::": (32, 48),
        "2001:DB8:00ee::": (48, 64),
        "2001:0db8:ef::": (48,),
        "198::": (16,),
    }.items()
    for length in lengths
]


def read(*rows: dict[str, object]) -> Validated:
    return parse(json.dumps({"roas": rows}).encode(), "rpki.json", 64500, SCOPES)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_roa_is_kept_if_it_overlaps_a_scope_or_is_of_the_as(prefix: str) -> None:
    stranger = read({"asn": 64501, "prefix": prefix})
    expected = any(overlap(ip_network(prefix), scope) for scope in SCOPES)
    assert [str(one.prefix) for one in stranger.payloads] == (
        [str(ip_network(prefix))] if expected else []
    )
    assert len(read({"asn": "AS64500", "prefix": prefix}).payloads) == 1


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"asn": 1},
        {"prefix": "192.0.2.0/24"},
        {"asn": 1, "prefix": 7},
        {"asn": 1, "prefix": "198.51.100.1/24"},
        {"asn": "x", "prefix": "198.51.100.0/24"},
    ],
)
def test_a_row_that_is_no_roa_is_told(row: dict[str, object]) -> None:
    with pytest.raises(Refusal, match="a ROA in it has no AS number or no prefix"):
        read({"asn": 1, "prefix": "192.0.2.0/24"}, row)
