"""What status finds, found out once for everything that the box does with it in a minute."""

from dataclasses import dataclass

from firstboot.box.machine import Machine
from firstboot.box.status import Line, lines
from firstboot.core.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Look:
    """The lines up to the end, or up to a `problem` that kept status from going on."""

    lines: tuple[Line, ...]
    problem: str = ""


def look(machine: Machine) -> Look:
    found = []
    try:
        for line in lines(machine):
            found.append(line)
    except (Refusal, OSError) as error:
        return Look(tuple(found), str(error))
    return Look(tuple(found))
