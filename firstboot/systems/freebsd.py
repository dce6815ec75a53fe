"""HardenedBSD and FreeBSD, which the box is for."""

from collections.abc import Iterable
from pathlib import Path

from firstboot import nics, preflight
from firstboot.machine import Machine
from firstboot.preflight import Verdict
from firstboot.render import Rendered
from firstboot.services import SERVICES, Command
from firstboot.site import Site
from firstboot.systems import System
from firstboot.trial import CHECKERS
from firstboot.values import Address


def verdicts(site: Site, files: Iterable[Rendered], machine: Machine) -> tuple[Verdict, ...]:
    return preflight.judge(site, files, preflight.observe(machine))


def devices(machine: Machine) -> tuple[str, ...]:
    """As ifconfig(8) names them."""
    said = machine.run("ifconfig", "-l", "ether")
    return tuple(said.text.split()) if said.status == 0 else ()


def alias(address: Address) -> Command:
    family = "inet6" if address.version == 6 else "inet"
    return "ifconfig", "lo1", family, f"{address}/{address.max_prefixlen}", "alias"


def password(root: Path) -> Command:
    return "pw", "-R", str(root), "usermod", "root", "-H", "0"


SYSTEM = System(
    services=SERVICES,
    checkers=CHECKERS,
    verdicts=verdicts,
    devices=devices,
    alias=alias,
    fat="msdosfs",
    password=password,
    raised=nics.raised,
)
