"""BGP: the rendered policy against one that accepts everything.

The transit announces a table of a given size. bgpd is restarted, and the time is measured from the
moment that its sessions with the transit are up until it has the whole table. Between turns the
transit keeps the sessions shut, so that bgpd hears nothing early.

The policy that accepts everything announces nothing. Otherwise bgpd would announce the whole table,
exceed each neighbour's `max-prefix N out`, and close the sessions.
"""

import time
from collections.abc import Mapping

from firstboot.site.model import PeerRole
from qemu.bench.contest import PLACE, Contest
from qemu.bench.feed import sizes, table
from qemu.bench.figures import Measure, Side
from qemu.lab.session import Lab, wait
from qemu.world.net import Failed

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


def routes(lab: Lab, count: int) -> Contest:
    """Return the contest, with `count` IPv4 routes and V6_SHARE as many of IPv6."""
    transit = next(peer for peer in lab.site.peers if peer.role is PeerRole.TRANSIT)
    sessions = [one for one in lab.plan.sessions if one.peer is transit]
    router, own = lab.internet.routers[transit.name], lab.internet.of_site(transit.name)
    announced = sizes(count)
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
