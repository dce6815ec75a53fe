"""Sizes that follow from the machine, and limits that are the same on each.

The templates write them, and `firstboot.site.needs` adds them up. Memory is in MiB.
"""

from collections.abc import Mapping

STATES = 1_000_000
"""States that pf keeps at most."""

TABLE_ENTRIES = 400_000
"""Addresses and networks in all tables of pf together, at most."""

MOST_ROUTES: Mapping[str, Mapping[int, int]] = {
    "transit": {4: 2_000_000, 6: 500_000},
    "route-server": {4: 500_000, 6: 200_000},
    "peer": {4: 50_000, 6: 20_000},
    "twin": {4: 2_000_000, 6: 500_000},
}
"""Routes that a neighbour may send before its session is closed, by role and version of IP, where
the site has no `max_prefix`: a full table with room to double, of a twin as well, what the largest
exchanges' route servers have, more than any content network has."""


def queue_mib(memory_mib: int, relays: int) -> int:
    """What may wait in the queues of each relay: all relays share half of the memory."""
    return min(max(memory_mib // 2 // relays, 256), 8192)


def cache_mib(memory_mib: int, wanted: int | None) -> int:
    """Answers in the resolver's cache: a sixteenth of the memory, at most 3 GiB, unless the site
    says (`wanted`)."""
    return wanted or max(min(memory_mib // 16, 3072), 16)


def keys_mib(cache: int) -> int:
    """Keys of signed zones, beside a cache of this size."""
    return max(cache // 8, 4)


def denials_mib(cache: int) -> int:
    """Proofs that a name does not exist, beside a cache of this size."""
    return max(cache // 16, 2)
