"""The record at PeeringDB, from which peers take limits, filters and addresses."""

from collections.abc import Iterator

from firstboot.core.fault import listed
from firstboot.site.model import PeerRole, PortRole, Site
from firstboot.site.paper.details import Details
from firstboot.site.paper.drift.drift import Drift
from firstboot.site.paper.peeringdb import record
from firstboot.site.published.peeringdb import Net, PeeringDb


def compare(site: Site, details: Details, found: PeeringDb, source: str) -> Iterator[Drift]:
    if "net" in found.objects:
        net = found.net(site.as_number)
        if net is None:
            yield Drift(
                source,
                f"there is no network with AS{site.asn}",
                "Most networks peer with nobody who is not there. Add the record of "
                "peeringdb/network.json",
            )
        else:
            yield from _limits(site, net, source)
            yield from _set(site, details, net, source)
            yield from _rest(site, details, net, source)
    if "netixlan" in found.objects:
        yield from _ports(site, found, source)


def _limits(site: Site, net: Net, source: str) -> Iterator[Drift]:
    for version, limit in ((4, net.prefixes4), (6, net.prefixes6)):
        announced = sum(scope.version == version for scope in site.scopes)
        if limit is None and announced:
            yield Drift(
                source,
                f"the number of IPv{version} prefixes is not there, and the site announces "
                f"{announced}",
                "Peers guess their limit. Write the number",
            )
        elif limit is not None and limit < announced:
            yield Drift(
                source,
                f"info_prefixes{version} is {limit}, and the site announces {announced}",
                "Peers who take their limit from it close the session. Write the larger number",
            )


def _set(site: Site, details: Details, net: Net, source: str) -> Iterator[Drift]:
    wanted = str(record(site, details)["irr_as_set"])
    said = net.irr_as_set
    if said is None:
        yield Drift(
            source,
            "irr_as_set is empty",
            f"Peers who filter by the registry take nothing. Write {wanted}",
        )
        return
    names = said.upper().split()
    if wanted.upper() in names:
        return
    if wanted.partition("::")[2].upper() in names:
        yield Drift(
            source,
            f"irr_as_set is {said}, without the registry in front",
            "Sets of one name can be in several registries, and anybody may make one in some of "
            f"them: filters may be made from a stranger's. Write {wanted}",
        )
        return
    yield Drift(
        source,
        f"irr_as_set is {said}, and the site's is {wanted}",
        f"Filters are made from another set than you maintain. Write {wanted}",
    )


def _rest(site: Site, details: Details, net: Net, source: str) -> Iterator[Drift]:
    served = any(peer.role is PeerRole.ROUTE_SERVER for peer in site.peers)
    if net.no_route_servers and served:
        yield Drift(
            source,
            "info_never_via_route_servers is set, and the site has sessions with route servers",
            "Members of the exchange drop your routes from there. Unset it",
        )


def _ports(site: Site, found: PeeringDb, source: str) -> Iterator[Drift]:
    ports = [port for port in site.ports if port.role is PortRole.EXCHANGE]
    own = {one.ip for port in ports for one in port.addresses}
    own = {one for one in own if not one.is_link_local}
    said = {one for port in found.presences if port.asn == site.asn for one in port.addresses}
    if own - said:
        yield Drift(
            source,
            f"the port with {listed(sorted(map(str, own - said)))} is not there",
            "Peers who configure from it have no address for the session. Add the port at the "
            "exchange's page",
        )
    if said - own:
        yield Drift(
            source,
            f"it has a port with {listed(sorted(map(str, said - own)))}, which the site has not",
            "Peers set up sessions that never come up. Remove it, or correct the site",
        )
