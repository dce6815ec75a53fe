"""What the zones above are asked for: which servers have a zone, and which keys sign it.

RIPE NCC, APNIC and AFRINIC take both in the domain object (`firstboot.site.paper.routing`); ARIN
takes a payload for each reverse zone, ``PUT /rest/delegation/ZONE`` of Reg-RWS; LACNIC, registrars
and providers have portals, for which there is a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from firstboot.site.paper.zones import Zone

ARIN = "http://www.arin.net/regrws/core/v1"


@dataclass(frozen=True)
class Vouched:
    """What is said of the keys of signed zones, by the name of the zone: the RDATA of the DS record
    and of its DNSKEY record. Zones without are not signed."""

    ds: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)


def table(zones: Sequence[Zone], vouched: Vouched) -> str:
    """DS records for whoever asks for them, and keys for those who make the DS themselves."""
    lines = ["; DS records, of the zone above each zone"]
    lines += [f"{zone.name}. IN DS {vouched.ds[zone.name]}" for zone in zones]
    lines += ["; the same keys, for registries that make the DS records themselves"]
    lines += [f"{zone.name}. IN DNSKEY {vouched.keys[zone.name]}" for zone in zones]
    return "".join(f"{line}\n" for line in lines)


def for_arin(zone: Zone, vouched: Vouched) -> str:
    """The payload for a reverse zone."""
    root = Element("delegation", xmlns=ARIN)
    SubElement(root, "name").text = f"{zone.name}."
    servers = SubElement(root, "nameservers")
    for server in zone.servers:
        SubElement(servers, "nameserver").text = server
    if zone.name in vouched.ds:
        tag, algorithm, kind, digest = vouched.ds[zone.name].split(" ")
        key = SubElement(SubElement(root, "delegationKeys"), "delegationKey")
        SubElement(key, "algorithm").text = algorithm
        SubElement(key, "digest").text = digest
        SubElement(key, "digestType").text = kind
        SubElement(key, "keyTag").text = tag
    indent(root)
    return tostring(root, encoding="unicode") + "\n"
