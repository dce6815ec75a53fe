"""The objects of a site in a routing registry: policy, routes, prefixes, reverse zones."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from types import MappingProxyType

from firstboot.core.values import Network
from firstboot.site.model import Peer, PeerRole, Site
from firstboot.site.paper import reverse
from firstboot.site.paper.details import Details
from firstboot.site.paper.rpsl import RpslObject, ascii_text

Attributes = list[tuple[str, str]]


def objects(
    site: Site, details: Details, ds: Mapping[str, str] = MappingProxyType({})
) -> list[RpslObject]:
    """All objects that the operator writes, in the order in which the registry takes them. `ds`
    has what DS records say, by the names of zones."""
    found = [as_set(site, details)]
    if details.form.policy:
        found.insert(0, aut_num(site, details))
        found += [route(site, details, scope) for scope in site.scopes]
    if details.form.statuses:
        found += [numbers(site, details, scope) for scope in site.scopes]
        found += [domain(site, details, zone, ds) for zone in reverse.zones(site.scopes)]
    return found


def aut_num(site: Site, details: Details) -> RpslObject:
    """The AS: from whom it takes which routes, and to whom it announces its own."""
    return RpslObject(
        (
            ("aut-num", f"AS{site.asn}"),
            ("as-name", details.network),
            ("descr", description(site, details)),
            *_organisation(details),
            *policy(site, details),
            *(("remarks", line) for line in remarks(site)),
            *_contacts(details),
            *_end(details),
        )
    )


def policy(site: Site, details: Details) -> Attributes:
    """Import and export, a pair for each AS and family (RFC 2622, section 6; RFC 4012, section
    2.5): transits and route servers may send any route, peers their own and their customers'."""
    found: Attributes = []
    for version, prefix, afi in ((4, "", ""), (6, "mp-", "afi ipv6.unicast ")):
        for peer in (one for one in site.peers if one.role is not PeerRole.TWIN):
            if any(address.version == version for address in peer.addresses):
                found += [
                    (f"{prefix}import", f"{afi}from AS{peer.asn} accept {accepted(peer)}"),
                    (f"{prefix}export", f"{afi}to AS{peer.asn} announce {details.as_set}"),
                ]
    return list(dict.fromkeys(found))


def accepted(peer: Peer) -> str:
    """The filter for a peer's routes. RPSL has no name of a registry in front of a set."""
    if peer.irr is not None:
        return peer.irr.rpartition("::")[2].upper()
    return f"AS{peer.asn}" if peer.role is PeerRole.PEER else "ANY"


def as_set(site: Site, details: Details) -> RpslObject:
    """What others may take from this network: itself, for it has no customers."""
    return RpslObject(
        (
            ("as-set", details.as_set),
            ("descr", description(site, details)),
            ("members", f"AS{site.asn}"),
            *_contacts(details),
            *_end(details),
        )
    )


def route(site: Site, details: Details, scope: Network) -> RpslObject:
    kind = "route" if isinstance(scope, IPv4Network) else "route6"
    return RpslObject(
        (
            (kind, str(scope)),
            ("descr", description(site, details)),
            ("origin", f"AS{site.asn}"),
            *_end(details),
        )
    )


def numbers(site: Site, details: Details, scope: Network) -> RpslObject:
    """The prefix as the registry has it, with remarks for people who look up an address."""
    v4 = isinstance(scope, IPv4Network)
    name = f"{scope[0]} - {scope[-1]}" if v4 else str(scope)
    assert details.form.statuses is not None
    return RpslObject(
        (
            ("inetnum" if v4 else "inet6num", name),
            ("netname", details.network),
            ("descr", description(site, details)),
            *(("remarks", line) for line in remarks(site)),
            ("country", details.country),
            *_organisation(details),
            *_contacts(details),
            (details.form.abuse, details.abuse),
            ("status", details.form.statuses[details.holding][0 if v4 else 1]),
            *_end(details),
        )
    )


def domain(site: Site, details: Details, zone: Network, ds: Mapping[str, str]) -> RpslObject:
    """The delegation of a reverse zone."""
    name = reverse.zone_name(zone)
    return RpslObject(
        (
            ("domain", name),
            ("descr", f"Reverse zone of {description(site, details)}"),
            *_contacts(details),
            ("zone-c", details.contact),
            *(("nserver", server) for server in details.servers),
            *([("ds-rdata", ds[name])] if name in ds else []),
            *_end(details),
        )
    )


def description(site: Site, details: Details) -> str:
    """The operator's name; where it is not in Latin letters, the network's."""
    return ascii_text(site.operator.name) or details.network


def remarks(site: Site) -> Iterator[str]:
    """What everybody should know who looks up an address, a line each."""
    yield "Tor exit relays. Connections from these addresses are made by users of"
    yield "the Tor network. We neither know who they are nor write down what they do."
    yield f"What that means, and why we do it: {site.operator.url}"
    yield f"Complaints: {site.operator.abuse}"


def _organisation(details: Details) -> Attributes:
    """Where organisations are objects of the same database as the others."""
    return [("org", details.organisation)] if details.form.statuses else []


def _contacts(details: Details) -> Attributes:
    return [("admin-c", details.contact), ("tech-c", details.contact)]


def _end(details: Details) -> Attributes:
    return [("mnt-by", details.maintainer), ("source", details.form.source)]
