"""What no route and no packet from outside may have: addresses and ASNs that are nobody's.

What the registries set aside, and, for IPv6, what they do not hand out, as RFC 7454 sections 6.1
and 6.6 want it filtered. Documentation comes last and can be left out, because a site with the
waiver `documentation` is made of such addresses and ASNs, and they must work there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from firstboot.core.values import Network
from firstboot.site.model import PeerRole, Site
from firstboot.site.registries import ADDRESSES, GLOBAL_UNICAST, NUMBERS, SpecialNumbers, is_private

Range = tuple[int, int]


@dataclass(frozen=True)
class Bogons:
    prefixes: tuple[Network, ...]
    asns: tuple[Range, ...]
    """First and last of each range."""


def of(site: Site) -> Bogons:
    """What is nobody's as `site` sees it. A prefix that has some of the own scopes in it is left
    out, for what claims the own scopes is refused by other rules."""
    prefixes = _prefixes()
    asns = _joined(one for one in NUMBERS if one.filtered and not one.documentation)
    if "documentation" not in site.waivers:
        prefixes += [one.network for one in ADDRESSES if one.documentation]
        asns += [(one.first, one.last) for one in NUMBERS if one.documentation]
    if site.waivers.get("private_asn", "").strip():
        transits = {int(one.asn) for one in site.peers if one.role is PeerRole.TRANSIT}
        asns = [part for one in asns for part in _without(one, transits)]
    foreign = (prefix for prefix in prefixes if not any(map(prefix.overlaps, site.scopes)))
    return Bogons(tuple(foreign), tuple(sorted(asns)))


def _without(whole: Range, numbers: Iterable[int]) -> list[Range]:
    """A range in parts, without those of `numbers` that are private."""
    parts, (first, last) = [], whole
    for number in sorted(one for one in numbers if first <= one <= last and is_private(one)):
        parts += [(first, number - 1)] if first < number else []
        first = number + 1
    return [*parts, (first, last)] if first <= last else parts


def _prefixes() -> list[Network]:
    """What is set aside, and all of IPv6 that no registry hands out, which has the rest of it."""
    nobodys = IPv6Network("::/0").address_exclude(GLOBAL_UNICAST)
    aside = (one.network for one in ADDRESSES if one.filtered and not one.documentation)
    handed_out = (
        network
        for network in aside
        if isinstance(network, IPv4Network) or network.subnet_of(GLOBAL_UNICAST)
    )
    found: list[Network] = [*nobodys, *handed_out]
    return sorted(found, key=lambda network: (network.version, int(network.network_address)))


def _joined(numbers: Iterable[SpecialNumbers]) -> list[Range]:
    """The ranges of `numbers`, which are in order; those without a gap between them are one."""
    ranges: list[Range] = []
    for one in numbers:
        if ranges and ranges[-1][1] + 1 == one.first:
            ranges[-1] = ranges[-1][0], one.last
        else:
            ranges.append((one.first, one.last))
    return ranges
