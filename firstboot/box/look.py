"""What status finds, found out once for everything that the box does with it in a minute."""

from dataclasses import dataclass

from firstboot.box.machine import Machine
from firstboot.box.status import Line, lines
from firstboot.box.verdict import Verdict
from firstboot.core.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Look:
    """The lines up to the end, or up to a `problem` that kept status from going on. `closed` is
    by what something could leak in the minute before, for which the ports went down."""

    lines: tuple[Line, ...]
    problem: str = ""
    closed: tuple[Verdict, ...] = ()

    @property
    def causes(self) -> dict[str, str]:
        """What is not as it has to be, or was not for a part of the minute, with a sentence
        each."""
        lately = {one.what: str(one) for one in self.closed}
        return lately | {one.cause: one.text for one in self.lines if one.cause}


def look(machine: Machine, closed: tuple[Verdict, ...] = ()) -> Look:
    found = []
    try:
        for line in lines(machine):
            found.append(line)
    except (Refusal, OSError) as error:
        return Look(tuple(found), str(error), closed)
    return Look(tuple(found), closed=closed)
