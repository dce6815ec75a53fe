"""Every kind of drift, one at a time, in a world that is as the site says otherwise."""

import json
from pathlib import Path
from typing import Any

import pytest

from firstboot.site.paper.drift.drift import Drift
from firstboot.site.paper.drift.zones import addresses
from firstboot.site.paper.reverse import zone_name
from firstboot.site.paper.zones import all_zones
from tests.firstboot.site.paper.drift.publishing import (
    DAY,
    NOW,
    ZONE,
    Change,
    ds,
    entity,
    peeringdb,
    publish,
    rdap_domain,
    rdap_ip,
    replaced,
    the_details,
    the_site,
    zone,
    zones_with_names,
)

ZONE_FILE = "dns_100_51_198_in_addr_arpa_zone"


def roa(number: int, **fields: Any) -> Change:
    """Another ROA in the place of one of the site's."""

    def change(said: str) -> str:
        whole = json.loads(said)
        whole["roas"][number].update(fields)
        return json.dumps(whole)

    return change


def without_roa(number: int, *instead: dict[str, Any]) -> Change:
    def change(said: str) -> str:
        whole = json.loads(said)
        whole["roas"][number : number + 1] = instead
        return json.dumps(whole)

    return change


def providers(*numbers: int) -> Change:
    def change(said: str) -> str:
        whole = json.loads(said)
        whole["aspas"][0]["providers"] = list(numbers)
        return json.dumps(whole)

    return change


def without(kind: str, name: str) -> Change:
    """The objects of a dump without one."""

    def change(said: str) -> str:
        blocks = said.split("\n\n")
        kept = [one for one in blocks if one.split("\n")[0].split() != [f"{kind}:", name]]
        assert len(kept) < len(blocks)
        return "\n\n".join(kept)

    return change


def added(text: str) -> Change:
    return lambda said: f"{said}\n{text}\n"


BROKEN: dict[str, tuple[dict[str, str | Change | None], str]] = {
    "ROA of another AS": (
        {"rpki_json": roa(0, asn=64511)},
        "rpki.json: 198.51.100.0/24 of AS65550 is invalid: ROAs cover it, for AS64511",
    ),
    "ROA missing while a covering one of another AS is there": (
        {
            "rpki_json": without_roa(
                1, {"asn": "AS64511", "prefix": "2001:db8::/32", "maxLength": 48, "ta": "r"}
            )
        },
        "2001:db8:ee::/48 of AS65550 is invalid: ROAs cover it, for AS64511",
    ),
    "own ROA of a shorter prefix alone": (
        {"rpki_json": roa(0, prefix="198.51.0.0/16", maxLength=16)},
        "198.51.100.0/24 of AS65550 is invalid: ROAs cover it, for AS65550 up to another length",
    ),
    "ASPA without a transit": (
        {"rpki_json": providers(64496)},
        "the ASPA of AS65550 lacks the transit AS64499",
    ),
    "DS of another key": (
        {"rdap_domain_json": rdap_domain(secureDNS={"dsData": [ds(of=2)]})},
        f"the DS of {ZONE} (key {ds(of=2)['keyTag']}) is of none of its keys ({ds()['keyTag']})",
    ),
    "DS of a key with one changed bit": (
        {
            "rdap_domain_json": rdap_domain(
                secureDNS={"dsData": [{**ds(), "digest": "0" + ds()["digest"][1:]}]}
            )
        },
        f"the DS of {ZONE} (key {ds()['keyTag']}) is of none of its keys",
    ),
    "DS of a zone that is not signed": (
        {
            ZONE_FILE: lambda said: "".join(
                line
                for line in said.splitlines(keepends=True)
                if not {"DNSKEY", "RRSIG", "NSEC"} & set(line.split()[:5])
            )
        },
        f"the registry has a DS of {ZONE}, and the zone has no key",
    ),
    "signatures that ended": (
        {ZONE_FILE: zone(ends=NOW - DAY)},
        f"DNSKEY of {ZONE} has a signature that ended",
    ),
    "name changed after it was signed": (
        {ZONE_FILE: replaced("exit.example.net.", "exit.example.com.")},
        "PTR of 1.100.51.198.in-addr.arpa has no signature of the zone's keys that holds",
    ),
}

