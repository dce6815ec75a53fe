"""Two boxes of one operator: the port between them, the other box, and whose addresses are whose.

What the two sites have to say of each other is checked with both: `firstboot.site.rules.pair`.
"""

from collections.abc import Iterator
from ipaddress import ip_network

from firstboot.core.document import Key, quote
from firstboot.core.values import within
from firstboot.site.address_plan import allot
from firstboot.site.model import Peer, PeerRole, PortRole, Routes, Site
from firstboot.site.parts import first_part
from firstboot.site.rules.finding import Finding, error
from firstboot.site.rules.overlap import overlaps


def check(site: Site) -> Iterator[Finding]:
    twins = [at for at, peer in enumerate(site.peers) if peer.role is PeerRole.TWIN]
    ports = [at for at, port in enumerate(site.ports) if port.role is PortRole.TWIN]
    for at, peer in enumerate(site.peers):
        if peer.networks and peer.role is not PeerRole.TWIN:
            yield error(
                ("peers", at, "networks"),
                f"only a twin has a part of the scopes, and the role is {peer.role.value}",
                "Remove the key, or correct the role",
            )
    yield from _one_each(site, twins, ports)
    for at in twins[:1]:
        key = ("peers", at)
        yield from _session(site, key, site.peers[at])
        yield from _networks(site, (*key, "networks"), site.peers[at])
        yield from _of_this_box(site, site.peers[at])
        yield from _ways_out(site)


def _one_each(site: Site, twins: list[int], ports: list[int]) -> Iterator[Finding]:
    for at in ports:
        if site.provided:
            yield error(
                ("ports", at, "role"),
                "the addresses are a provider's, and a twin is told by BGP which are whose",
                "Correct the role, or remove the port",
            )
    for at in ports[1:]:
        yield error(
            ("ports", at, "role"),
            f"{quote(site.ports[ports[0]].name)} leads to the twin already",
            "Keep one; two cables between the boxes are a bundle, with the key members",
        )
    for at in twins[1:]:
        yield error(
            ("peers", at, "role"),
            f"{quote(site.peers[twins[0]].name)} is the twin already, and there are two boxes",
            "Keep one, or correct the role",
        )
    if ports and not twins and not site.provided:
        yield error(
            ("peers",),
            f"{quote(site.ports[ports[0]].name)} leads to a twin, and no peer has the role twin",
            "Add the other box to the peers: its address on this port, the AS number of this site, "
            "and its networks",
        )
    if twins and not ports and not site.provided:
        yield error(
            ("peers", twins[0], "role"),
            "no port has the role twin, so nothing leads to the other box",
            "Add the port between the two boxes",
        )


def _session(site: Site, key: Key, peer: Peer) -> Iterator[Finding]:
    if peer.asn != site.asn:
        yield error(
            (*key, "asn"),
            f"a twin has the AS number of this site, and AS{peer.asn} is another one",
            f"Write {site.asn}, or correct the role",
        )
    for version in (4, 6):
        spoken = any(address.version == version for address in peer.addresses)
        if any(scope.version == version for scope in site.scopes) and not spoken:
            yield error(
                (*key, "addresses"),
                f"there are IPv{version} scopes, and the twin has no IPv{version} address, so "
                "neither box learns what the other one has",
                f"Give both ends of the link an IPv{version} address; private ones will do",
            )
    for said, name, why in (
        (peer.gtsm, "gtsm", "the packet filter takes its BGP at no other port"),
        (peer.announce, "announce", "a twin hears of this box's part of the scopes, as it is"),
        (peer.gateway, "gateway", "a twin is at the other end of a cable"),
        (peer.irr is not None, "irr", "a twin sends what its own neighbours have sent"),
        (peer.routes is not Routes.FULL, "routes", "a twin sends all the routes that it has"),
    ):
        if said:
            yield error((*key, name), why, "Remove the key, or correct the role")


def _networks(site: Site, key: Key, peer: Peer) -> Iterator[Finding]:
    if not peer.networks:
        yield error(
            key,
            "no part of the scopes is the twin's, so both boxes would have all addresses",
            "Name its part, for instance one half of each scope, and this box's at the other box",
        )
        return
    for nth, one in enumerate(peer.networks):
        if not any(within(one, scope) for scope in site.scopes):
            yield error(
                (*key, nth),
                f"{one} is no part of a scope",
                "Name a part of the scopes; they are the same at both boxes",
            )
    named = ((one, (*key, nth)) for nth, one in enumerate(peer.networks))
    for (outer, _), (inner, where) in overlaps(named):
        if inner == outer:
            yield error(where, f"{inner} is listed twice", "Remove one of the two")
        else:
            yield error(where, f"{inner} is part of {outer}", "Name only the larger one")
    for version in (4, 6):
        if not any(scope.version == version for scope in site.scopes):
            continue
        if first_part(site, version) is None:
            yield error(
                key,
                f"the twin has all of the IPv{version} scopes, so this box has no address",
                "Name a part of them",
            )
        elif not any(one.version == version for one in peer.networks):
            yield error(
                key,
                f"the twin has no part of the IPv{version} scopes, so it has no address",
                "Name its part of them too",
            )


def _of_this_box(site: Site, peer: Peer) -> Iterator[Finding]:
    """What the site gives this box has to be in this box's parts."""
    chosen: dict[Key, tuple[object, ...]] = {
        ("router",): site.router,
        ("dns", "addresses"): site.dns.addresses,
        ("relays", "or_addresses"): site.relays.or_addresses,
        ("relays", "exit_addresses"): site.relays.exit_addresses,
    }
    try:
        planned = allot(site).addresses
    except ValueError:
        planned = ()  # `scopes.check` reports it
    for key, addresses in chosen.items():
        for nth, one in enumerate(addresses):
            if one in planned and any(one in network for network in peer.networks):
                yield error(
                    (*key, nth),
                    f"{one} is in the twin's part of the scopes",
                    "Give an address of this box's part, or remove it and the plan chooses one",
                )
    for at, port in enumerate(site.ports):
        for nth, face in enumerate(port.addresses):
            network = ip_network(face.network)
            its = (one for one in peer.networks if one.version == network.version)
            if port.role is PortRole.LAN and any(one.overlaps(network) for one in its):
                yield error(
                    ("ports", at, "addresses", nth),
                    f"{network} is in the twin's part of the scopes, or has some of it",
                    "Give the LAN addresses from this box's part. A gateway that one box takes "
                    "over from the other (CARP) is not supported, docs/site.md says why",
                )


def _ways_out(site: Site) -> Iterator[Finding]:
    for at, peer in enumerate(site.peers):
        if peer.routes is Routes.STATIC and peer.role is PeerRole.TRANSIT:
            yield error(
                ("peers", at, "routes"),
                "a static default route is not told to the twin, and would be in the way of the "
                "twin's when this upstream fails",
                "Ask the upstream to send a default route, and write routes: default",
            )
