"""The faults of `./exitisp lab --fault`: what goes wrong, and what must hold nevertheless."""

from dataclasses import dataclass
from datetime import timedelta

from firstboot.box.tend import UNTENDED as MARK
from firstboot.core.refusal import Refusal
from firstboot.site.model import PeerRole, Site
from qemu.lab import fault_actions, fault_checks
from qemu.lab.fault_actions import FORGET, PF, UNBOUND, Step, root
from qemu.lab.need import (
    BGP,
    BUNDLE,
    EXCHANGE,
    EXCHANGE_PEER,
    OTHER_WAY,
    PAGES,
    PEER,
    RESOLVER_APART,
    TRANSIT,
    TRANSIT_APART,
    TWO_RELAYS,
    Need,
    lacking,
)
from qemu.lab.probe import Probe
from qemu.lab.probes import (
    announced,
    contained,
    fetched,
    healthy,
    permitted,
    resolved,
)
from qemu.lab.systems import REHEARSAL, System
from qemu.lab.telling import told_of, told_well

SEALED = (contained, permitted)
"""Checks that nothing leaks, for every fault."""

WORKING = (announced, fetched)

EAT = "sh -c 'x=0123456789abcdef; while :; do x=$x$x; done'; :"
"""A shell whose text doubles until there is no room for it."""

OTHERS = {
    "sshd": "SSH on the management port",
    "ntpd": "clock",
    "syslogd": "log",
    "cron": "hourly jobs",
}
"""Daemons besides those of the network, with their labels."""

UNTENDED = f"/var/run/exitisp/{MARK}"
"""While this is there, the box restarts nothing that ended."""

OUT_OF_CARE = ("UNTENDED: nothing is restarted", "the box is tended")
"""A sentence of status, and what has to be so again."""

RESOLVER_AGAIN, RELAYS_AGAIN = "{resolver} stop; {resolver} start", "{relays} stop; {relays} start"


@dataclass(frozen=True, slots=True)
class Fault:
    """`what` describes the fault to people. The checks `holds` must hold while it lasts, `after`
    once it is undone. `rehearsed` is whether a rehearsal has what the fault harms, `needs` what a
    site has to have."""

    name: str
    what: str
    inflict: Step
    undo: Step
    holds: tuple[Probe, ...]
    after: tuple[Probe, ...] = (*WORKING, healthy)
    rehearsed: bool = True
    needs: tuple[Need, ...] = ()

    def lack(self, site: Site) -> str:
        """Why the fault does not apply to `site`; "" if it does."""
        return lacking(site, self.needs)


