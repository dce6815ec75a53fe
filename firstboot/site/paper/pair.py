"""Two boxes of one operator, as registries, exchanges and neighbours see them: one network.

It has one AS number, one pair of scopes and one domain, so there is one set of papers: an ASPA
lists the transits of both boxes, and a reverse zone has the names of both. What papers alone need,
such as `zones.domain`, is taken from the first of the two sites.
"""

from collections.abc import Iterator
from dataclasses import replace

from firstboot.site.model import PeerRole, PortRole, Site


def box_name(site: Site, other: Site) -> str:
    """What the box of `site` is called: as the other box calls its twin. The other one's name has
    a number behind it where both call each other the same."""
    twin, back = other.twin, site.twin
    assert twin is not None
    assert back is not None
    if twin.name.lower() != back.name.lower():
        return twin.name
    first = min((str(one) for one in twin.addresses), default="") < min(
        (str(one) for one in back.addresses), default=""
    )
    return twin.name if first else f"{twin.name}-2"


def as_one(site: Site, other: Site) -> Site:
    """`site` with the ports and peers of both boxes; its plan is still that of its own box. What
    has the same name at both has the name of its box behind it."""
    named = list(boxes(site, other))
    peers = {one.name for one in site.peers} & {one.name for one in other.peers}
    ports = {one.name for one in site.ports} & {one.name for one in other.ports}

    def called(name: str, box: str, common: set[str]) -> str:
        return f"{name}-{box}" if name in common else name

    return replace(
        site,
        peers=tuple(
            replace(peer, name=called(peer.name, box, peers))
            for one, box in named
            for peer in one.peers
            if peer.role is not PeerRole.TWIN or one is site
        ),
        ports=tuple(
            replace(port, name=called(port.name, box, ports))
            for one, box in named
            for port in one.ports
            if port.role not in (PortRole.TWIN, PortRole.MANAGEMENT) or one is site
        ),
    )


def boxes(site: Site, other: Site | None) -> Iterator[tuple[Site, str]]:
    """The site of each box with the box's name, in the order of the names; a box that is alone
    has none."""
    if other is None:
        yield site, ""
        return
    both = ((site, box_name(site, other)), (other, box_name(other, site)))
    yield from sorted(both, key=lambda one: one[1])
