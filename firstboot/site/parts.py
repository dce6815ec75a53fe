"""Which part of the scopes is whose, where two boxes share them.

The site names the parts that the twin has, in `peers` at the one with the role twin; all others are
this box's. Each box tells the other its parts by iBGP, as routes that are more specific than the
scopes, and both make the same list of them: no two are next to each other that one network could
stand for, and a whole scope is in its two halves.
"""

from collections.abc import Iterable
from ipaddress import collapse_addresses

from firstboot.core.values import Network, within
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
    return [one for one in networks if within(one, scope)]


def _left(scope: Network, without: Iterable[Network]) -> list[Network]:
    """What is left of a scope, in order."""
    left = [scope]
    for cut in without:
        left = [rest for one in left for rest in _without(one, cut)]
    return sorted(left, key=lambda one: int(one.network_address))


def _without(one: Network, cut: Network) -> list[Network]:
    """What is left of a network without another one of its family."""
    if not one.overlaps(cut):
        return [one]
    if one.prefixlen >= cut.prefixlen:
        return []
    return list(one.address_exclude(cut))  # type: ignore[arg-type]


def _told(networks: Iterable[Network], scope: Network) -> list[Network]:
    """The same addresses in as few networks as there can be, none of them the scope."""
    found: Iterable[Network] = collapse_addresses(networks)  # type: ignore[type-var]
    return [half for one in found for half in (one.subnets() if one == scope else (one,))]
