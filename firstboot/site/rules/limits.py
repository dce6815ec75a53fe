"""How many of each there may be. Beyond that it is no site, and no other rule has a look: the
rules compare each with each, and a plan has an entry for every relay."""

from collections.abc import Iterator, Sequence

from firstboot.core.document import Key
from firstboot.site.model import Site
from firstboot.site.rules.finding import Remark, error

MOST = 64
"""Of anything in a list, but peers and exit rules."""

MOST_ADDRESSES = 8
"""Of a port, or of a peer."""

MOST_PEERS = 1000
MOST_RULES = 500
MOST_RELAYS = 256
"""More than any machine has cores."""

LONGEST = 2000
"""Characters of one text."""


def check(site: Site) -> Iterator[Remark]:
    relays, management = site.relays, site.management
    lists: dict[Key, Sequence[object]] = {
        ("scopes",): site.scopes,
        ("ports",): site.ports,
        ("router",): site.router,
        ("relays", "or_addresses"): relays.or_addresses,
        ("relays", "exit_addresses"): relays.exit_addresses,
        ("relays", "family", "ids"): relays.family.ids,
        ("relays", "family", "members"): relays.family.members,
        ("dns", "addresses"): site.dns.addresses,
        ("management", "keys"): management.keys,
        ("management", "networks"): management.networks,
        ("performance", "profiles"): tuple(site.performance.profiles),
        ("performance", "settings"): tuple(site.performance.settings),
        ("clock", "servers"): site.clock.servers,
        ("waivers",): tuple(site.waivers),
    }
    for key, items in lists.items():
        yield from _at_most(MOST, key, items)
    for at, port in enumerate(site.ports[:MOST]):
        yield from _at_most(MOST_ADDRESSES, ("ports", at, "addresses"), port.addresses)
        yield from _at_most(MOST_ADDRESSES, ("ports", at, "gateway"), port.gateway)
    for at, peer in enumerate(site.peers[:MOST_PEERS]):
        yield from _at_most(MOST_ADDRESSES, ("peers", at, "addresses"), peer.addresses)
    yield from _at_most(MOST_PEERS, ("peers",), site.peers)
    yield from _at_most(MOST_RULES, ("relays", "rules"), relays.rules)
    if not 1 <= relays.count <= MOST_RELAYS:
        yield error(
            ("relays", "count"),
            f"{relays.count} relays are none, or more than a box can run",
            f"give a number from 1 to {MOST_RELAYS}, about one a core",
        )
    if len(relays.nickname) > LONGEST:
        yield error(
            ("relays", "nickname"),
            f"it has {len(relays.nickname)} characters",
            "give a pattern such as ExampleExit{n}",
        )


def _at_most(most: int, key: Key, items: Sequence[object]) -> Iterator[Remark]:
    if len(items) > most:
        yield error(key, f"{len(items)} are more than a site has", f"name {most} at most")
