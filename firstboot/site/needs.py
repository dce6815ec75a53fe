"""What a site asks of the machine: cores, memory, states of pf, each with where its figure is from.

Nobody measured a whole box. Some figures were measured, by this project or by others, some are
limits that are rendered, and one is an estimate, which says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from firstboot.site import bogons, sizes
from firstboot.site.address_plan import allot
from firstboot.site.model import Peer, PeerRole, Routes, Site
from firstboot.site.profiles import Machine
from firstboot.site.rules.finding import Finding, warning

RELAY_MIB = 1536
"""Memory of an exit relay, as the Tor Project recommends."""

CORE_MBIT = 400
"""What a relay passes on with one core that has AES instructions, in each direction."""

RELAYS = "community.torproject.org/relay/relays-requirements"
"""Source of these two."""

TABLE = {4: 1_000_000, 6: 230_000}
"""Routes of a full table, by version of IP."""

TABLE_MIB = 786
"""Memory of bgpd with these."""

SYSTEM_MIB = 1024
"""What else there is: the kernel with its routes and buffers, files in memory, other programs."""

QUERIES = 2650 / 294
"""Queries for names that a relay causes in a second: 2,650 with 294 relays."""

STATE_SECONDS = 60
"""How long pf keeps the state of a query, at most (pf.conf(5): udp.first, udp.multiple)."""

SLACK = 1.05
"""Firmware and kernel keep some of the memory that a machine was sold with."""


@dataclass(frozen=True)
class Need:
    """What one part of the site asks for. `why` has the reckoning, `source` where its figures are
    from."""

    why: str
    source: str
    cores: int = 0
    mib: int = 0

    def __str__(self) -> str:
        cores = [f"{self.cores} core{'' if self.cores == 1 else 's'}"] if self.cores else []
        return f"{', '.join([*cores, f'{self.mib} MiB'])}: {self.why} ({self.source})"


@dataclass(frozen=True)
class Needs:
    """What a whole site asks for. `states` and `entries` are those of pf and of its tables."""

    parts: tuple[Need, ...]
    states: int
    entries: int

    @property
    def cores(self) -> int:
        return sum(part.cores for part in self.parts)

    @property
    def mib(self) -> int:
        return sum(part.mib for part in self.parts)

    @property
    def size(self) -> str:
        cores = f"{self.cores} core{'' if self.cores == 1 else 's'}"
        return f"about {cores} and {-(-self.mib // 1024)} GiB of memory"


def needs(site: Site) -> Needs:
    """What `site` asks of its machine. The site has no errors."""
    parts = [_relays(site), *_tables(site), *_others(site), _system()]
    plan = allot(site)
    entries = len(bogons.of(site).prefixes) + len(plan.own) + 2 * len(plan.addresses)
    states = round(QUERIES * STATE_SECONDS * site.relays.count)
    return Needs((*parts, _cache(site, sum(part.mib for part in parts))), states, entries)


def told(name: str, asked: Needs) -> str:
    """A heading with the sums, a line for each part, and one for pf."""
    return "\n  ".join(
        [
            f"{name} asks for {asked.size}:",
            *map(str, asked.parts),
            f"pf: about {asked.states:,} of {sizes.STATES:,} states, for the resolver's queries "
            "(2,650 a second with 294 relays, seen by an operator in 2023; relays have no states), "
            f"and {asked.entries:,} of {sizes.TABLE_ENTRIES:,} entries of tables (pf.conf)",
        ]
    )


def too_small(asked: Needs, machine: Machine) -> Iterator[Finding]:
    """Warnings about a machine that has less than the site asks for."""
    lacks = []
    if machine.cores < asked.cores:
        lacks.append(f"{machine.cores} core{'' if machine.cores == 1 else 's'}")
    if machine.memory_mib * SLACK < asked.mib:
        lacks.append(f"{machine.memory_mib} MiB of memory")
    if lacks:
        yield warning(
            ("relays", "count"),
            f"this machine has {' and '.join(lacks)}, and the site asks for {asked.size}",
            "Run fewer relays, or take a larger machine; what asks for how much is listed below",
        )


def _relays(site: Site) -> Need:
    count = site.relays.count
    mbit = min(site.relays.bandwidth_mbit or CORE_MBIT, CORE_MBIT)
    core = "a core" if mbit == CORE_MBIT else f"a core for every {CORE_MBIT} Mbit/s of their limit"
    return Need(
        f"{count} relay{'' if count == 1 else 's'}, {core} and {RELAY_MIB} MiB for each",
        RELAYS,
        cores=-(-count * mbit // CORE_MBIT),
        mib=count * RELAY_MIB,
    )


def _tables(site: Site) -> Iterator[Need]:
    """Transits that send all of the Internet's routes, and a twin, which may pass them on."""
    full = [peer for peer in site.peers if _is_full(peer)]
    if full:
        routes = sum(
            min(TABLE[version], limit) for peer in full for version, limit in _limits(peer)
        )
        most = sum(limit for peer in full for _, limit in _limits(peer))
        yield Need(
            f"bgpd with the tables of {_named(full)}, {routes:,} routes; sessions are closed above "
            f"{most:,} in all",
            f"{TABLE_MIB} MiB measured with {sum(TABLE.values()):,} routes, docs/benchmarks.md; "
            "others in proportion",
            mib=_mib(routes),
        )


def _others(site: Site) -> Iterator[Need]:
    """Peers and route servers, at the most that they can send."""
    others = [peer for peer in site.peers if peer.role not in (PeerRole.TRANSIT, PeerRole.TWIN)]
    if others:
        most = sum(limit for peer in others for _, limit in _limits(peer))
        yield Need(
            f"bgpd with {_named(others)}, if they send all of the {most:,} routes that their "
            "sessions allow",
            "max_prefix, or the limit of the role in bgpd.conf; memory as with a full table",
            mib=_mib(most),
        )


def _system() -> Need:
    return Need("kernel, files in memory and all else", "an estimate, not measured", mib=SYSTEM_MIB)


def _cache(site: Site, rest: int) -> Need:
    """The resolver's, on a machine that has as much memory as this and all other parts ask for."""
    mib = 0
    while (larger := _with_all(sizes.cache_mib(rest + mib, site.dns.cache_mib))) != mib:
        mib = larger
    of = "as dns.cache_mib says" if site.dns.cache_mib else "a sixteenth of the memory"
    return Need(f"the resolver's caches, {of}", "unbound.conf", mib=mib)


def _with_all(cache: int) -> int:
    return cache + sizes.keys_mib(cache) + sizes.denials_mib(cache)


def _is_full(peer: Peer) -> bool:
    return peer.role in (PeerRole.TRANSIT, PeerRole.TWIN) and peer.routes is Routes.FULL


def _limits(peer: Peer) -> Iterator[tuple[int, int]]:
    """Version of IP of each session, and the routes at which it is closed."""
    for address in peer.addresses:
        most = sizes.MOST_ROUTES[peer.role.value][address.version]
        yield address.version, most if peer.max_prefix is None else peer.max_prefix


def _mib(routes: int) -> int:
    return -(-TABLE_MIB * routes // sum(TABLE.values()))


def _named(peers: list[Peer]) -> str:
    """By name, or by number if there are many."""
    if len(peers) > 4:
        return f"{len(peers)} neighbours"
    return ", ".join(peer.name for peer in peers)
