"""Keeps addresses that are nobody's of this network out of what leaves the box."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from firstboot.core.values import Address
from firstboot.site.address_plan import allot
from firstboot.site.alarms import destinations
from firstboot.site.model import Site

SOMEBODY = "an address"

FORM = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,8}[0-9A-Fa-f]{0,4}(?:\.[0-9]{1,3}){0,3}(?![\w:])"
    r"|(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w]|\.[0-9])"
)
"""What an address may look like. A time of day does too, and is none."""


def known(site: Site) -> frozenset[Address]:
    """The addresses of the box, of its routers and neighbours, and of those that it tells."""
    return frozenset(_known(site))


def without(text: str, site: Site) -> str:
    """`text` with each address that `site` does not have replaced."""
    own = known(site)

    def replaced(found: re.Match[str]) -> str:
        try:
            address = ip_address(found[0])
        except ValueError:
            return found[0]
        return found[0] if address in own else SOMEBODY

    return FORM.sub(replaced, text)


def _known(site: Site) -> Iterator[Address]:
    plan = allot(site)
    yield from plan.addresses
    for port in site.ports:
        yield from port.gateway
        yield from (face.ip for face in port.addresses)
    for peer in site.peers:
        yield from (*peer.addresses, *peer.gateway)
    for text in site.clock.servers:
        if text not in site.clock.names:
            yield ip_address(text)
    yield from (one.address for one in destinations(site) if one.address)
    yield from map(ip_address, ("127.0.0.1", "::1", "0.0.0.0", "::"))  # noqa: S104
