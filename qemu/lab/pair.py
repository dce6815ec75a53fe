"""Two boxes of one operator in one world, and what must hold of the two."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from firstboot.core.values import Address
from firstboot.site.model import PeerRole, Port, PortRole
from qemu.lab import checks
from qemu.lab.attempts import attempt
from qemu.lab.checks import Verdict
from qemu.lab.probe import Probe, probe
from qemu.lab.probes import CHECKS, contained, permitted
from qemu.lab.report import Trial
from qemu.lab.session import Lab, wait
from qemu.world.egress_rule import rule
from qemu.world.reach import Reach


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
    near = {
        lab.name: Reach(parties[lab.internet.topology.party(_upstream(lab))], relay_addresses(lab))
        for lab in (one, other)
    }
    far = Reach(parties["client"], [*relay_addresses(one), *relay_addresses(other)])
    return Pair(one, other, far, near)


def relay_addresses(lab: Lab) -> list[Address]:
    """Where relays listen, and where exit traffic comes from, in order."""
    found = {one for relay in lab.plan.relays for one in (*relay.listen, *relay.source)}
    return sorted(found, key=lambda one: (one.version, int(one)))


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


def sound(pair: Pair) -> Trial:
    """Every check, of both boxes, with nothing wrong."""
    return Trial("sound", "Nothing is wrong.", made(SOUND, pair))


def made(some: Collection[Probe], pair: Pair) -> tuple[Verdict, ...]:
    """The verdicts of both boxes, under the box's name and that of the check."""
    return tuple(_named(attempt(check, lab), lab) for lab in pair.labs for check in some)


def _named(verdict: Verdict, lab: Lab) -> Verdict:
    return replace(verdict, name=f"{lab.name}: {verdict.name}")


def together(pair: Pair) -> None:
    """Wait until all sessions are up again."""
    for lab in pair.labs:
        wait(f"sessions of {lab.name} with every neighbour", lab.internet.established)
    for lab in pair.labs:
        wait(
            f"the session of {lab.name} with the other box",
            lambda lab=lab: not _twin_sessions_down(lab),  # type: ignore[misc]
        )
