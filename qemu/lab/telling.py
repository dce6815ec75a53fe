"""The checks that somebody is told: of alarms, while nothing is wrong and in a fault."""

from firstboot.box.alarms import strangers
from firstboot.box.alarms.letter import Way
from firstboot.core.values import Address
from firstboot.site.alarms import destinations
from firstboot.site.model import PortRole
from qemu.lab import alarm_checks
from qemu.lab.checks import Verdict
from qemu.lab.need import ALARM
from qemu.lab.probe import Probe, probe
from qemu.lab.session import Lab, until_holds
from qemu.world.post import Taken

SOON = 120.0
"""Seconds within which a text is at its server once the box has sent it."""

NOTICED = 330.0
"""Seconds within which an emulated box tells of something: it looks once a minute, and tells what
was so at two looks."""


@probe(
    "`exitisp watch --test` tells a mail relay and a web server, as the site has them, from the "
    "router's address and over the management port. No text has an address of others.",
    ALARM,
)
def alarmed(lab: Lab) -> Verdict:
    begun = len(_taken(lab))
    printed = lab.appliance.ran("exitisp watch --test").text
    own = strangers.known(lab.site)

    def look() -> Verdict:
        return alarm_checks.alarmed(printed, _taken(lab)[begun:], _sources(lab), own)

    return until_holds(look, SOON)


def _taken(lab: Lab) -> list[Taken]:
    """What servers took so far; of two boxes, what came from an address of this one."""
    taken = lab.internet.post.taken()
    own = {*lab.plan.addresses, *(face.ip for port in lab.site.ports for face in port.addresses)}
    return [one for one in taken if not lab.name or one.source in own]


def _sources(lab: Lab) -> dict[tuple[str, Way], list[Address]]:
    """The addresses that each channel is told from, by each way that leads to its server."""
    ports = (port for port in lab.site.ports if port.role is PortRole.MANAGEMENT)
    by_way = {
        Way.ROUTER: list(lab.plan.router),
        Way.MANAGEMENT: [face.ip for port in ports for face in port.addresses],
    }
    return {
        (to.channel, way): fit
        for to in destinations(lab.site)
        for way, addresses in by_way.items()
        if (fit := [one for one in addresses if to.address and one.version == to.address.version])
    }


def told_of(wrong: str, well: str) -> Probe:
    """The check that somebody is told what is wrong, by a sentence with `wrong` in it."""

    @probe(f"Whoever is told of alarms is told of {wrong!r}.", ALARM)
    def told_of(lab: Lab) -> Verdict:
        return until_holds(lambda: _last_word(lab, "told of", wrong, well, now=False), NOTICED)

    return told_of


def told_well(wrong: str, well: str) -> Probe:
    """The check that somebody is told that it is `well` again, after a sentence with `wrong`."""

    @probe(f"Whoever is told of alarms is told that it is well again: {well}.", ALARM)
    def told_well(lab: Lab) -> Verdict:
        return until_holds(lambda: _last_word(lab, "told well", wrong, well, now=True), NOTICED)

    return told_well


def _last_word(lab: Lab, name: str, wrong: str, well: str, *, now: bool) -> Verdict:
    return alarm_checks.told_of(
        name,
        _taken(lab),
        [to.channel for to in destinations(lab.site)],
        strangers.known(lab.site),
        wrong=wrong,
        well=well,
        now=now,
    )
