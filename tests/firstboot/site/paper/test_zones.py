"""Zones of the addresses, judged by BIND."""

from ipaddress import IPv4Network, ip_address, ip_network
from pathlib import Path

import pytest

from firstboot.core.values import Network
from firstboot.site.address_plan import allot
from firstboot.site.paper import reverse
from firstboot.site.paper.details import details
from firstboot.site.paper.zones import Zone, all_zones, mailbox, of_others
from tests.command import exitisp
from tests.firstboot.site.paper.sites import ARIN, BOTH, PROVIDED, RELAYS_ONLY, RIPE, site
from tests.firstboot.site.paper.zone_judges import named_checkzone, records
from tests.firstboot.site.sites import changed

ALL = (*BOTH, RELAYS_ONLY)
SERIAL = 2026113001


def zones(*changes: tuple[str, str], of: object = RIPE) -> list[Zone]:
    made = site(*changes, of=of)
    return all_zones(made, details(made), SERIAL)


def together(found: list[Zone]) -> dict[tuple[str, str], list[str]]:
    return {key: data for zone in found for key, data in records(zone.text).items()}


def pointers(found: list[Zone]) -> dict[str, str]:
    return {name: data for (name, kind), (data, *_) in together(found).items() if kind == "PTR"}


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_bind_takes_every_zone(path: Path, tmp_path: Path) -> None:
    for zone in zones(of=path):
        file = tmp_path / zone.file
        file.write_text(zone.text)
        assert named_checkzone(zone.name, file) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("IN A 198.51.100.12", "IN A 198.51.100.256"),
        ("0 issue", "256 issue"),
        ("tor-exit-2 IN AAAA", "tor_exit-2 IN AAAA"),
        ("@ IN NS ns1.example.org.\n@ IN NS ns2.example.com.\n", ""),
    ],
)
def test_bind_refuses_a_zone_that_is_broken(right: str, wrong: str, tmp_path: Path) -> None:
    zone = zones()[0]
    assert right in zone.text
    file = tmp_path / zone.file
    file.write_text(zone.text.replace(right, wrong, 1))
    assert named_checkzone(zone.name, file)


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)
def test_every_address_of_the_plan_has_a_name_that_leads_back_to_it(path: Path) -> None:
    found = zones(of=path)
    names, everything = pointers(found), together(found)
    for address in allot(site(of=path)).addresses:
        name = names[f"{address.reverse_pointer}."]
        kind = "A" if address.version == 4 else "AAAA"
        assert str(address) in everything[name, kind]


def test_names_say_what_the_addresses_are() -> None:
    names = pointers(zones())
    plan = allot(site())
    domain = "exit.example.net."
    for relay in plan.relays:
        for address in relay.source:
            name = names[f"{address.reverse_pointer}."]
            assert name == f"tor-exit-{relay.number}.{domain}"
        assert relay.listen.v6 is not None
        assert names[f"{relay.listen.v6.reverse_pointer}."] == f"tor-relay-{relay.number}.{domain}"
    for address in plan.router:
        assert names[f"{address.reverse_pointer}."] == f"router.{domain}"
    for address in plan.resolver:
        assert names[f"{address.reverse_pointer}."] == f"resolver.{domain}"
    assert names["129.100.51.198.in-addr.arpa."] == f"link-lan.{domain}"


def test_an_address_that_is_an_exit_among_others_is_called_an_exit() -> None:
    """With one address of a provider, relays listen where their exit traffic comes from."""
    made = site(
        ("  - 198.51.100.130/31\n  - 198.51.100.132/30\n", "  - 198.51.100.130/31\n"),
        of=RELAYS_ONLY,
    )
    names = pointers(all_zones(made, details(made), SERIAL))
    shared = {one.listen.v4 for one in allot(made).relays} & {
        one.source.v4 for one in allot(made).relays
    }
    assert shared
    for address in shared:
        assert address is not None
        zone = "130-131.100.51.198.in-addr.arpa."
        assert names[f"{address.packed[-1]}.{zone}"] == "tor-exit-1.exit.example.com."


def test_links_have_names_and_the_management_port_has_none() -> None:
    text = zones()[0].text
    assert "link-transit-a IN A 192.0.2.2\n" in text
    assert "link-exchange IN AAAA 2001:db8:200::10\n" in text
    assert "192.0.2.194" not in text
    assert "management" not in text


def test_ports_of_similar_names_have_different_ones_in_the_zone() -> None:
    text = zones(
        ("name: transit-a", "name: Transit_A."),
        ("name: transit-b", "name: transit.a"),
    )[0].text
    assert "link-transit-a IN A 192.0.2.2\n" in text
    assert "link-transit-a-2 IN A 192.0.2.6\n" in text


