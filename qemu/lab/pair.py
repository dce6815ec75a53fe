"""Two boxes of one operator in one world: what must hold of the two, what goes wrong with one of
them, and for how long addresses cannot be reached then."""

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from firstboot.core.values import Address
from firstboot.site.model import PeerRole, Port, PortRole
from qemu.lab import checks
from qemu.lab.attempts import attempt, done
from qemu.lab.checks import Verdict
from qemu.lab.probe import Probe, probe
from qemu.lab.probes import CHECKS, announced, contained, fetched, healthy, permitted
from qemu.lab.report import AGAIN, Outage, Trial
from qemu.lab.session import Lab, wait
from qemu.world.egress_rule import rule
from qemu.world.reach import Reach, unreachable

LASTS = 4 / 3
"""How long a fault lasts, in hold times: until the sessions must have noticed, and then some."""

LATE = 3.0
"""Seconds within which an answer comes that comes at all."""

Step = Callable[["Pair"], None]


@dataclass(frozen=True)
class Pair:
    """The two boxes. `far` asks the addresses of both from afar, `near` those of each box from its
    own upstream."""

    one: Lab
    other: Lab
    far: Reach
    near: Mapping[str, Reach]

    @property
    def labs(self) -> tuple[Lab, Lab]:
        return self.one, self.other

    @property
    def hold(self) -> float:
        """The hold time of the sessions, in seconds."""
        return float(self.one.internet.hold)

    def lab(self, name: str) -> Lab:
        return next(lab for lab in self.labs if lab.name == name)


def beside(one: Lab, other: Lab) -> Pair:
    """The pair of two labs that are in one world."""
    parties = one.internet.parties
    addresses = [address for lab in (one, other) for address in relay_addresses(lab)]
    near = {
        lab.name: Reach(
            parties[lab.internet.topology.party(_upstream(lab))], sorted_(relay_addresses(lab))
        )
        for lab in (one, other)
    }
    return Pair(one, other, Reach(parties["client"], sorted_(addresses)), near)


def relay_addresses(lab: Lab) -> set[Address]:
    """Where relays listen, and where exit traffic comes from."""
    return {one for relay in lab.plan.relays for one in (*relay.listen, *relay.source)}


def sorted_(addresses: Iterable[Address]) -> list[Address]:
    return sorted(addresses, key=lambda one: (one.version, int(one)))


def _upstream(lab: Lab) -> str:
    """The first transit, by its name."""
    return next(
        one.peer.name for one in lab.internet.topology.sessions if one.peer.role is PeerRole.TRANSIT
    )


def twin_port(lab: Lab) -> Port:
    return next(port for port in lab.site.ports if port.role is PortRole.TWIN)


@probe(
    "The wire between the boxes carries their BGP, what strangers send to the other box's "
    "addresses, and what the sender's own addresses send. Nothing else was sent there."
)
def between(lab: Lab) -> Verdict:
    port = twin_port(lab)
    wires = {port.name: (rule(lab.site, port), lab.sent(port.name))}
    return replace(checks.contained(wires), name="between")


@probe("Both sessions between the boxes are up.")
def joined(lab: Lab) -> Verdict:
    down = _twin_sessions_down(lab)
    evidence = f"down: {checks.several(down)}" if down else "both are up"
    return Verdict("joined", not down, evidence)


def _twin_sessions_down(lab: Lab) -> set[str]:
    """The addresses of the other box with which there is no session."""
    said = lab.appliance.said(f"{lab.appliance.system.bgp} -j show neighbor")
    twin = {str(one) for one in lab.site.twin.addresses} if lab.site.twin else set()
    up = {
        str(one["remote_addr"])
        for one in json.loads(said)["neighbors"]
        if one.get("state") == "Established"
    }
    return twin - up


SEALED = (contained, permitted, between)

OWN = (joined, between)
"""The checks that only a pair has."""

SOUND = (joined, *CHECKS.values(), between)


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


def sound(pair: Pair) -> Trial:
    """Every check, of both boxes, with nothing wrong."""
    return Trial("sound", "Nothing is wrong.", made(SOUND, pair))


def made(some: Collection[Probe], pair: Pair) -> tuple[Verdict, ...]:
    """The verdicts of both boxes, under the box's name and that of the check."""
    return tuple(_named(attempt(check, lab), lab) for lab in pair.labs for check in some)


def _named(verdict: Verdict, lab: Lab) -> Verdict:
    return replace(verdict, name=f"{lab.name}: {verdict.name}")


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


def together(pair: Pair) -> None:
    """Wait until all sessions are up again."""
    for lab in pair.labs:
        wait(f"sessions of {lab.name} with every neighbour", lab.internet.established)
    for lab in pair.labs:
        wait(
            f"the session of {lab.name} with the other box",
            lambda lab=lab: not _twin_sessions_down(lab),  # type: ignore[misc]
        )


def _unplug(name: str) -> Step:
    def step(pair: Pair) -> None:
        lab = pair.lab(name)
        for port in lab.outside:
            lab.unplug(port.name)

    return step


def _plug(name: str) -> Step:
    def step(pair: Pair) -> None:
        lab = pair.lab(name)
        for port in lab.outside:
            lab.plug(port.name)

    return step


def _part(pair: Pair) -> None:
    for lab in pair.labs:
        lab.unplug(twin_port(lab).name)


def _rejoin(pair: Pair) -> None:
    for lab in pair.labs:
        lab.plug(twin_port(lab).name)


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
            _unplug(name),
            _plug(name),
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
        _part,
        _rejoin,
        near=True,
    ),
    Failover("a-off", "The power of a fails, and comes back.", _off, _on, stay=("b",)),
)
