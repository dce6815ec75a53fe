"""BGP: the rendered policy against one that accepts everything.

The transit announces a table of a given size. bgpd is restarted, and the time is measured from the
moment that its sessions with the transit are up until it has the whole table. Between turns the
transit keeps the sessions shut, so that bgpd hears nothing early.

The policy that accepts everything announces nothing. Otherwise bgpd would announce the whole table,
exceed each neighbour's `max-prefix N out`, and close the sessions.
"""

import time
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address

from firstboot.core.refusal import Refusal
from firstboot.core.values import Network
from firstboot.site.model import PeerRole
from qemu.bench.contest import PLACE, Contest
from qemu.bench.figures import Measure, Side
from qemu.lab.session import Lab, wait
from qemu.world.bird import Route
from qemu.world.net import Failed
from qemu.world.routes import ORIGIN

V6_SHARE = 0.23
"""IPv6 routes per IPv4 route in the Internet's tables: 230,000 to 1,000,000."""

FIRST_V4, FIRST_V6 = int(ip_address("12.0.0.0")), int(ip_address("2d04::"))
"""Where the table's prefixes begin. Nothing else in the simulated Internet uses what follows, and
it has no bogons."""

MOST = 2_000_000
"""IPv4 routes that bgpd.conf's `max-prefix` allows a transit."""

CONFIG = "/etc/local/bgpd.conf"
FILTERS = "deny from any"
"""The first line of the policy."""

SETUP = f"""\
cd {PLACE}
cp {CONFIG} tuned.bgpd.conf
sed '/^{FILTERS}$/,$d' {CONFIG} >stock.bgpd.conf
echo allow from any >>stock.bgpd.conf
echo deny to any >>stock.bgpd.conf
"""

LONGEST = 3600.0
"""Seconds that a whole table may take with an emulated processor."""

RECEIVED = "awk '/^ *Prefixes/ {print $3; exit}'"
MEMORY = "ps -ax -o rss= -o comm= | awk '$2 == \"bgpd\" {sum += $1} END {print sum / 1024}'"

CONVERGED = Measure("BGP: until a table is there", "s", more=False)
TAKEN = Measure("BGP: memory of bgpd with it", "MiB", more=False)


def possible(count: int) -> int:
    """Return `count`. Raises Refusal if a transit may not announce that many IPv4 routes."""
    if not 100 <= count <= MOST:
        raise Refusal(
            "--routes",
            f"{count} is not between 100 and {MOST}",
            "Give a number of IPv4 routes in between; a whole table has a million",
        )
    return count


def routes(lab: Lab, count: int) -> Contest:
    """Return the contest, with `count` IPv4 routes and V6_SHARE as many of IPv6."""
    transit = next(peer for peer in lab.site.peers if peer.role is PeerRole.TRANSIT)
    sessions = [one for one in lab.plan.sessions if one.peer is transit]
    router, own = lab.internet.routers[transit.name], lab.internet.of_site(transit.name)
    announced = {4: count, 6: int(count * V6_SHARE)}
    box = lab.appliance
    box.said(SETUP)
    router.announce(table(count))

    def heard() -> bool:
        return all(
            int(box.said(f"{box.system.bgp} show neighbor {one.remote} | {RECEIVED}") or 0)
            >= announced[one.remote.version]
            for one in sessions
        )

    def take(side: Side) -> None:
        router.shut(*own)
        box.said(f"cp {PLACE}/{side.value}.bgpd.conf {CONFIG}")
        box.said("service openbgpd restart")

    def look() -> Mapping[Measure, float]:
        router.open(*own)
        wait("sessions with the transit", lambda: router.established(*own))
        began = time.monotonic()
        wait("the table", heard, LONGEST)
        seconds = time.monotonic() - began
        taken = float(box.said(MEMORY))
        if not taken:
            raise Failed("no process bgpd on the appliance")
        return {CONVERGED: seconds, TAKEN: taken}

    return Contest("BGP", take, look)


def table(count: int) -> list[Route]:
    """Return `count` IPv4 routes and V6_SHARE as many of IPv6, each with a path of three ASNs."""
    prefixes: list[Network] = [
        *(IPv4Network((FIRST_V4 + (n << 8), 24)) for n in range(count)),
        *(IPv6Network((FIRST_V6 + (n << 80), 48)) for n in range(int(count * V6_SHARE))),
    ]
    return [
        Route(prefix, (ORIGIN + n % 300, ORIGIN + 300 + n % 700, ORIGIN + 1000 + n % 70000))
        for n, prefix in enumerate(prefixes)
    ]
