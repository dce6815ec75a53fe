"""How long a server may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server, in seconds.

    `connect`: for each of its addresses. `answer`: for the beginning of an answer, name
    resolution included; a server that has never answered gets so long for all attempts together.
    `silence`: for a body that does not get on. `pauses`: before the second attempt and each
    later one.
    """

    connect: float = 5.0
    answer: float = 12.0
    silence: float = 30.0
    pauses: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)


PATIENCE = Patience()
