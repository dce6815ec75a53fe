"""What goes wrong with one of two boxes, and for how long addresses cannot be reached then."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from firstboot.core.refusal import Refusal
from firstboot.core.values import Address
from qemu.lab.attempts import done
from qemu.lab.checks import Verdict
from qemu.lab.pair import SEALED, Pair, joined, made, relay_addresses, together, twin_port
from qemu.lab.probe import Probe
from qemu.lab.probes import announced, fetched, healthy
from qemu.lab.report import AGAIN, Outage, Trial
from qemu.lab.session import Lab
from qemu.world.reach import Reach, unreachable

LASTS = 4 / 3
"""How long a fault lasts, in hold times: until the sessions must have noticed, and then some."""

LATE = 3.0
"""Seconds within which an answer comes that comes at all."""

Step = Callable[[Pair], None]


@dataclass(frozen=True, slots=True)
class Failover:
    """`what` describes the fault to people. The addresses of the boxes `stay` have to stay
    reachable, from afar, or `near` from each box's own upstream alone. The checks `after` must hold
    once it is undone."""

    name: str
    what: str
    inflict: Step
    undo: Step
    stay: tuple[str, ...] = ("a", "b")
    near: bool = False
    after: tuple[Probe, ...] = (joined, announced, fetched, healthy)


def tried(fault: Failover, pair: Pair) -> tuple[Trial, Outage]:
    """Inflict `fault`, wait, undo it, and judge how long addresses were unreachable meanwhile.

    Failures are verdicts that do not hold.
    """
    progress = pair.one.progress
    with progress.stage(fault.name):
        began = time.time()
        progress.mark(fault.name)
        verdicts = done("inflicted", fault.inflict, pair)
        time.sleep(LASTS * pair.hold)
        verdicts += made(SEALED, pair)
        progress.mark(f"{fault.name} undone")
        verdicts += done("undone", fault.undo, pair)
        verdicts += done("sessions again", together, pair)
        verdicts += tuple(
            replace(one, name=f"{one.name}{AGAIN}") for one in made((*fault.after, *SEALED), pair)
        )
        time.sleep(LATE)
        outage = measured(fault, pair, began)
    return Trial(fault.name, fault.what, (*reachable(outage), *verdicts)), outage


def measured(fault: Failover, pair: Pair, began: float) -> Outage:
    """How long the addresses of each box were unreachable since `began`, in seconds since 1970."""
    until = time.time() - LATE
    far = {lab.name: _longest(pair.far, relay_addresses(lab), began, until) for lab in pair.labs}
    near = {
        lab.name: _longest(pair.near[lab.name], relay_addresses(lab), began, until)
        for lab in pair.labs
    }
    return Outage(fault.name, fault.what, far, near, fault.stay, fault.near, pair.hold)


def _longest(reach: Reach, addresses: Collection[Address], began: float, until: float) -> float:
    rounds = [one for one in reach.rounds() if began <= one.at <= until]
    return max(unreachable(address, rounds, until) for address in addresses)


def reachable(outage: Outage) -> tuple[Verdict, ...]:
    """Judge an outage by the hold time of the sessions."""
    seen = outage.near if outage.only_near else outage.far
    whence = "from their own upstream" if outage.only_near else "from afar"
    return tuple(
        Verdict(
            f"{box}: reachable",
            seen[box] <= outage.most,
            f"unreachable {whence} for {seen[box]:.1f} s at most; the sessions' hold time is "
            f"{outage.most:.0f} s",
            "No address of the box's relays is unreachable for longer than the hold time of the "
            "BGP sessions. Each is asked twice a second (ICMP echo).",
        )
        for box in outage.stay
    )


def _each_cable(name: str, move: Callable[[Lab, str], None]) -> Step:
    """The step that pulls or plugs all cables of a box to transits and exchanges."""

    def step(pair: Pair) -> None:
        lab = pair.lab(name)
        for port in lab.outside:
            move(lab, port.name)

    return step


def _cable_between(move: Callable[[Lab, str], None]) -> Step:
    """The step that pulls or plugs the cable between the boxes, at both ends."""

    def step(pair: Pair) -> None:
        for lab in pair.labs:
            move(lab, twin_port(lab).name)

    return step


def _each_neighbour(name: str, command: str) -> Step:
    """The step that runs a command of the box for each of its neighbours but the twin."""

    def step(pair: Pair) -> None:
        lab = pair.lab(name)
        for peer in lab.internet.topology.peers:
            lab.mark(f"exitisp {command} {peer.name}")
            lab.appliance.said(f"exitisp {command} {peer.name}")

    return step


def _off(pair: Pair) -> None:
    pair.one.mark("the power fails")
    pair.one.appliance.machine.cut_power()


def _on(pair: Pair) -> None:
    pair.one.mark("the power is back")
    pair.one.appliance.machine.start()
    pair.one.appliance.login()
    pair.one.appliance.teach(pair.one.internet.trust)


FAILOVERS = (
    *(
        Failover(
            f"{name}-unplugged",
            f"All cables of {name} to transits and exchanges are pulled.",
            _each_cable(name, Lab.unplug),
            _each_cable(name, Lab.plug),
        )
        for name in ("a", "b")
    ),
    *(
        Failover(
            f"{name}-drained",
            f"{name} is drained: `exitisp drain PEER` of each of its neighbours but the twin.",
            _each_neighbour(name, "drain"),
            _each_neighbour(name, "undrain"),
        )
        for name in ("a", "b")
    ),
    Failover(
        "twin-unplugged",
        "The cable between the boxes is pulled. What comes to the wrong box is lost until it is "
        "back.",
        _cable_between(Lab.unplug),
        _cable_between(Lab.plug),
        near=True,
    ),
    Failover("a-off", "The power of a fails, and comes back.", _off, _on, stay=("b",)),
)


def named(name: str) -> tuple[Failover, ...]:
    """The faults of a pair of this name, or all for "all". Raises Refusal."""
    found = tuple(one for one in FAILOVERS if name in (one.name, "all"))
    if not found:
        raise Refusal(
            "--fault",
            f"no fault of two boxes is called {name!r}",
            f"Name all, or one of {', '.join(one.name for one in FAILOVERS)}",
        )
    return found
