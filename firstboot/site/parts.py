"""Which part of the scopes is whose, where two boxes share them.

The site names the parts that the twin has, in `peers` at the one with the role twin; all others are
this box's. Each box tells the other its parts by iBGP, as routes that are more specific than the
scopes, and both make the same list of them: no two are next to each other that one network could
stand for, and a whole scope is in its two halves.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from firstboot.core.values import Network
from firstboot.site.model import Site


def parts(site: Site) -> tuple[tuple[Network, ...], tuple[Network, ...]]:
    """The parts of this box and those of its twin, by scope; both empty without a twin."""
    if site.twin is None:
        return (), ()
    mine: list[Network] = []
    theirs: list[Network] = []
    for scope in site.scopes:
        has = _inside(site.twin.networks, scope)
        theirs += _told(has, scope)
        mine += _told(_left(scope, has), scope)
    return tuple(mine), tuple(theirs)


def first_part(site: Site, version: int) -> Network | None:
    """Where the address plan begins in a family: in the first scope, or the largest part of the
    first one that the twin has not all of."""
    for scope in site.scopes:
        if scope.version != version:
            continue
        left = _left(scope, _inside(site.twin.networks, scope) if site.twin else [])
        if left:
            return min(left, key=lambda one: one.prefixlen)
    return None


def _inside(networks: Iterable[Network], scope: Network) -> list[Network]:
    return [
        one
        for one in networks
        if one.version == scope.version
        and one.prefixlen >= scope.prefixlen
        and one.network_address in scope
    ]


def _left(scope: Network, without: Iterable[Network]) -> list[Network]:
    """What is left of a scope, in order."""
    left = [scope]
    for cut in without:
        rest: list[Network] = []
        for one in left:
            if isinstance(one, IPv4Network) and isinstance(cut, IPv4Network):
                rest += _without4(one, cut)
            elif isinstance(one, IPv6Network) and isinstance(cut, IPv6Network):
                rest += _without6(one, cut)
        left = rest
    return sorted(left, key=lambda one: int(one.network_address))


def _without4(one: IPv4Network, cut: IPv4Network) -> list[IPv4Network]:
    if one.subnet_of(cut):
        return []
    return list(one.address_exclude(cut)) if cut.subnet_of(one) else [one]


def _without6(one: IPv6Network, cut: IPv6Network) -> list[IPv6Network]:
    if one.subnet_of(cut):
        return []
    return list(one.address_exclude(cut)) if cut.subnet_of(one) else [one]


def _told(networks: Sequence[Network], scope: Network) -> list[Network]:
    """The same addresses in as few networks as there can be, none of them the scope."""
    found: list[Network] = []
    found += collapse_addresses(one for one in networks if isinstance(one, IPv4Network))
    found += collapse_addresses(one for one in networks if isinstance(one, IPv6Network))
    return [half for one in found for half in (one.subnets() if one == scope else (one,))]
