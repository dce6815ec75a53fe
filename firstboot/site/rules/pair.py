"""What the sites of two boxes of one operator have to say of each other.

Each site is whole by itself (`firstboot.site.check`); here both are at hand.
"""

from collections.abc import Iterator
from ipaddress import ip_network

from firstboot.core.document import Key, quote
from firstboot.core.values import Interface, Network
from firstboot.site.address_plan import allot
from firstboot.site.model import PeerRole, Port, PortRole, Routes, Site
from firstboot.site.rules.finding import Finding, advice, error, warning
from firstboot.site.rules.special import purpose_of_address


def check_pair(site: Site, other: Site, name: str) -> Iterator[Finding]:
    """What is in `site` that does not fit the other site, which is called `name`. Both are without
    errors. To be asked both ways."""
    if site.twin is None or other.twin is None:
        if site.twin is None:
            yield error(
                ("peers",),
                "no peer has the role twin, so this box is not one of two",
                "Add the other box, and the port that leads to it",
            )
        return
    yield from _same(site, other, name)
    yield from _link(site, other, name)
    yield from _parts(site, other, name)
    yield from _apart(site, other, name)
    yield from _ways_out(site, other, name)


def _same(site: Site, other: Site, name: str) -> Iterator[Finding]:
    if site.asn != other.asn:
        yield error(
            ("asn",),
            f"AS{site.asn} is another AS number than AS{other.asn} in {name}",
            "Both boxes have the operator's one",
        )
    if {*site.scopes} != {*other.scopes}:
        missing = sorted(str(one) for one in {*site.scopes} ^ {*other.scopes})
        yield error(
            ("scopes",),
            f"{', '.join(missing)} is in one of the two sites alone, and {name} is the other one",
            "Name the same scopes at both: each box announces them all",
        )


def _link(site: Site, other: Site, name: str) -> Iterator[Finding]:
    at, twin = next((at, one) for at, one in enumerate(site.peers) if one.role is PeerRole.TWIN)
    where, port = _port(site)
    _, far = _port(other)
    there = {face.ip: face for face in far.addresses}
    for nth, address in enumerate(twin.addresses):
        if address not in there:
            yield error(
                ("peers", at, "addresses", nth),
                f"{address} is no address of the port {quote(far.name)} in {name}",
                f"Write one of {', '.join(map(str, there))}",
            )
    networks = {ip_network(face.network) for face in far.addresses}
    for nth, face in enumerate(port.addresses):
        if ip_network(face.network) not in networks:
            yield error(
                (*where, "addresses", nth),
                f"{ip_network(face.network)} is no network of the port {quote(far.name)} in {name}",
                "Give both ends of the cable addresses of one network",
            )
    assert other.twin is not None
    if twin.md5 != other.twin.md5:
        yield error(
            ("peers", at, "md5"),
            f"the secret of the session is another one in {name}, or is in one of the two alone",
            "Write the same at both",
        )
    if port.mtu != far.mtu:
        yield error(
            (*where, "mtu"),
            f"the MTU is {port.mtu}, and {far.mtu} at the other end, in {name}: larger packets "
            "would be lost without a word",
            "Write the same at both",
        )


def _port(site: Site) -> tuple[Key, Port]:
    return next(
        (("ports", at), port) for at, port in enumerate(site.ports) if port.role is PortRole.TWIN
    )


def _parts(site: Site, other: Site, name: str) -> Iterator[Finding]:
    """What one says that the other has is what that keeps for itself."""
    said, kept = {*allot(site).twins}, {*allot(other).mine}
    at = next(at for at, one in enumerate(site.peers) if one.role is PeerRole.TWIN)
    if said != kept and {*site.scopes} == {*other.scopes}:
        yield error(
            ("peers", at, "networks"),
            f"the twin has {_listed(said)} here, and by {name} it has {_listed(kept)}: packets for "
            "the rest would go to the wrong box, or to none",
            "Let each of the two name what the other one has, and all of it",
        )


def _listed(networks: set[Network]) -> str:
    ordered = sorted(networks, key=lambda one: (one.version, int(one.network_address)))
    return ", ".join(map(str, ordered))


def _apart(site: Site, other: Site, name: str) -> Iterator[Finding]:
    theirs_too = {*allot(other).addresses}
    common = [one for one in allot(site).addresses if one in theirs_too]
    if common:
        yield error(
            ("scopes",),
            f"{len(common)} addresses are of this box and of that in {name}, {common[0]} first",
            "Give each box its own part of the scopes",
        )
    theirs = {face.ip: port for port in other.ports for face in port.addresses}
    for at, port in enumerate(site.ports):
        for nth, face in enumerate(port.addresses):
            if face.ip in theirs and not _elsewhere(port, theirs[face.ip], face):
                yield error(
                    ("ports", at, "addresses", nth),
                    f"{face.ip} is also an address of the port {quote(theirs[face.ip].name)} in "
                    f"{name}",
                    "Give each box its own address",
                )
    if site.relays.nickname == other.relays.nickname:
        yield advice(
            ("relays", "nickname"),
            f"the relays of {name} have the same names",
            "Give them others, so that it is clear which box a relay is on",
        )
    if not {*site.relays.family.ids} & {*other.relays.family.ids}:
        yield warning(
            ("relays", "family"),
            f"the relays here and in {name} have no family key in common, and circuits may have "
            "two of them",
            "Name the same key in family.ids of both",
        )


def _elsewhere(port: Port, other: Port, face: Interface) -> bool:
    """Whether an address is on two links that have nothing to do with each other: private ones to
    two upstreams."""
    special = purpose_of_address(face.ip)
    both = port.role is other.role is PortRole.TRANSIT
    return both and special is not None and special.link


def _ways_out(site: Site, other: Site, name: str) -> Iterator[Finding]:
    if not _has_a_table(site) and _has_a_table(other):
        yield warning(
            ("peers",),
            f"no transit sends this box a table, and one sends {name} one, whose routes are more "
            "specific: most packets go by the other box",
            "Ask the upstream for a full table, or that of the other box for a default route",
        )


def _has_a_table(site: Site) -> bool:
    return any(peer.role is PeerRole.TRANSIT and peer.routes is Routes.FULL for peer in site.peers)