TOLD: dict[str, tuple[dict[str, str | Change | None], str]] = {
    "ROA missing": ({"rpki_json": without_roa(0)}, "no ROA covers 198.51.100.0/24"),
    "maxLength longer": (
        {"rpki_json": roa(1, maxLength=64)},
        "the ROA for 2001:db8:ee::/48 up to /64 of AS65550 lets parts of 2001:db8:ee::/48 be",
    ),
    "ROA of another AS beside": (
        {"rpki_json": without_roa(3, {"asn": 64511, "prefix": "198.51.100.0/24"})},
        "ROAs let AS64511 announce 198.51.100.0/24 too",
    ),
    "ROA of a prefix that is gone": (
        {"rpki_json": without_roa(3, {"asn": 65550, "prefix": "192.0.2.0/24", "maxLength": 24})},
        "the ROA for 192.0.2.0/24 up to /24 of AS65550 is of no prefix of the site",
    ),
    "ASPA with somebody else": (
        {"rpki_json": providers(64496, 64499, 64511)},
        "the ASPA of AS65550 has AS64511, which is no transit of the site",
    ),
    "route missing": (
        {"irr_ripe_txt": without("route", "198.51.100.0/24")},
        "there is no route 198.51.100.0/24 with the origin AS65550. Upstreams",
    ),
    "route of another origin": (
        {
            "irr_ripe_txt": replaced(
                "route:          198.51.100.0/24\ndescr:          Example Onion Cooperatie\n"
                "origin:         AS65550",
                "route:          198.51.100.0/24\norigin: AS64511",
            )
        },
        "there is no route 198.51.100.0/24 with the origin AS65550; the one that is there has the "
        "origin AS64511. Upstreams and route servers that filter by the registry take the prefix "
        "from AS64511, and not from you",
    ),
    "second route of another origin": (
        {"irr_ripe_txt": added("route6: 2001:db8:ee::/48\norigin: AS64511\nsource: RIPE")},
        "there is also a route6 2001:db8:ee::/48 with the origin AS64511",
    ),
    "as-set missing": (
        {"irr_ripe_txt": without("as-set", "AS65550:AS-EXIT"), "irr_2.txt": "as-set: AS-OTHER"},
        "there is no as-set AS65550:AS-EXIT",
    ),
    "as-set without us": (
        {"irr_ripe_txt": replaced("members:        AS65550\n", "members:\n")},
        "the as-set AS65550:AS-EXIT does not have AS65550",
    ),
    "as-set with a stranger": (
        {"irr_ripe_txt": replaced("members:        AS65550\n", "members: AS65550,\n+ AS64511\n")},
        "the as-set AS65550:AS-EXIT has AS64511",
    ),
    "aut-num without a peer": (
        {"irr_ripe_txt": lambda said: said.replace("AS65537", "AS65536")},
        "the aut-num AS65550 has no import or export for AS65537",
    ),
    "aut-num with a peer that is gone": (
        {"irr_ripe_txt": replaced("to AS64499 announce", "to AS64511 announce")},
        "the aut-num AS65550 has AS64511, who is no peer of the site",
    ),
    "inetnum without complaints": (
        {
            "irr_ripe_txt": lambda said: "".join(
                line
                for line in said.splitlines(keepends=True)
                if not line.startswith(("abuse-c", "org:"))
            )
        },
        "inetnum 198.51.100.0 - 198.51.100.255 has nobody who takes complaints",
    ),
    "WHOIS with another mail address": (
        {
            "whois-ip.txt": "% Abuse contact for '198.51.100.0 - 198.51.100.255' is 'a@b.example'\n"
            "\ninetnum: 198.51.100.0 - 198.51.100.255\norg: ORG-EOC1-RIPE\n"
        },
        "complaints about 198.51.100.0 - 198.51.100.255 go to a@b.example, and the site says",
    ),
    "RDAP without a contact for complaints": (
        {"rdap_ip_0_json": rdap_ip("198.51.100.0/24", entities=[])},
        "rdap-ip-0.json: 198.51.100.0/24 has no contact for complaints",
    ),
    "RDAP with another mail address": (
        {"rdap_ip_0_json": rdap_ip("198.51.100.0/24", entities=[entity("noc@example.org")])},
        "complaints about 198.51.100.0/24 go to noc@example.org, and the site says abuse@example",
    ),
    "delegated to a server that is gone": (
        {"rdap_domain_json": rdap_domain(nameservers=[{"ldhName": "NS9.example.org"}])},
        f"the zone {ZONE} is delegated to ns9.example.org too",
    ),
    "limit at PeeringDB below what is announced": (
        {"peeringdb_json": peeringdb(info_prefixes6=1)},
        "info_prefixes6 is 1, and the site announces 2. Peers who take their limit from it close",
    ),
    "irr_as_set without a registry": (
        {"peeringdb_json": peeringdb(irr_as_set="AS65550:AS-EXIT")},
        "irr_as_set is AS65550:AS-EXIT, without the registry in front",
    ),
    "another irr_as_set": (
        {"peeringdb_json": peeringdb(irr_as_set="RIPE::AS-OLD")},
        "irr_as_set is RIPE::AS-OLD, and the site's is RIPE::AS65550:AS-EXIT",
    ),
    "no irr_as_set": ({"peeringdb_json": peeringdb(irr_as_set="")}, "irr_as_set is empty"),
    "no network at PeeringDB": ({"peeringdb_json": '{"data": []}'}, "there is no network with AS"),
    "never by route servers": (
        {"peeringdb_json": peeringdb(info_never_via_route_servers=True)},
        "info_never_via_route_servers is set, and the site has sessions with route servers",
    ),
    "another address at the exchange": (
        {"peeringdb_json": replaced("203.0.113.10", "203.0.113.11")},
        "it has a port with 203.0.113.11, which the site has not",
    ),
    "signed without a DS": (
        {"rdap_domain_json": rdap_domain(secureDNS={"delegationSigned": False})},
        f"{ZONE} is signed, and there is no DS of it",
    ),
    "name missing": (
        {
            "dns-x.txt": ";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 7\n"
            ";; QUESTION SECTION:\n;2.100.51.198.in-addr.arpa. IN PTR\n",
            ZONE_FILE: None,
        },
        "198.51.100.2 has no name",
    ),
    "servers that fail": (
        {
            "dns-x.txt": ";; ->>HEADER<<- opcode: QUERY, status: SERVFAIL, id: 7\n"
            ";; QUESTION SECTION:\n;2.100.51.198.in-addr.arpa. IN PTR\n",
            ZONE_FILE: None,
        },
        "the resolver answered SERVFAIL for 2.100.51.198.in-addr.arpa",
    ),
}


