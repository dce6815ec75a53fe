"""The appliance in the lab: an image as it was built, used through its console as a person does.

Nothing is put into the image. After the wizard, root logs in with the password that was chosen
there, and tells the daemons what the simulated Internet trusts: its DNS root's key, its directory
authorities, its RPKI's trust anchor, or validated origins where the image has no rpki-client(8).
That is in memory, so it has to be repeated after every boot.
"""

import shlex
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from firstboot.site.address_plan import allot
from firstboot.site.model import Alarm, Site
from firstboot.site.writer import compose
from qemu import accelerator
from qemu.accelerator import Accelerator
from qemu.console import Output
from qemu.console_patterns import CRASHES
from qemu.lab.conversation import (
    BEGIN,
    PASSWORD,
    asked,
    conversation,
    play,
    without_papers,
)
from qemu.lab.serial import Serial
from qemu.lab.systems import System
from qemu.machine import Machine

POWER_ON = 900.0
"""Seconds from power-on to the wizard or a login, with an emulated processor on a busy host."""

QUESTION = 300.0
"""Seconds until the wizard's next question."""

APPLIED = 1200.0
"""Seconds until the whole network and all daemons are up."""

COMMAND = 480.0

UP = "The transit and exchange ports are up."


class Trust(Protocol):
    """What the simulated Internet trusts, in the daemons' formats."""

    @property
    def anchor(self) -> str:
        """The DNS root's key as a trust anchor of Unbound."""

    @property
    def torrc(self) -> str:
        """Lines of torrc(5) with the directory authorities."""

    @property
    def roas(self) -> str:
        """The validated origins, as rpki-client(8) writes them for bgpd(8)."""

    @property
    def locator(self) -> str:
        """The RPKI's trust anchor locator."""

    @property
    def web_authority(self) -> str:
        """The certificate, as PEM, of who vouches for web servers."""


def plain(site: Site) -> str:
    """The file of `site` without comments, to be typed."""
    lines = compose(site).splitlines()
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


def typed(site: Site) -> Site:
    """`site` as it is told the wizard. Nobody is told of alarms before the certificate is known by
    which their servers are recognised, and the wizard does not ask for that."""
    return replace(site, alarm=Alarm())


@dataclass(frozen=True)
class Appliance:
    machine: Machine
    system: System
    site: Site

    def answer(self) -> None:
        """Answer the wizard's questions, and wait until the ports are up."""
        console = self.machine.console
        console.expect(BEGIN[0], timeout=POWER_ON)
        serial = Serial(console, QUESTION)
        beginning, *questions = conversation(typed(self.site))
        serial.send(beginning[1])
        play(serial, questions)
        console.expect(UP, timeout=APPLIED, failures=CRASHES)

    def complete(self) -> None:
        """Apply the site if it has more than the wizard asks for. Raises CommandFailed."""
        if asked(typed(self.site)) == without_papers(self.site):
            return
        self.given("exitisp apply --no-confirm -", plain(self.site), APPLIED)

    def login(self) -> None:
        """Wait for the login on the console and log in as root. If the processor is emulated, apply
        the settings that make programs start faster there."""
        self.machine.console.login("root", PASSWORD, timeout=APPLIED)
        if accelerator.best() is Accelerator.TCG:
            self.said(self.system.emulated)

    def teach(self, trust: Trust) -> None:
        """Make the daemons trust the simulated Internet. Raises CommandFailed."""
        system = self.system
        if validation := system.validation:
            self.put(validation.locator, trust.locator)
            self.put(validation.web_authority, trust.web_authority)
            # rpki-client reads them as a user of its own.
            self.said(f"chmod 644 {validation.locator} {validation.web_authority}")
        elif not self.site.provided:
            self.put(system.origins, trust.roas)
            self.said(f"{system.bgp} reload")
        self.said(f"{system.resolver} stop")
        self.put(system.anchor, trust.anchor)
        self.said(f"chown {system.owner} {system.anchor}")
        self.said(f"{system.resolver} start")
        self.said(f"{system.relays} stop")
        for relay in allot(self.site).relays:
            path = system.torrc.format(number=relay.number)
            self.put(path, trust.torrc, appending=True)
        self.said(f"{system.relays} start")

    def validate(self) -> None:
        """Have rpki-client(8) fetch and validate what the simulated Internet's RPKI says, as cron
        does it on the real box, and bgpd read it. Raises CommandFailed."""
        assert self.system.validation is not None
        router = allot(self.site).router
        source = router.v4 or router.v6
        self.said(self.system.validation.run.format(source=source, bgp=self.system.bgp))

    def put(self, path: str, text: str, *, appending: bool = False) -> None:
        """Write the lines of `text` to the file `path`; with `appending`, at its end. Tabs become
        spaces, since a terminal would treat them as a key."""
        into = ">>" if appending else ">"
        self.given(f"cat {into} {shlex.quote(path)}", text)

    def given(self, command: str, text: str, timeout: float = COMMAND) -> None:
        """Run `command` with the lines of `text` as its input, as put() writes them."""
        lines = text.rstrip().expandtabs(1)
        self.said(f"{command} <<'END OF TEXT'\n{lines}\nEND OF TEXT", timeout)

    def said(self, command: str, timeout: float = COMMAND) -> str:
        """Run `command` as root and return its output. Raises CommandFailed."""
        return self.machine.console.run(command, timeout).text.rstrip("\n")

    def ran(self, command: str, timeout: float = COMMAND) -> Output:
        """Run `command`, which may fail, as root, and return output and status."""
        return self.machine.console.run(command, timeout, check=False)

    def fingerprints(self) -> list[str]:
        """Return the fingerprints of the relays, in their order."""
        relays = allot(self.site).relays
        lines = self.said(
            f"cat {' '.join(f'/data/tor/relay{relay.number}/fingerprint' for relay in relays)}"
        )
        return [line.split()[1] for line in lines.splitlines()]

    def restart(self) -> None:
        """Restart the appliance, and log in."""
        self.machine.console.send_line("shutdown -r now")
        self.login()

    def lose_power(self, clock: datetime | None = None) -> None:
        """Cut the power, switch the appliance on, and log in. With `clock`, the clock of the board
        shows that time then."""
        self.machine.cut_power()
        self.machine.set_clock(clock)
        self.machine.start()
        self.login()
