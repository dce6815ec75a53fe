"""A world in which everything is published as the site says, as the files of a folder."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ed25519

from firstboot.site.model import Site
from firstboot.site.paper import reverse
from firstboot.site.paper.details import Details, details
from firstboot.site.paper.drift.compare import compare
from firstboot.site.paper.drift.drift import Drift
from firstboot.site.paper.drift.sources import read_folder
from firstboot.site.paper.drift.zones import addresses
from firstboot.site.paper.peeringdb import record
from firstboot.site.paper.reverse import zone_name
from firstboot.site.paper.routing import objects
from firstboot.site.paper.rpki import aspa, roas
from firstboot.site.paper.rpsl import text
from tests.firstboot.site.paper.sites import site as example

NOW = 1_800_000_000
DAY = 86_400
ZONE = "100.51.198.in-addr.arpa"
Change = Callable[[str], str]


@cache
def the_site() -> Site:
    return example()


@cache
def the_details() -> Details:
    return details(the_site())


@cache
def key(number: int) -> tuple[Any, Any]:
    """A private key and its record."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    return private, dns.dnssec.make_dnskey(private.public_key(), "ED25519", flags=257)


@cache
def zone(name: str = ZONE, signer: int = 1, ends: int = NOW + 9 * DAY) -> str:
    """A signed reverse zone with a name for every address of the plan that is in it."""
    servers = [f"@ 3600 IN NS {server}." for server in the_details().servers]
    names = [
        f"{address.reverse_pointer}. 3600 IN PTR exit.example.net."
        for address in addresses(the_site())
        if address.reverse_pointer.endswith(name)
    ]
    soa = "@ 3600 IN SOA ns1.example.org. hostmaster.example.org. 1 7200 3600 1209600 3600"
    made = dns.zone.from_text("\n".join([soa, *servers, *names]), f"{name}.", relativize=False)
    dns.dnssec.sign_zone(
        made, keys=[key(signer)], inception=NOW - 99 * DAY, expiration=ends, dnskey_ttl=3600
    )
    return str(made.to_text(relativize=False))


def ds(name: str = ZONE, of: int = 1) -> dict[str, Any]:
    """The DS record of a zone, as RDAP has it."""
    made = dns.dnssec.make_ds(dns.name.from_text(name), key(of)[1], "SHA256")
    return {
        "keyTag": made.key_tag,
        "algorithm": int(made.algorithm),
        "digestType": int(made.digest_type),
        "digest": made.digest.hex().upper(),
    }


def entity(mail: str = "abuse@example.net") -> dict[str, Any]:
    """A holder, with the role for complaints within."""
    card = ["vcard", [["version", {}, "text", "4.0"], ["email", {}, "text", mail]]]
    inner = {"objectClassName": "entity", "roles": ["abuse"], "vcardArray": card}
    return {"objectClassName": "entity", "roles": ["registrant"], "entities": [inner]}


def rdap_ip(scope: str, **other: Any) -> str:
    network = ip_network(scope)
    said = {
        "objectClassName": "ip network",
        "handle": "NET",
        "startAddress": str(network[0]),
        "endAddress": str(network[-1]),
        "entities": [entity()],
    }
    return json.dumps({**said, **other})


def rdap_domain(name: str = ZONE, **other: Any) -> str:
    said = {
        "objectClassName": "domain",
        "ldhName": name,
        "nameservers": [{"ldhName": server} for server in the_details().servers],
        "secureDNS": {"delegationSigned": True, "dsData": [ds(name)]},
    }
    return json.dumps({**said, **other})


def rpki(**other: Any) -> str:
    """What rpki-client writes, with somebody else's ROA beside the site's."""
    providers = aspa(the_site())
    assert providers is not None
    rows = [
        {"asn": int(one.origin), "prefix": str(one.prefix), "maxLength": one.max_length, "ta": "r"}
        for one in roas(the_site())
    ]
    rows.append({"asn": 64511, "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "r"})
    aspas = [{"customer_asid": int(providers.customer), "providers": [*providers.providers]}]
    return json.dumps({"metadata": {"roas": len(rows)}, "roas": rows, "aspas": aspas, **other})


def peeringdb(**other: Any) -> str:
    ports = [
        {
            "ix_id": 1,
            "ipaddr4": "203.0.113.10",
            "ipaddr6": "2001:db8:200::10",
            "speed": 10000,
            "is_rs_peer": True,
            "operational": True,
        }
    ]
    net = {"id": 7, **record(the_site(), the_details()), "netixlan_set": ports, **other}
    return json.dumps({"data": [net], "meta": {}})


def everything() -> dict[str, str]:
    """All files, by name. Nothing in them differs from the site."""
    return {
        "rpki.json": rpki(),
        "irr-ripe.txt": text(objects(the_site(), the_details())),
        "rdap-autnum.json": json.dumps(
            {
                "objectClassName": "autnum",
                "startAutnum": 65550,
                "endAutnum": 65550,
                "entities": [entity()],
            }
        ),
        **{f"rdap-ip-{n}.json": rdap_ip(str(one)) for n, one in enumerate(the_site().scopes)},
        "rdap-domain.json": rdap_domain(),
        "rdap-domain-6.json": rdap_domain(zone_name(zones_with_names()[1])),
        "peeringdb.json": peeringdb(),
        **{f"dns-{name}.zone": zone(name) for name in map(zone_name, zones_with_names())},
    }


def zones_with_names() -> list[Any]:
    return reverse.zones(the_site().scopes)[:2]


@dataclass(frozen=True)
class World:
    folder: Path

    def drifts(self) -> list[Drift]:
        found = read_folder(self.folder, the_site(), the_details())
        assert found.damaged == []
        return compare(the_site(), the_details(), found, NOW)


def publish(folder: Path, **files: str | Change | None) -> World:
    """A world in `folder` with some files changed, added or, with None, removed. Names are those of
    `everything`, with underscores for all that is no letter."""
    named = {
        "".join(char if char.isalnum() else "_" for char in name): name for name in everything()
    }
    made: dict[str, str | None] = dict(everything())
    for name, change in files.items():
        real = named.get(name, name)
        made[real] = change(made[real] or "") if callable(change) else change
    folder.mkdir(parents=True, exist_ok=True)
    for real, said in made.items():
        if said is not None:
            (folder / real).write_text(said)
    return World(folder)


def replaced(old: str, new: str) -> Change:
    def change(said: str) -> str:
        assert old in said, old
        return said.replace(old, new)

    return change
