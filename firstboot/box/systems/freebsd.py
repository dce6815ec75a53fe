"""HardenedBSD and FreeBSD, which the box is for."""

from collections.abc import Iterable
from pathlib import Path

from firstboot.box import nics, preflight
from firstboot.box.config_tests import CHECKERS
from firstboot.box.machine import Machine
from firstboot.box.preflight import Verdict
from firstboot.box.services import SERVICES, Command
from firstboot.box.systems import System
from firstboot.core.values import Address
from firstboot.site.model import Site
from firstboot.site.render import Rendered


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