def test_private_addresses_of_links_are_in_no_zone() -> None:
    changes = (("192.0.2.2/30", "10.0.0.2/30"), ("[192.0.2.1,", "[10.0.0.1,"))
    made = site(*changes, of=ARIN)
    known = details(made)
    assert "10.0.0.2" not in all_zones(made, known, SERIAL)[0].text
    assert "10.in-addr.arpa" not in of_others(made, known)


def test_zones_have_their_servers_and_serial_from_the_site() -> None:
    for zone in zones():
        found = records(zone.text)
        assert found[f"{zone.name}.", "NS"] == ["ns1.example.org.", "ns2.example.com."]
        (soa,) = found[f"{zone.name}.", "SOA"]
        assert soa.startswith(f"ns1.example.org. peering.example.net. ({SERIAL} ")


def test_the_domain_has_no_mail_and_no_certificates() -> None:
    found = records(zones()[0].text)
    with_addresses = {name for name, kind in found if kind in ("A", "AAAA")}
    assert len(with_addresses) > 30
    for name in ("exit.example.net.", *with_addresses):
        assert found[name, "MX"] == ["0 ."]
        assert found[name, "TXT"] == ['"v=spf1 -all"']
    assert '0 issue ";"' in found["exit.example.net.", "CAA"]
    assert "p=reject" in found["_dmarc.exit.example.net.", "TXT"][0]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("noc@example.org", "noc.example.org."),
        ("net.work+x@example.org", r"net\.work+x.example.org."),
    ],
)
def test_the_mail_address_of_a_zone_is_a_name(address: str, expected: str) -> None:
    assert mailbox(address) == expected


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("10.0.0.0/8", ["10.in-addr.arpa"]),
        ("198.18.0.0/23", ["0.18.198.in-addr.arpa", "1.18.198.in-addr.arpa"]),
        ("198.51.100.128/25", ["128-255.100.51.198.in-addr.arpa"]),
        ("198.51.100.130/31", ["130-131.100.51.198.in-addr.arpa"]),
        ("198.51.100.130/32", []),
        ("2001:db8::/32", ["8.b.d.0.1.0.0.2.ip6.arpa"]),
        ("2001:db8:0:1000::/63", [f"{n}.0.0.1.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" for n in "01"]),
        ("2001:db8::/126", []),
    ],
)
def test_a_prefix_has_its_zones(prefix: str, expected: list[str]) -> None:
    scope: Network = ip_network(prefix)
    assert [reverse.zone_name(zone) for zone in reverse.zones([scope])] == expected


def test_the_provider_is_asked_to_delegate_a_part_of_its_zone() -> None:
    """RFC 2317: whoever looks up an address is led to the operator's zone by the provider's."""
    made = site(of=RELAYS_ONLY)
    known = details(made)
    names = pointers(all_zones(made, known, SERIAL))
    lines = [line.split(" ") for line in of_others(made, known).splitlines() if line[0] != ";"]
    zone = "132-135.100.51.198.in-addr.arpa."
    assert [line[3] for line in lines if line[0] == zone] == [
        "ns1.example.net.",
        "ns2.example.net.",
    ]
    led = {name: data for name, _, kind, data in lines if kind == "CNAME"}
    for address in allot(made).addresses:
        if any(address in scope for scope in made.scopes if isinstance(scope, IPv4Network)):
            assert led[f"{address.reverse_pointer}."] in names


def test_others_are_asked_for_the_names_of_links() -> None:
    made = site()
    asked = of_others(made, details(made))
    link = ip_address("192.0.2.2").reverse_pointer
    assert f"{link}. IN PTR link-transit-a.exit.example.net.\n" in asked
    assert "198.in-addr.arpa" not in asked


def test_a_provider_s_single_addresses_are_asked_for_by_name() -> None:
    made = site(
        ("  - 198.51.100.130/31\n", "  - 198.51.100.130/32\n  - 198.51.100.131/32\n"),
        of=RELAYS_ONLY,
    )
    asked = of_others(made, details(made))
    assert "130.100.51.198.in-addr.arpa. IN PTR router.exit.example.com.\n" in asked
    assert "130-131" not in asked


def test_papers_of_a_provider_s_addresses_are_zones_and_letters(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_bytes(changed(PROVIDED, of=RELAYS_ONLY))
    ran = exitisp("paper", "site.yaml", "-o", "papers", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert {line.rpartition("/")[0] for line in ran.stdout.splitlines()} == {
        "papers/zones",
        "papers/letters",
    }


def test_a_site_may_say_which_serial_its_zones_have(tmp_path: Path) -> None:
    text = changed(("  domain: exit", "  serial: 2026113007\n  domain: exit"), of=RIPE)
    (tmp_path / "site.yaml").write_bytes(text)
    assert exitisp("paper", "site.yaml", "-o", ".", folder=tmp_path).returncode == 0
    for file in (tmp_path / "zones").glob("*.zone"):
        assert "(2026113007 " in file.read_text()
