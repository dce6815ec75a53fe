"""Objects of routing registries, judged by IRRd's parser."""

import pytest

from firstboot.site.model import Rir
from firstboot.site.paper import reverse
from firstboot.site.paper.details import details
from firstboot.site.paper.routing import objects
from firstboot.site.paper.rpsl import RpslObject, ascii_text, text
from tests.firstboot.site.paper.judges import irrd
from tests.firstboot.site.paper.sites import ARIN, RIPE, site


def of(rir: Rir, *changes: tuple[str, str]) -> list[RpslObject]:
    made = site(("rir: ripe", f"rir: {rir.value}"), *changes)
    return objects(made, details(made))


def one(kind: str, found: list[RpslObject]) -> RpslObject:
    return next(each for each in found if each.kind == kind)


BROKEN = (
    ("aut-num", "AS65550\n", "AS4294967296\n"),
    ("aut-num", "mnt-by: ", "mnt_by: "),
    ("as-set", "members:        AS65550", "members:        65550"),
    ("as-set", "AS65550:AS-EXIT", "AS65550:EXIT"),
    ("route", "198.51.100.0/24", "198.51.100.1/24"),
    ("route", "origin: ", "origins: "),
    ("route6", "2001:db8:ee::/48", "198.51.100.0/24"),
    ("inetnum", "198.51.100.0 - 198.51.100.255", "198.51.100.255 - 198.51.100.0"),
    ("inetnum", "status: ", "state: "),
    ("inet6num", "country:        NL\n", ""),
    ("domain", "zone-c:         EOC2-RIPE\n", ""),
)
"""Of an object of each class, a part and what is written in its place."""


def test_irrd_takes_every_object_of_every_registry() -> None:
    made = [each for rir in Rir for each in of(rir)]
    assert {each.name: found for each, found in zip(made, irrd(made), strict=True) if found} == {}


def test_irrd_refuses_each_that_is_broken() -> None:
    texts = []
    for kind, right, wrong in BROKEN:
        whole = str(one(kind, of(Rir.RIPE)))
        assert right in whole
        texts.append(whole.replace(right, wrong, 1))
    taken = [broken for broken, found in zip(BROKEN, irrd(texts), strict=True) if not found]
    assert taken == []


def test_objects_are_those_that_the_operator_writes_at_the_registry() -> None:
    policy = ["aut-num", "as-set", "route", "route6", "route6"]
    everything = [*policy, "inetnum", "inet6num", "inet6num", *["domain"] * 4]
    kinds = {rir: [each.kind for each in of(rir)] for rir in Rir}
    assert kinds == {
        Rir.RIPE: everything,
        Rir.ARIN: policy,
        Rir.APNIC: everything,
        Rir.LACNIC: ["as-set"],
        Rir.AFRINIC: everything,
    }


@pytest.mark.parametrize("rir", Rir)
def test_every_object_is_of_the_registry(rir: Rir) -> None:
    assert {each.values("source") for each in of(rir)} == {(rir.name,)}


def test_policy_has_a_pair_for_each_as_and_family() -> None:
    aut_num = one("aut-num", of(Rir.RIPE))
    assert aut_num.values("import") == (
        "from AS64496 accept ANY",
        "from AS64499 accept ANY",
        "from AS64497 accept ANY",
        "from AS65536 accept AS65536:AS-CONTENT",
    )
    assert aut_num.values("mp-import") == (
        *(f"afi ipv6.unicast {line}" for line in aut_num.values("import")),
        "afi ipv6.unicast from AS65537 accept AS65537",
    )
    assert {line.rpartition(" ")[2] for line in aut_num.values("export")} == {"AS65550:AS-EXIT"}
    assert len(aut_num.values("mp-export")) == len(aut_num.values("mp-import"))


def test_the_as_set_is_hierarchical_and_has_the_network_alone() -> None:
    found = one("as-set", of(Rir.RIPE))
    assert found.name == "AS65550:AS-EXIT"
    assert found.values("members") == ("AS65550",)


def test_there_is_a_route_for_each_prefix_from_the_own_as() -> None:
    routes = [each for each in of(Rir.RIPE) if each.kind.startswith("route")]
    assert [each.name for each in routes] == [str(scope) for scope in site().scopes]
    assert {each.values("origin") for each in routes} == {("AS65550",)}


@pytest.mark.parametrize(
    ("rir", "holding", "expected"),
    [
        (Rir.RIPE, "portable", ["ASSIGNED PI", "ASSIGNED PI"]),
        (Rir.RIPE, "allocated", ["ALLOCATED PA", "ALLOCATED-BY-RIR"]),
        (Rir.RIPE, "member", ["ASSIGNED PA", "ASSIGNED"]),
        (Rir.APNIC, "member", ["ASSIGNED NON-PORTABLE", "ASSIGNED NON-PORTABLE"]),
        (Rir.AFRINIC, "allocated", ["ALLOCATED PA", "ALLOCATED-BY-RIR"]),
    ],
)
def test_prefixes_have_the_status_of_their_registry(
    rir: Rir, holding: str, expected: list[str]
) -> None:
    found = of(rir, ("holding: portable", f"holding: {holding}"))
    kinds = [one(kind, found) for kind in ("inetnum", "inet6num")]
    assert [value for each in kinds for value in each.values("status")] == expected


def test_whoever_looks_up_a_prefix_learns_what_it_is_and_whom_to_write() -> None:
    said = " ".join(one("inetnum", of(Rir.RIPE)).values("remarks"))
    assert "Tor exit relays" in said
    assert "https://example.net/exit" in said
    assert "abuse@example.net" in said


def test_no_secret_and_no_address_of_a_port_is_in_an_object() -> None:
    made = text(of(Rir.RIPE))
    for peer in site().peers:
        assert peer.md5 is None or peer.md5 not in made
    assert "192.0.2." not in made
    assert "203.0.113." not in made


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Förderverein Ausgänge", "Forderverein Ausgange"),
        ("Ø & Ł – ’t", "O & L - 't"),  # noqa: RUF001
        ("Луковая сеть", None),
    ],
)
def test_names_are_written_in_ascii(name: str, expected: str | None) -> None:
    assert ascii_text(name) == expected


def test_a_name_in_other_letters_gives_way_to_that_of_the_network() -> None:
    found = of(Rir.APNIC, ("Example Onion Coöperatie", "Луковая сеть"))
    assert one("route", found).values("descr") == ("EXAMPLE-ONION",)
    assert text(found).isascii()


def test_reverse_zones_are_whole_octets_and_digits() -> None:
    names = [reverse.zone_name(zone) for zone in reverse.zones(site().scopes)]
    assert names == [
        "100.51.198.in-addr.arpa",
        "e.e.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
        "a.0.0.0.0.f.f.f.3.ip6.arpa",
        "b.0.0.0.0.f.f.f.3.ip6.arpa",
    ]


def test_arin_has_no_organisations_in_its_routing_registry() -> None:
    made = site(of=ARIN)
    assert not [each for each in objects(made, details(made)) if each.values("org")]
    assert RIPE != ARIN