FAULTS = (
    Fault(
        "resolver-everywhere",
        "The resolver listens on all addresses, as a resolver often does.",
        root(
            f"cp -p {UNBOUND} {UNBOUND}.kept",
            f"sed -E '/^  (outgoing-)?interface:/d' {UNBOUND}.kept > {UNBOUND}",
            f"printf 'server:\\n  interface: 0.0.0.0\\n  interface: ::0\\n' >> {UNBOUND}",
            RESOLVER_AGAIN,
        ),
        root(f"mv {UNBOUND}.kept {UNBOUND}", RESOLVER_AGAIN),
        (
            fault_checks.told("NOT SO: everybody listens where the plan says"),
            fault_checks.dark,
            *SEALED,
        ),
        rehearsed=False,
    ),
    Fault(
        "resolver-killed",
        "The resolver is killed.",
        root(FORGET, f"pkill -9 -f {UNBOUND}"),
        fault_actions.nothing,
        (fault_checks.healed("resolver"), announced, resolved, *SEALED),
    ),
    Fault(
        "resolver-hung",
        "The resolver is stopped: it is there and does nothing.",
        root(FORGET, f"pkill -STOP -f {UNBOUND}"),
        fault_actions.nothing,
        (fault_checks.healed("resolver"), announced, resolved, *SEALED),
    ),
    Fault(
        "others-killed",
        "The daemons for SSH, time, the log and hourly jobs are killed.",
        root(FORGET, *(f"pkill -9 -o -x {name}" for name in OTHERS)),
        fault_actions.nothing,
        (fault_checks.healed(*OTHERS.values()), *WORKING, *SEALED),
        rehearsed=False,
    ),
    Fault(
        "others-hung",
        "The daemons for SSH, time, the log and hourly jobs are stopped: they do nothing.",
        root(FORGET, *(f"pkill -STOP -o -x {name}" for name in OTHERS)),
        fault_actions.nothing,
        (fault_checks.healed(*OTHERS.values()), *WORKING, *SEALED),
        rehearsed=False,
    ),
    Fault(
        "memory-exhausted",
        "Something takes all memory, until the kernel ends it.",
        root(FORGET, EAT),
        fault_actions.nothing,
        (fault_checks.eaten, fault_checks.well, *WORKING, resolved, *SEALED),
    ),
    Fault(
        "card-gone",
        "The card of the exchange is gone: its driver is taken off it.",
        fault_actions.take_out,
        fault_actions.recover(),
        (
            fault_checks.told("NOT SO: every port is there, with its addresses"),
            fetched,
            resolved,
            *SEALED,
        ),
        rehearsed=False,
        needs=(
            EXCHANGE,
            TRANSIT,
        ),
    ),
    Fault(
        "cfg-unreadable",
        "The partition with the site cannot be read any more, and the resolver is killed then.",
        root(FORGET, "umount -f /cfg", f"pkill -9 -f {UNBOUND}"),
        fault_actions.recover(),
        (
            fault_checks.told("NOT MOUNTED: /cfg", "restarted: resolver"),
            *WORKING,
            resolved,
            *SEALED,
        ),
        rehearsed=False,
    ),
    Fault(
        "pf-disabled",
        "The packet filter is switched off.",
        root(FORGET, "pfctl -q -d"),
        fault_actions.nothing,
        (
            fault_checks.healed("packet filter", "transit and exchange ports"),
            *WORKING,
            resolved,
            *SEALED,
        ),
        rehearsed=False,
    ),
    Fault(
        "pf-missing",
        "The box boots, and its kernel cannot load the packet filter.",
        fault_actions.restart("mount -u -o rw /", f"mv {PF} {PF}.away", "mount -u -o ro /"),
        fault_actions.recover("mount -u -o rw /", f"mv {PF}.away {PF}", "mount -u -o ro /"),
        (fault_checks.dark, fault_checks.told("NOT SO: pf guards"), *SEALED),
        rehearsed=False,
    ),
    Fault(
        "bgpd-killed",
        "bgpd is killed.",
        root(FORGET, "pkill -9 -x bgpd"),
        fault_actions.nothing,
        (fault_checks.healed("BGP"), *WORKING, *SEALED),
        needs=(BGP,),
    ),
    Fault(
        "bgpd-hung",
        "bgpd is stopped: it is there and does nothing.",
        root(FORGET, "pkill -STOP -x bgpd"),
        fault_actions.nothing,
        (fault_checks.healed("BGP"), *WORKING, *SEALED),
        needs=(BGP,),
    ),
    Fault(
        "relay-killed",
        "One of the relays is killed.",
        root(FORGET, "kill -9 $(cat /var/run/tor/relay2.pid)"),
        fault_actions.nothing,
        (fault_checks.healed("relay 2"), announced, *SEALED),
        needs=(TWO_RELAYS,),
    ),
    Fault(
        "relay-hung",
        "One of the relays is stopped: it is there and does nothing.",
        root(FORGET, "kill -STOP $(cat /var/run/tor/relay2.pid)"),
        fault_actions.nothing,
        (fault_checks.healed("relay 2"), announced, *SEALED),
        needs=(TWO_RELAYS,),
    ),
    Fault(
        "transit-flapping",
        "A transit closes its sessions and opens them again, five times.",
        fault_actions.flap,
        fault_actions.nothing,
        (*WORKING, *SEALED),
        needs=(TRANSIT,),
    ),
    Fault(
        "exchange-unplugged",
        "The cable to the exchange is pulled.",
        fault_actions.unplug,
        fault_actions.plug,
        (fetched, resolved, *SEALED),
        needs=(
            EXCHANGE,
            TRANSIT,
        ),
    ),
    Fault(
        "member-unplugged",
        "The cable of one card of each bundle is pulled.",
        fault_actions.pull,
        fault_actions.push,
        (fault_checks.told("NOT SO: every card of a bundle carries"), *WORKING, resolved, *SEALED),
        needs=(BUNDLE,),
    ),
    Fault(
        "exchange-misleading",
        "Somebody at the exchange sends router advertisements and redirects.",
        fault_actions.mislead,
        fault_actions.nothing,
        (fault_checks.not_steered, *WORKING, *SEALED),
        needs=(EXCHANGE_PEER,),
    ),
    Fault(
        "wrong-md5",
        "A transit signs its segments with another secret.",
        fault_actions.sign_wrongly,
        fault_actions.sign_rightly,
        (fault_checks.gone(PeerRole.TRANSIT), fetched, *SEALED),
        needs=(
            TRANSIT,
            OTHER_WAY,
        ),
    ),
    Fault(
        "max-prefix",
        "A peer announces more routes than it may.",
        fault_actions.announce_too_many,
        fault_actions.announce_enough,
        (
            fault_checks.gone(PeerRole.PEER),
            fault_checks.told("CLOSED: BGP with", "bgpctl neighbor"),
            fetched,
            *SEALED,
        ),
        needs=(PEER,),
    ),
    Fault(
        "disk-full",
        "The partitions that keep the site and the relays' keys are full.",
        root(
            "dd if=/dev/zero of=/data/filling bs=1048576 2>/dev/null; sync",
            "dd if=/dev/zero of=/cfg/filling bs=65536 2>/dev/null; "
            "dd if=/dev/zero of=/cfg/filling2 bs=512 2>/dev/null; sync",
        ),
        root("rm -f /data/filling /cfg/filling /cfg/filling2"),
        (fault_checks.unchanged, *WORKING, resolved, *SEALED),
    ),
    Fault(
        "clock-wrong",
        "The clock is a year ahead.",
        fault_actions.in_turn(
            root(f"touch {UNTENDED}", "{clock} stop"),
            fault_actions.set_clock(timedelta(days=366)),
        ),
        fault_actions.in_turn(
            fault_actions.set_clock(timedelta()),
            root(
                f"rm {UNTENDED}",
                "{clock} start",
                RESOLVER_AGAIN,
                RELAYS_AGAIN,
            ),
        ),
        (fault_checks.unbelieved, announced, told_of(*OUT_OF_CARE), *SEALED),
        (*WORKING, healthy, told_well(*OUT_OF_CARE)),
    ),
    *(
        Fault(
            f"clock-{name}",
            f"The power fails and comes back, and the board's clock is {what}.",
            fault_actions.start_at(moment),
            fault_actions.nothing,
            (announced, *SEALED),
            after=(fault_checks.right_clock, *WORKING, resolved, healthy),
            rehearsed=False,
        )
        for name, what, moment in (
            ("of-a-dead-battery", "in the year 2000", lambda now: now.replace(year=2000, day=1)),
            ("of-1970", "in 1970", lambda now: now.replace(year=1970, day=1)),
            ("half-a-year-back", "half a year back", lambda now: now - timedelta(days=183)),
            ("a-year-ahead", "a year ahead", lambda now: now + timedelta(days=366)),
            ("ten-years-ahead", "ten years ahead", lambda now: now + timedelta(days=3653)),
        )
    ),
    Fault(
        "exits-blackholed",
        "Name servers drop what comes from the addresses of exit traffic.",
        fault_actions.blackhole_exits,
        fault_actions.hear_exits,
        (fetched, resolved, *SEALED),
        needs=(
            RESOLVER_APART,
            PAGES,
        ),
    ),
    Fault(
        "incident-of-2018",
        "As in 2018, the resolver has the address of the exchange's port, outside of its jail, and "
        "the filter lets out there whatever goes to port 53.",
        fault_actions.as_in_2018,
        fault_actions.as_now,
        (fault_checks.reported_2018, fault_checks.dark, *SEALED),
        needs=(EXCHANGE, TRANSIT, TRANSIT_APART),
    ),
    Fault(
        "spoofed-by-others",
        "Somebody far away opens connections with addresses of the scopes, and the answers come "
        "here.",
        fault_actions.spoof,
        fault_actions.nothing,
        (fault_checks.reported_spoofed, *WORKING, *SEALED),
        needs=(BGP,),
    ),
    Fault(
        "power-cut",
        "The power fails and comes back.",
        fault_actions.lose_power,
        fault_actions.nothing,
        (*WORKING, resolved, healthy, *SEALED),
    ),
)


def named(name: str, system: System, site: Site) -> tuple[Fault, ...]:
    """Return the fault of this name, or all for "all", of those that `system` can have. Raises
    Refusal; a single fault that does not apply to `site` is refused as well."""
    possible = [fault for fault in FAULTS if fault.rehearsed or system != REHEARSAL]
    found = tuple(fault for fault in possible if name in (fault.name, "all"))
    if not found:
        raise Refusal(
            "--fault",
            f"no fault of the base {system.base} is called {name!r}",
            f"Name all, or one of {', '.join(fault.name for fault in possible)}",
        )
    if name != "all" and (why := found[0].lack(site)):
        fit = (fault.name for fault in possible if not fault.lack(site))
        raise Refusal(
            "--fault",
            f"{name} does not apply to this site: {why}",
            f"Name all, or one of {', '.join(fit)}",
        )
    return found
