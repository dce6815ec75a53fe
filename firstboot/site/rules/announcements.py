"""What peers are told with the scopes: whether it can be said, and is what somebody would mean."""

from collections.abc import Iterable, Iterator

from firstboot.core.document import Key, quote
from firstboot.core.values import Network, within
from firstboot.site.announcement import Announcement
from firstboot.site.community import BLACKHOLE, Community
from firstboot.site.model import Peer, PeerRole, Site
from firstboot.site.rules.finding import Finding, error, warning
from firstboot.site.rules.scopes import LONGEST

TO_NOBODY, TO = 0, 1
"""In the middle of a route server's large communities: not to that AS, and to it alone. Source: the
exchanges' common list, large communities for route servers (Euro-IX)."""

PRIVATE = range(64512, 65536)
"""First numbers of communities that exchanges use where theirs has no room (RFC 6996)."""


def check(site: Site) -> Iterator[Finding]:
    for at, peer in enumerate(site.peers):
        key: Key = ("peers", at, "announce")
        named: set[Network] = set()
        others = False
        for nth, entry in enumerate(peer.announce):
            where = (*key, nth)
            yield from _scopes(site, where, peer, entry, named)
            if not entry.scopes and others:
                yield error(
                    where,
                    "this is the second entry without scopes",
                    "Name the scopes of one of them, or put both together",
                )
            others = others or not entry.scopes
            if entry.plain and (len(peer.announce) == 1 or not entry.scopes):
                yield warning(
                    where,
                    "the entry says nothing of its scopes",
                    "Add prepend, med, communities, no_export or withheld, or remove the entry",
                )
            if entry.withheld and entry.sets:
                yield error(
                    (*where, "withheld"),
                    "the peer does not hear of these scopes, and the entry says what is on them",
                    "Remove the key, or the others",
                )
            yield from _communities(site, (*where, "communities"), peer, entry)
        if peer.announce and not _heard(site, peer):
            yield warning(
                key,
                f"{quote(peer.name)} hears of no scope, and sends nothing here",
                "Leave it if the session is for its routes alone, or have it hear of a scope",
            )
    yield from _unheard(site)


def _heard(site: Site, peer: Peer) -> list[Network]:
    """The scopes that a peer hears of."""
    spoken = {address.version for address in peer.addresses}
    return [one for one in site.scopes if one.version in spoken and peer.hears(one)]


def _unheard(site: Site) -> Iterator[Finding]:
    """Scopes that nobody hears of, or that no transit tells others."""
    others = [peer for peer in site.peers if peer.role is not PeerRole.TWIN]
    transits = [peer for peer in others if peer.role is PeerRole.TRANSIT]
    for at, scope in enumerate(site.scopes):

        def speaking(peers: list[Peer], scope: Network = scope) -> list[Peer]:
            return [one for one in peers if scope.version in {a.version for a in one.addresses}]

        if speaking(others) and not any(one.hears(scope) for one in speaking(others)):
            yield error(
                ("scopes", at),
                "the scope is withheld from every peer, so nobody learns it",
                "Have one of them hear of it, or remove the scope",
            )
        elif speaking(transits) and not any(
            one.hears(scope) and not one.announces(scope).no_export for one in speaking(transits)
        ):
            yield warning(
                ("scopes", at),
                "no transit tells others of the scope, so most of the Internet does not reach it",
                "Leave out withheld and no_export at one of them",
            )


def _scopes(
    site: Site, key: Key, peer: Peer, entry: Announcement, named: set[Network]
) -> Iterator[Finding]:
    spoken = {address.version for address in peer.addresses}
    for nth, scope in enumerate(entry.scopes):
        where = (*key, "scopes", nth)
        if scope not in site.scopes:
            yield error(
                where,
                f"{scope} is no scope of the site, and nothing but whole scopes is announced",
                _whole(scope, site.scopes),
            )
        elif scope.version not in spoken:
            yield error(
                where,
                f"the peer has no IPv{scope.version} address, so it does not hear of {scope}",
                "Remove it, or give the peer's address",
            )
        if scope in named:
            yield error(
                where, f"{scope} is there already", "Say all of a scope in one entry of the peer"
            )
        named.add(scope)


def _communities(site: Site, key: Key, peer: Peer, entry: Announcement) -> Iterator[Finding]:
    seen: set[Community] = set()
    for nth, community in enumerate(entry.communities):
        where = (*key, nth)
        first, middle, *_ = _numbers(community)
        if community in (BLACKHOLE, peer.blackhole):
            yield error(
                where,
                f"{community} asks {quote(peer.name)} to drop everything that goes to the scope",
                "Remove it; exitisp blackhole gives up single addresses, for a while",
            )
        elif community.large and first == site.asn and middle in (1, 2):
            yield error(
                where,
                f"the box marks its own routes with {first}:{middle}:*",
                "Use another second number",
            )
        if community in seen:
            yield error(where, f"{community} is there twice", "Remove one of them")
        seen.add(community)
        if peer.role is PeerRole.ROUTE_SERVER and not _is_of(peer, community):
            said = (
                f"{peer.asn}:*:*" if community.large else f"{peer.asn}:*, 0:* or one from 64512:*"
            )
            yield warning(
                where,
                f"{community} does not look like a community of the route server AS{peer.asn}",
                f"Look it up on the exchange's page; most are {said}",
            )
    if peer.role is PeerRole.ROUTE_SERVER:
        yield from _both_ways(key, peer, entry)


def _both_ways(key: Key, peer: Peer, entry: Announcement) -> Iterator[Finding]:
    """An AS that the routes are to be passed on to, and not."""
    asked = {_numbers(one) for one in entry.communities}
    for nth, community in enumerate(entry.communities):
        numbers = _numbers(community)
        other: tuple[int, ...] = (int(peer.asn), TO_NOBODY, numbers[-1])
        if len(numbers) == 2:
            other = (0, numbers[-1])
        passes = (
            (int(peer.asn), TO, numbers[-1]) if community.large else (int(peer.asn), numbers[-1])
        )
        if numbers[-1] in (0, peer.asn):
            continue  # These stand for everybody; a single AS may be told apart from them.
        if numbers == passes and other in asked:
            yield error(
                (*key, nth),
                f"the route server is asked to pass the scope on to AS{numbers[-1]}, and by "
                f"{':'.join(map(str, other))} not to",
                "Remove one of the two",
            )


def _is_of(peer: Peer, community: Community) -> bool:
    first = _numbers(community)[0]
    return first == peer.asn or (not community.large and (first == 0 or first in PRIVATE))


def _numbers(community: Community) -> tuple[int, ...]:
    return tuple(int(number) for number in community.split(":"))


def _whole(part: Network, scopes: Iterable[Network]) -> str:
    """What to do about a `part` that is none of `scopes`."""
    around = next((one for one in scopes if within(part, one)), None)
    if around is None:
        return "Write one of the scopes, or add this one to them"
    if part.prefixlen > LONGEST[part.version]:
        return f"Write {around}: other networks accept no prefix as long as {part}"
    return (
        f"To announce parts of {around} apart, list the parts as scopes in its place, here "
        f"{part} and the rest; each then needs a ROA and a route object"
    )
