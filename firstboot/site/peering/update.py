"""Limits and as-sets of peers as PeeringDB and the routing registries have them, for the site.

Of peers alone: a transit sends a whole table, and a route server what the exchange has.

- `max_prefix` becomes the limit that the network recommends at PeeringDB, the larger one of both
  families; where it recommends none, half as much again as its as-set is resolved to
- `irr` becomes its `irr_as_set`

What nobody knows is left as it is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from firstboot.site.model import Peer, PeerRole, Site
from firstboot.site.published.bgpq4 import Resolved
from firstboot.site.published.peeringdb import Net, PeeringDb
from firstboot.site.rules.peers import FULL_TABLE, IRR

LEAST = 10
"""The smallest limit that is made from what a set is resolved to: room for a prefix more."""


@dataclass(frozen=True)
class Update:
    """What of a peer changes, and `notes`: sentences about what does not and why."""

    number: int
    peer: Peer
    changes: Mapping[str, str]
    notes: tuple[str, ...]


def updates(site: Site, found: PeeringDb, resolved: Sequence[Resolved]) -> list[Update]:
    """One for each peer with the role peer."""
    return [
        _update(number, peer, found.net(peer.asn), resolved)
        for number, peer in enumerate(site.peers)
        if peer.role is PeerRole.PEER
    ]


def updated(site: Site, made: Sequence[Update]) -> Site:
    """The site that a file with the changes has to be read as."""
    peers = list(site.peers)
    for one in made:
        peer = peers[one.number]
        if "max_prefix" in one.changes:
            peer = replace(peer, max_prefix=int(one.changes["max_prefix"]))
        if "irr" in one.changes:
            peer = replace(peer, irr=one.changes["irr"])
        peers[one.number] = peer
    return replace(site, peers=tuple(peers))


def _update(number: int, peer: Peer, net: Net | None, resolved: Sequence[Resolved]) -> Update:
    notes: list[str] = []
    changes: dict[str, str] = {}
    if net is None:
        notes.append(f"AS{peer.asn} is not in the files of PeeringDB")
    irr = _set(net, notes) if net else None
    if irr is not None and irr != peer.irr:
        changes["irr"] = irr
    counts = dict(_counts(irr or peer.irr, peer, resolved))
    limit = _limit(net, peer, counts, notes)
    if limit is not None and limit != peer.max_prefix:
        changes["max_prefix"] = str(limit)
    return Update(number, peer, changes, tuple(notes))


def _set(net: Net, notes: list[str]) -> str | None:
    """The as-set of `net` in the form that a site has."""
    words = re.split(r"[,\s]+", net.irr_as_set or "")
    words = [word for word in words if word]
    if not words:
        notes.append("it tells no irr_as_set at PeeringDB")
        return None
    if len(words) > 1:
        notes.append(f"it tells {len(words)} as-sets at PeeringDB, and a site has one: choose")
        return None
    # RIPE::AS-A and RIPE:AS-A are both written there.
    name = re.sub(r"(?i)^([A-Z]{1,20}):(?=AS)(?!:)", r"\1::", words[0])
    if not IRR.fullmatch(name):
        notes.append("its irr_as_set at PeeringDB is no name of an as-set")
        return None
    return name


def _counts(irr: str | None, peer: Peer, resolved: Sequence[Resolved]) -> Iterator[tuple[int, int]]:
    """How many prefixes of each family the as-set, or the AS, is resolved to."""
    names = {f"AS{peer.asn}"} if irr is None else {irr.upper(), irr.upper().rpartition("::")[2]}
    found = [one for one in resolved if one.name in names]
    for family in (4, 6):
        prefixes = {prefix for one in found for prefix in one.prefixes}
        count = sum(prefix.version == family for prefix in prefixes)
        if count:
            yield family, count


def _limit(net: Net | None, peer: Peer, counts: Mapping[int, int], notes: list[str]) -> int | None:
    told = max(net.prefixes4 or 0, net.prefixes6 or 0) if net else 0
    needed = max(counts.values(), default=0)
    if told and needed > told:
        notes.append(
            f"its set is resolved to {needed} prefixes of a family, and it recommends a limit of "
            f"{told}: ask which is right"
        )
    if told:
        if told >= FULL_TABLE:
            notes.append(f"it recommends a limit of {told}, as large as a whole table: not taken")
            return None
        return told
    if needed:
        return max(LEAST, needed + needed // 2)
    if net is not None:
        notes.append("nobody tells how many prefixes it has")
    return None
