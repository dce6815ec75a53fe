"""The shell of an appliance that is no virtual machine: commands run in a party of this host."""

from dataclasses import dataclass

from qemu.console import CommandFailed, Output
from qemu.lab.systems import REHEARSAL, System
from qemu.world.net import Party


@dataclass
class Native:
    """A Linux system, as `qemu.lab.appliance.Appliance` is asked."""

    party: Party
    system: System = REHEARSAL

    def ran(self, command: str, timeout: float = 0) -> Output:
        ended = f"({command}) 2>&1; printf '%s' \" $?\""
        text, _, status = self.party.run("sh", "-c", ended).rpartition(" ")
        return Output(text, int(status))

    def said(self, command: str, timeout: float = 0) -> str:
        output = self.ran(command)
        if output.status != 0:
            raise CommandFailed(command, output)
        return output.text.rstrip("\n")
