"""What each neighbour of the appliance hears from it."""

from dataclasses import dataclass

from qemu.world.bird import Heard
from qemu.world.internet import Internet


@dataclass(frozen=True, slots=True)
class Announced:
    """A route that a neighbour has: the ASNs of its path with spaces between, and its
    communities."""

    prefix: str
    path: str
    communities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hearing:
    """One session: the neighbour's name, AS number, role and address, whether the session is up,
    and what comes over it."""

    peer: str
    asn: int
    role: str
    address: str
    up: bool
    routes: tuple[Announced, ...]


def hearings(internet: Internet) -> tuple[Hearing, ...]:
    """What is heard now, session by session."""
    found = []
    for peer in internet.topology.peers:
        router = internet.routers[peer.name]
        heard = router.heard()
        sessions = [one for one in internet.topology.sessions if one.peer is peer]
        for session, name in zip(sessions, internet.of_site(peer.name), strict=True):
            found.append(
                Hearing(
                    peer.name,
                    peer.asn,
                    peer.role.value,
                    str(session.remote),
                    router.established(name),
                    tuple(announced(heard[name])),
                )
            )
    return tuple(found)


def announced(heard: set[Heard]) -> list[Announced]:
    """The routes in the order of their prefixes."""
    ordered = sorted(heard, key=lambda one: (one.prefix.version, str(one.prefix), one.path))
    return [
        Announced(str(one.prefix), " ".join(map(str, one.path)), tuple(sorted(one.communities)))
        for one in ordered
    ]
