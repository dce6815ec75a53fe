"""Whether what a complaint claims can be so, by a site: whose the address is, and when."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum

from firstboot.core.values import Address
from firstboot.site.abuse.complaint import Claim, Complaint
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import PortRole, Site
from firstboot.site.reach import sends

AHEAD = timedelta(minutes=15)
"""By which the clock of a complainant may be wrong."""

EXONERATOR = "https://metrics.torproject.org/exonerator.html"
"""Tor's own record of which address was a relay on which day."""


class Whose(Enum):
    """What an address is to this network. The value completes "it is"."""

    EXIT = "what exit traffic comes from"
    TWIN = "of the other box of two, whose site says more"
    RELAY = "where relays listen; they send nothing of users from it"
    RESOLVER = "the resolver's"
    ROUTER = "the router's own"
    LAN = "of a LAN: another machine of this operator"
    PORT = "of a port of the router"
    UNUSED = "in this network, and nothing has it"
    FOREIGN = "not of this network"


@dataclass(frozen=True, slots=True)
class Judged:
    """`relays` are the names of the exits that send from the address. `possible` is False if no
    exit can have done what is claimed, and `why` says why not."""

    claim: Claim
    whose: Whose
    relays: tuple[str, ...] = ()
    possible: bool = True
    why: str = ""

    @property
    def record(self) -> str:
        """Where anybody can look up whether the address was an exit on that day; empty without a
        day."""
        moment = self.claim.moment
        if self.whose is not Whose.EXIT or moment is None:
            return ""
        return f"{EXONERATOR}?ip={self.claim.address}&timestamp={moment.when:%Y-%m-%d}&lang=en"


def judge(
    complaint: Complaint, site: Site, now: datetime, since: date | None
) -> tuple[Judged, ...]:
    """The claims about this network, exits first, those of the other box of two next, or if there
    are none the first of the others. `since` is the day from which on the network is as `site` has
    it."""
    plan = allot(site)
    judged = [_judged(claim, site, plan, now, since) for claim in complaint.claims]
    own = [one for one in judged if one.whose is not Whose.FOREIGN]
    order = [*Whose]
    return tuple(sorted(own, key=lambda one: order.index(one.whose))) or tuple(judged[:1])


def whose(address: Address, site: Site, plan: Plan) -> Whose:
    if any(address in relay.source for relay in plan.relays):
        return Whose.EXIT
    if any(address in relay.listen for relay in plan.relays):
        return Whose.RELAY
    if address in plan.resolver:
        return Whose.RESOLVER
    if address in plan.router:
        return Whose.ROUTER
    for port in site.ports:
        for interface in port.addresses:
            if address == interface.ip:
                return Whose.PORT
            if port.role is PortRole.LAN and address in interface.network:
                return Whose.LAN
    if any(address in network for network in plan.twins):
        return Whose.TWIN
    inside = any(address in scope for scope in site.scopes)
    return Whose.UNUSED if inside and not site.provided else Whose.FOREIGN


def _judged(claim: Claim, site: Site, plan: Plan, now: datetime, since: date | None) -> Judged:
    owner = whose(claim.address, site, plan)
    relays = tuple(relay.nickname for relay in plan.relays if claim.address in relay.source)
    why = next(_against(claim, owner, site, now, since), "")
    return Judged(claim, owner, relays, not why, why)


def _against(
    claim: Claim, owner: Whose, site: Site, now: datetime, since: date | None
) -> Iterator[str]:
    """Why what is claimed cannot have been an exit."""
    if claim.moment is not None:
        if claim.moment.when > now + AHEAD:
            yield "that is in the future: somebody's clock is wrong"
        if since and claim.moment.when < datetime.combine(since, time(), UTC):
            yield f"that was before {since}, since when the network is as this site has it"
    if owner is Whose.EXIT and claim.port and not sends(site, claim.port, claim.destination):
        yield f"exits do not send to port {claim.port} there: the exit policy rejects it"