def drifts(folder: Path, files: dict[str, str | Change | None], most: int) -> list[Drift]:
    """What is found where `files` differ: that, and no more than `most`. A server that is another
    one is one too much, and one is lacking; a zone has a signature for each name."""
    found = publish(folder, **files).drifts()
    assert 1 <= len(found) <= most, found
    for one in found:
        assert str(one).endswith("."), one
        assert ". " in one.effect, "what to do is said"
        assert ".." not in str(one), one
    return found


def test_a_world_that_is_as_the_site_says_has_no_drift(tmp_path: Path) -> None:
    assert publish(tmp_path).drifts() == []


def test_the_world_has_names_of_both_families() -> None:
    names = [zone_name(one) for one in zones_with_names()]
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in names} == {"in-addr", "ip6"}
    assert len(addresses(the_site())) > 30


@pytest.mark.parametrize("name", BROKEN)
def test_what_makes_routes_invalid_or_names_bogus_breaks(name: str, tmp_path: Path) -> None:
    files, expected = BROKEN[name]
    found = drifts(tmp_path, files, most=70)
    breaking = [str(one) for one in found if one.breaks]
    assert any(expected in one for one in breaking), found
    assert all(one.startswith("breaks: ") for one in breaking)


@pytest.mark.parametrize("name", TOLD)
def test_what_differs_otherwise_is_told(name: str, tmp_path: Path) -> None:
    files, expected = TOLD[name]
    found = drifts(tmp_path, files, most=3)
    assert not any(one.breaks for one in found), found
    assert any(expected in str(one) for one in found), list(map(str, found))


def test_a_journal_takes_back_what_it_deletes(tmp_path: Path) -> None:
    journal = (
        "%START Version: 3 RIPE 10-11\n\nADD 10\n\nroute: 198.51.100.0/24\norigin: AS64511\n"
        "source: RIPE\n\nDEL 11\n\nroute: 198.51.100.0/24\norigin: AS64511\nsource: RIPE\n\n%END\n"
    )
    assert publish(tmp_path / "a", **{"irr-journal.nrtm": journal}).drifts() == []
    half = journal.partition("DEL 11")[0]
    assert publish(tmp_path / "b", **{"irr-journal.nrtm": half}).drifts()


def test_the_zones_of_the_papers_have_what_is_compared(tmp_path: Path) -> None:
    reverse = [one for one in all_zones(the_site(), the_details(), 7) if "arpa" in one.file]
    assert len(reverse) > 1
    world = publish(tmp_path)
    for path in tmp_path.glob("dns-*"):
        path.unlink()
    for path in tmp_path.glob("rdap-domain*"):
        path.unlink()
    for one in reverse:
        (tmp_path / f"dns-{one.file}").write_text(one.text)
    assert world.drifts() == []
