"""What may go wrong, and what must hold nevertheless: the table of `./exitisp lab --fault`."""

from dataclasses import dataclass
from datetime import timedelta

from firstboot.refusal import Refusal
from firstboot.site import PeerRole
from qemu.lab import harm, symptoms
from qemu.lab.examination import (
    Check,
    announced,
    contained,
    fetched,
    healthy,
    permitted,
    resolved,
)
from qemu.lab.harm import PF, UNBOUND, Step, root
from qemu.lab.systems import REHEARSAL, System

SEALED = (contained, permitted)
"""Nothing leaks, whatever happens."""

WORKING = (announced, fetched)

RESOLVER_AGAIN, RELAYS_AGAIN = "{resolver} stop; {resolver} start", "{relays} stop; {relays} start"


@dataclass(frozen=True, slots=True)
class Fault:
    """`what` is for people. Of the checks, `holds` must hold while the fault lasts, and `after`
    once it is undone. `rehearsed` is whether a rehearsal has what it harms."""

    name: str
    what: str
    inflict: Step
    undo: Step
    holds: tuple[Check, ...]
    after: tuple[Check, ...] = (*WORKING, healthy)
    rehearsed: bool = True


FAULTS = (
    Fault(
        "resolver-everywhere",
        "The resolver is bound to every address there is, as many are.",
        root(
            f"cp -p {UNBOUND} {UNBOUND}.kept",
            f"sed -E '/^  (outgoing-)?interface:/d' {UNBOUND}.kept > {UNBOUND}",
            f"printf 'server:\\n  interface: 0.0.0.0\\n  interface: ::0\\n' >> {UNBOUND}",
            RESOLVER_AGAIN,
        ),
        root(f"mv {UNBOUND}.kept {UNBOUND}", RESOLVER_AGAIN),
        (
            symptoms.told("NOT SO: everybody listens where the plan says"),
            announced,
            resolved,
            *SEALED,
        ),
        rehearsed=False,
    ),
    Fault(
        "resolver-killed",
        "The resolver is killed.",
        root(f"pkill -9 -f {UNBOUND}"),
        root(RESOLVER_AGAIN),
        (symptoms.told("DOWN: resolver"), announced, *SEALED),
    ),
    Fault(
        "pf-disabled",
        "The packet filter is switched off.",
        root("pfctl -q -d"),
        root("pfctl -q -e"),
        (symptoms.told("NOT SO: pf guards", "pf is off"), announced, fetched, resolved, *SEALED),
        rehearsed=False,
    ),
    Fault(
        "pf-missing",
        "The box boots, and the kernel cannot load the packet filter.",
        harm.restart("mount -u -o rw /", f"mv {PF} {PF}.away", "mount -u -o ro /"),
        harm.recover("mount -u -o rw /", f"mv {PF}.away {PF}", "mount -u -o ro /"),
        (symptoms.dark, symptoms.told("NOT SO: pf guards"), *SEALED),
        rehearsed=False,
    ),
    Fault(
        "bgpd-killed",
        "bgpd is killed.",
        root("pkill -9 -x bgpd"),
        root("service openbgpd start"),
        (symptoms.withdrawn, symptoms.told("DOWN: BGP"), *SEALED),
    ),
    Fault(
        "relay-killed",
        "One of the relays is killed.",
        root("kill -9 $(cat /var/run/tor/relay2.pid)"),
        root(RELAYS_AGAIN),
        (symptoms.told("DOWN: relays"), announced, *SEALED),
    ),
    Fault(
        "transit-flapping",
        "A transit closes its sessions and opens them again, five times.",
        harm.flap,
        harm.nothing,
        (*WORKING, *SEALED),
    ),
    Fault(
        "exchange-unplugged",
        "The cable to the exchange is pulled.",
        harm.unplug,
        harm.plug,
        (fetched, resolved, *SEALED),
    ),
    Fault(
        "exchange-misleading",
        "Somebody at the exchange sends router advertisements and redirects.",
        harm.mislead,
        harm.nothing,
        (symptoms.steered, *WORKING, *SEALED),
    ),
    Fault(
        "wrong-md5",
        "A transit signs its segments with another secret.",
        harm.sign_wrongly,
        harm.sign_rightly,
        (symptoms.gone(PeerRole.TRANSIT), fetched, *SEALED),
    ),
    Fault(
        "max-prefix",
        "A peer announces more routes than it may.",
        harm.announce_too_many,
        harm.announce_enough,
        (symptoms.gone(PeerRole.PEER), fetched, *SEALED),
    ),
    Fault(
        "disk-full",
        "Nothing more fits on the partitions that keep the site and the relays' keys.",
        root(
            "dd if=/dev/zero of=/data/filling bs=1048576 2>/dev/null; sync",
            "dd if=/dev/zero of=/cfg/filling bs=65536 2>/dev/null; "
            "dd if=/dev/zero of=/cfg/filling2 bs=512 2>/dev/null; sync",
        ),
        root("rm -f /data/filling /cfg/filling /cfg/filling2"),
        (symptoms.unchanged, *WORKING, resolved, *SEALED),
    ),
    Fault(
        "clock-wrong",
        "The clock is a year ahead.",
        harm.in_turn(root("{clock} stop"), harm.set_clock(timedelta(days=366))),
        harm.in_turn(
            harm.set_clock(timedelta()),
            root(
                "{clock} start",
                RESOLVER_AGAIN,
                RELAYS_AGAIN,
            ),
        ),
        (symptoms.unbelieved, announced, *SEALED),
    ),
    Fault(
        "exits-blackholed",
        "Name servers drop whatever comes from the addresses of exits.",
        harm.blackhole_exits,
        harm.hear_exits,
        (fetched, resolved, *SEALED),
    ),
    Fault(
        "power-cut",
        "The plug is pulled, and put in again.",
        harm.lose_power,
        harm.nothing,
        (*WORKING, resolved, healthy, *SEALED),
    ),
)


def named(name: str, system: System) -> tuple[Fault, ...]:
    """The fault of this name that `system` can have; all of them for "all". Raises Refusal."""
    possible = [fault for fault in FAULTS if fault.rehearsed or system != REHEARSAL]
    found = tuple(fault for fault in possible if name in (fault.name, "all"))
    if not found:
        raise Refusal(
            name,
            expected=f"the name of a fault that the base {system.base} can have",
            found="none of that name",
            remedy="name all, or one of " + ", ".join(fault.name for fault in possible),
        )
    return found
