"""Has transits drop everything that goes to one of the own addresses, for a while.

Under a flood towards one address the rest of the box stays reachable, at the price of that address
(RFC 7999). The transits that declare a community for it hear the address as a route of its own,
with that community; nobody else hears of it. bgpd.conf includes `SET`, which is in memory: after a
restart of the box, and when the time is over, nothing is dropped any more.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from firstboot.box.apply import site_of_running
from firstboot.box.bgpd_include import take_on
from firstboot.box.ends import Ends, after
from firstboot.box.ends import told as end_told
from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.core.limits import BLACKHOLES
from firstboot.core.refusal import Refusal
from firstboot.site.address_plan import Session, allot
from firstboot.site.model import Site

SET = "var/db/exitisp/blackholed"
"""The path of a prefix-set in the form of bgpd.conf(5)."""

ENDS = "blackholes.json"

MINUTES = 120
"""How long, where nobody says."""

MOST = 8
"""Addresses at a time: bgpd.conf lets a transit hear so many routes besides the scopes."""


def blackhole(text: str, machine: Machine, say: Say, minutes: int | None = None) -> None:
    """Give up the address in `text` for so many `minutes`. Raises Refusal."""
    with machine.alone():
        site = site_of_running(machine).value
        address = _own(text, site)
        asked = _asked(site, address)
        if not asked:
            raise Refusal(
                text,
                f"no transit that hears of its IPv{address.version} scope declares a community "
                "for this",
                "Ask the transits for theirs, and write it at peers, blackhole",
            )
        before = blackholed(machine)
        # A record of nothing is replaced, whatever has become of it.
        ends = _ends(machine).read() if before else {}
        given_up = dict.fromkeys((*before, address))
        if len(given_up) > MOST:
            raise Refusal(
                text,
                f"{MOST} addresses are given up already",
                "End one of them first: exitisp unblackhole ADDRESS",
            )
        minutes = minutes or MINUTES
        _ends(machine).keep(ends | {str(address): after(minutes)})
        _follow(given_up, machine)
        names = " and ".join(one.peer.name for one in asked)
        say(f"{names} is asked to drop everything for {address}{_use(address, site)}.")
        say(f"It ends by itself in {minutes} minutes, or before: exitisp unblackhole {address}")


def unblackhole(text: str, machine: Machine, say: Say) -> None:
    """Have the address in `text` reached again. Raises Refusal."""
    with machine.alone():
        found = [address for address in blackholed(machine) if str(address) == _spelled(text)]
        if not found:
            raise Refusal(text, "this address is not given up", "Look at exitisp status")
        _end(found, machine, say)


def end_blackholes(machine: Machine, say: Say) -> None:
    """End those whose time is over, and those of which nobody knows when it is. Raises Refusal."""
    if not _over(machine):
        return
    with machine.alone():
        _end(_over(machine), machine, say)


def blackholed(machine: Machine) -> list[IPv4Address | IPv6Address]:
    """The addresses that are given up. Raises OSError."""
    path = machine.root / SET
    text = path.read_text() if path.exists() else ""
    words = re.findall(r"^  ([0-9a-f.:]+)/\d+$", text, re.MULTILINE)
    return [ip_address(word) for word in words]


def told(machine: Machine) -> list[str]:
    """What `exitisp status` says of each address. Raises Refusal."""
    found = blackholed(machine)
    if not found:
        return []
    ends, site = _ends(machine).read(), site_of_running(machine).value
    return [
        f"blackholed: {address}{_use(address, site)} (exitisp unblackhole {address}), "
        + (end_told(ends[str(address)]) if str(address) in ends else "within a minute")
        for address in found
    ]


def prefix_set(addresses: Iterable[IPv4Address | IPv6Address]) -> str:
    """The set in the form of bgpd.conf(5)."""
    lines = [f"  {address}/{address.max_prefixlen}" for address in addresses]
    return "\n".join(["prefix-set blackholed {", *lines, "}"]) + "\n"


def _own(text: str, site: Site) -> IPv4Address | IPv6Address:
    """Raises Refusal."""
    try:
        address = ip_address(text)
    except ValueError:
        remedy = "Write an IPv4 or IPv6 address such as 198.51.100.7"
        raise Refusal(text, "it is no address", remedy) from None
    if not any(address in scope for scope in site.scopes if scope.version == address.version):
        raise Refusal(
            text,
            "it is in none of the own scopes",
            f"Name an address in {' or '.join(map(str, site.scopes))}",
        )
    return address


def _spelled(text: str) -> str:
    """The address in `text` as it is kept, or `text` if it is none."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def _asked(site: Site, address: IPv4Address | IPv6Address) -> list[Session]:
    """The sessions by which transits are asked: of those who hear of the address's scope."""
    sessions = allot(site).sessions
    return [
        one
        for one in sessions
        if one.peer.blackhole
        and one.remote.version == address.version
        and any(address in scope for scope in one.peer.heard_of(site.scopes))
    ]


def _use(address: IPv4Address | IPv6Address, site: Site) -> str:
    """Who on the box has the address."""
    plan = allot(site)
    relays = [one for one in plan.relays if address in {*one.listen, *one.source}]
    if relays:
        more = f" and {len(relays) - 1} more" if len(relays) > 1 else ""
        return f" ({relays[0].nickname}{more})"
    if address in {*plan.resolver}:
        return " (the resolver)"
    return " (the box itself)" if address in {*plan.router} else ""


def _over(machine: Machine) -> list[IPv4Address | IPv6Address]:
    found = blackholed(machine)
    if not found:
        return []
    try:
        ends, over = _ends(machine).read(), _ends(machine).over()
    except Refusal:
        return found
    return [one for one in found if str(one) in over or str(one) not in ends]


def _end(addresses: list[IPv4Address | IPv6Address], machine: Machine, say: Say) -> None:
    left = [one for one in blackholed(machine) if one not in addresses]
    _follow(left, machine)
    try:
        ends = _ends(machine).read()
    except Refusal:
        ends = {}
    kept = {str(one) for one in left}
    _ends(machine).keep({one: end for one, end in ends.items() if one in kept})
    for address in addresses:
        say(f"{address} is reached again, once the transits have heard.")


def _ends(machine: Machine) -> Ends:
    remedy = "End what is given up with exitisp unblackhole"
    return Ends(machine.state / ENDS, BLACKHOLES, remedy)


def _follow(addresses: Iterable[IPv4Address | IPv6Address], machine: Machine) -> None:
    """Have bgpd announce these and no others. Raises Refusal; all is as before then."""
    take_on(machine.root / SET, prefix_set(addresses), prefix_set([]), machine)
