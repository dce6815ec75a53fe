"""How many packets without an own source the filter stopped on their way out: since the boot, and
in the last hour."""

from dataclasses import dataclass

from firstboot.box import last_hour
from firstboot.box.machine import Machine

PLACE = "leaks.json"


@dataclass(frozen=True, slots=True)
class Leaks:
    """Packets that were stopped. `last_hour` is of less time, if the box is not up for so long."""

    since_boot: int
    last_hour: int

    def __str__(self) -> str:
        if not self.since_boot:
            return "leaks: none since the boot"
        return (
            f"LEAKS: {self.since_boot} packets with a foreign source were stopped since the boot, "
            f"{self.last_hour} of them within an hour"
        )


def note(machine: Machine) -> None:
    """Keep a sample. Raises OSError."""
    count = machine.system.leaks(machine)
    if count is not None:
        last_hour.note(machine.state / PLACE, (count,))


def look(machine: Machine) -> Leaks | None:
    """None if the filter does not tell. Raises Refusal if the record is damaged."""
    count = machine.system.leaks(machine)
    if count is None:
        return None
    (new,) = last_hour.since(machine.state / PLACE, (count,))
    return Leaks(count, new)
