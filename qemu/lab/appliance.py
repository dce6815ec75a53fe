"""The appliance in the lab: an image as it was built, driven by its console as a person would.

Nothing is put into the image. After the wizard, root logs in with the password that was chosen
there and tells the daemons whom this world trusts: its root's key, its directory authorities, its
validated origins. That is in memory, so every boot is taught anew.
"""

import shlex
from dataclasses import dataclass
from typing import Protocol

from firstboot.site.address_plan import allot
from firstboot.site.model import Site
from qemu import accelerator
from qemu.accelerator import Accelerator
from qemu.console import Output
from qemu.console_patterns import CRASHES
from qemu.lab.conversation import BEGIN, PASSWORD, conversation, play
from qemu.lab.serial import Serial
from qemu.lab.systems import System
from qemu.machine import Machine

POWER_ON = 900.0
"""Seconds from power-on to the wizard or a login; an emulated processor on a busy machine."""

QUESTION = 300.0
"""Seconds until the next question."""

APPLIED = 1200.0
"""Seconds for the whole network and all daemons."""

COMMAND = 240.0

UP = "The transit and exchange ports are up."


class Trust(Protocol):
    """Whom a world's inhabitants trust, as the daemons read it."""

    @property
    def anchor(self) -> str:
        """The root's key, as Unbound's trust anchors are."""

    @property
    def torrc(self) -> str:
        """Lines for torrc: the directory authorities."""

    @property
    def roas(self) -> str:
        """What rpki-client writes for bgpd."""


@dataclass(frozen=True)
class Appliance:
    machine: Machine
    system: System
    site: Site

    def answer(self) -> None:
        """Answer the wizard's questions, until the ports are up."""
        console = self.machine.console
        console.expect(BEGIN[0], timeout=POWER_ON)
        serial = Serial(console, QUESTION)
        beginning, *questions = conversation(self.site)
        serial.send(beginning[1])
        play(serial, questions)
        console.expect(UP, timeout=APPLIED, failures=CRASHES)

    def login(self) -> None:
        """Become root on the console, which offers a login, now or once it has booted. Where the
        processor is emulated, what is started from now on is so more quickly."""
        self.machine.console.login("root", PASSWORD, timeout=APPLIED)
        if accelerator.best() is Accelerator.TCG:
            self.said(self.system.emulated)

    def teach(self, trust: Trust) -> None:
        """Let the daemons believe this world. Raises CommandFailed."""
        system = self.system
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

    def put(self, path: str, text: str, *, appending: bool = False) -> None:
        """Write `text`, which is of lines, to `path`; with `appending`, after what is there. A tab
        becomes a space, since a terminal takes it for a key."""
        into = ">>" if appending else ">"
        lines = text.rstrip().expandtabs(1)
        self.said(f"cat {into} {shlex.quote(path)} <<'END OF TEXT'\n{lines}\nEND OF TEXT")

    def said(self, command: str, timeout: float = COMMAND) -> str:
        """What root's `command` says. Raises CommandFailed."""
        return self.machine.console.run(command, timeout).text.rstrip("\n")

    def ran(self, command: str, timeout: float = COMMAND) -> Output:
        """What became of root's `command`, which may fail."""
        return self.machine.console.run(command, timeout, check=False)

    def fingerprints(self) -> list[str]:
        """Of the relays, in their order."""
        relays = allot(self.site).relays
        lines = self.said(
            f"cat {' '.join(f'/data/tor/relay{relay.number}/fingerprint' for relay in relays)}"
        )
        return [line.split()[1] for line in lines.splitlines()]

    def restart(self) -> None:
        """Shut down, boot, and log in."""
        self.machine.console.send_line("shutdown -r now")
        self.login()

    def lose_power(self) -> None:
        """Pull the plug, switch on, and log in."""
        self.machine.cut_power()
        self.machine.start()
        self.login()
