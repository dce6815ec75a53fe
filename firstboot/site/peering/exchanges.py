"""Exchanges, ranked by what a Tor exit operator wants of one.

Seven criteria, each a share from 0 to 1: participants (of the exchange with the most), named
networks there, letters of the DNS root servers there, nonprofit, cost, a policy that forbids
surveillance, and undersea cables that land nearby. The order is by the mean of those that are
known. What is unknown counts neither for nor against an exchange, and is shown as unknown.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from firstboot.site.peering import known
from firstboot.site.peering.known import Facts
from firstboot.site.peering.networks import LETTERS, ROOTS
from firstboot.site.published.peeringdb import Exchange, PeeringDb

FREE = "No Commercial Terms"
"""PeeringDB's word for an exchange that charges nothing."""

CRITERIA = (
    "participants",
    "named networks",
    "root servers",
    "nonprofit",
    "low cost",
    "forbids surveillance",
    "undersea cables",
)


@dataclass(frozen=True)
class Ranked:
    """An exchange with what is known of it. `shares` has one for each of `CRITERIA`; None is
    unknown."""

    exchange: Exchange
    participants: int | None
    named: tuple[str, ...] | None
    roots: str | None
    facts: Facts
    shares: tuple[float | None, ...]

    @property
    def score(self) -> float:
        """The mean of the shares that are known, from 0 to 1."""
        have = [share for share in self.shares if share is not None]
        return sum(have) / len(have) if have else 0.0

    @property
    def known(self) -> int:
        return sum(share is not None for share in self.shares)


def rank(
    found: PeeringDb,
    facts: Mapping[str, Facts],
    named: Mapping[int, str],
    countries: Collection[str] = (),
) -> list[Ranked]:
    """The exchanges, the best first; with `countries` (two letters, in capitals) only theirs."""
    members: dict[int, set[int]] = defaultdict(set)
    for port in found.presences:
        members[port.exchange].add(port.asn)
    chosen = [one for one in found.exchanges if not countries or one.country in countries]
    told = "netixlan" in found.objects
    most = max((len(members[one.number]) for one in chosen), default=0)
    of_each = {one: known.of(facts, (str(one.number), one.name)) for one in chosen}
    costs = [cost for one in chosen if (cost := _cost(one, of_each[one])) is not None]
    ranked = [
        _ranked(one, members[one.number] if told else None, most, of_each[one], costs, named)
        for one in chosen
    ]
    return sorted(ranked, key=lambda one: (-one.score, -one.known, one.exchange.name))


def _ranked(
    one: Exchange,
    members: set[int] | None,
    most: int,
    facts: Facts,
    costs: list[tuple[float, str]],
    named: Mapping[int, str],
) -> Ranked:
    names = roots = None
    if members is not None:
        names = tuple(name for asn, name in named.items() if asn in members)
        roots = "".join(sorted({each for asn in members for each in ROOTS.get(asn, "")}))
    shares = (
        None if members is None else len(members) / most if most else 0.0,
        None if names is None else len(names) / len(named) if named else None,
        None if roots is None else len(roots) / LETTERS,
        _share(facts.nonprofit),
        _cheap(_cost(one, facts), costs),
        _share(facts.forbids_surveillance),
        _share(facts.sea_cables),
    )
    return Ranked(one, None if members is None else len(members), names, roots, facts, shares)


def _share(said: bool | None) -> float | None:
    return None if said is None else float(said)


def _cost(one: Exchange, facts: Facts) -> tuple[float, str] | None:
    """What is paid a month, with its currency; nothing is the same in all."""
    if facts.monthly_cost is not None:
        return facts.monthly_cost, facts.currency
    return (0.0, "") if one.terms == FREE else None


def _cheap(cost: tuple[float, str] | None, all_costs: list[tuple[float, str]]) -> float | None:
    """1 for what costs nothing, 0 for the dearest of the same currency."""
    if cost is None:
        return None
    amount, currency = cost
    dearest = max((each for each, other in all_costs if other == currency), default=0.0)
    return 1.0 if not amount else 1 - amount / dearest


def cost_of(one: Ranked) -> str | None:
    """The monthly cost as people read it."""
    cost = _cost(one.exchange, one.facts)
    if cost is None:
        return None
    return f"{cost[0]:g} {cost[1]}".strip() if cost[0] else "nothing"
