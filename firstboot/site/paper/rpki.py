"""Requests for ROAs and an ASPA, as the registry's programming interface or portal takes them.

A ROA (RFC 9582) lets one AS announce one prefix. Its maxLength is the prefix's length: a longer one
would let anybody hijack a part of the prefix by pretending to be behind this AS (RFC 9319). An ASPA
(draft-ietf-sidrops-aspa-profile) lists the transits of an AS.

- RIPE NCC: RPKI Management API, ``POST /api/rpki/roas/publish``
- ARIN: RPKI Transaction Payload, ``POST /rest/rpki/ORGHANDLE`` of Reg-RWS; ROA and ASPA in one
- the others: the table, to type into their portals
"""

import json
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from firstboot.core.values import Asn, Network
from firstboot.site.model import PeerRole, Rir, Site

ARIN = "http://www.arin.net/regrws/rpki/v1"


@dataclass(frozen=True)
class Roa:
    origin: Asn
    prefix: Network

    @property
    def max_length(self) -> int:
        return self.prefix.prefixlen


@dataclass(frozen=True)
class Aspa:
    customer: Asn
    providers: tuple[Asn, ...]
    """In ascending order, as the object has them."""


def roas(site: Site) -> list[Roa]:
    return [Roa(site.as_number, scope) for scope in site.scopes]


def aspa(site: Site) -> Aspa | None:
    """None for a site without transits: an ASPA that lists nobody makes its routes invalid behind
    everybody."""
    transits = {peer.asn for peer in site.peers if peer.role is PeerRole.TRANSIT}
    return Aspa(site.as_number, tuple(sorted(transits))) if transits else None


def requests(site: Site, rir: Rir) -> dict[str, str]:
    """The files by their names."""
    wanted, providers = roas(site), aspa(site)
    files = {"roas.csv": table(wanted)}
    if rir is Rir.RIPE:
        files["roas.json"] = for_ripe(wanted)
    if rir is Rir.ARIN:
        files["transaction.xml"] = for_arin(wanted, providers)
    if providers is not None:
        files["aspa.txt"] = f"AS{providers.customer} => {_listed(providers)}\n"
    return files


def table(wanted: list[Roa]) -> str:
    rows = [f"{roa.prefix},AS{roa.origin},{roa.max_length}" for roa in wanted]
    return "\n".join(["Prefix,Origin AS,Max length", *rows]) + "\n"


def for_ripe(wanted: list[Roa]) -> str:
    added = [
        {"asn": f"AS{roa.origin}", "prefix": str(roa.prefix), "maximalLength": str(roa.max_length)}
        for roa in wanted
    ]
    return json.dumps({"added": added, "deleted": []}, indent=2) + "\n"


def for_arin(wanted: list[Roa], providers: Aspa | None) -> str:
    """`autoLink` is off: the route objects are written by hand."""
    root = Element("rpkiTransaction", xmlns=ARIN)
    specs = SubElement(root, "roaSpecAdd")
    for roa in wanted:
        spec = SubElement(specs, "roaSpec")
        address = str(roa.prefix.network_address)
        _texts(spec, autoLink="false", asNumber=roa.origin)
        name = address.replace(".", "-").replace("::", "").replace(":", "-")
        _texts(spec, name=f"AS{roa.origin} {name}-{roa.max_length}")
        resource = SubElement(SubElement(spec, "resources"), "roaSpecResource")
        length = roa.prefix.prefixlen
        _texts(resource, startAddress=address, cidrLength=length, maxLength=roa.max_length)
    if providers is not None:
        one = SubElement(SubElement(root, "aspaAdd"), "aspa")
        _texts(one, customerAsId=providers.customer)
        listed = SubElement(one, "providerAsIds")
        for provider in providers.providers:
            _texts(listed, providerAsId=provider)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _texts(parent: Element, **texts: object) -> None:
    for name, said in texts.items():
        SubElement(parent, name).text = str(said)


def _listed(providers: Aspa) -> str:
    return ", ".join(f"AS{provider}" for provider in providers.providers)
