"""For how long addresses could not be reached from somewhere in the simulated Internet."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from firstboot.core.values import Address
from qemu.world.net import Party

ECHO_REQUESTS = Path(__file__).parent / "echo_requests.py"

EVERY = 0.5
"""Seconds from one request to the next."""

NUMBERS = 1 << 16
"""An answer has the number of its request modulo this."""


@dataclass(frozen=True, slots=True)
class Round:
    """Requests that were sent at one moment, in seconds since 1970, and who has answered."""

    at: float
    answered: frozenset[Address]


class Reach:
    """Asks `addresses` from `party` every EVERY seconds, from now on."""

    def __init__(self, party: Party, addresses: Iterable[Address]) -> None:
        self.addresses = tuple(addresses)
        words = (str(EVERY), *map(str, self.addresses))
        self._daemon = party.start("reach", sys.executable, ECHO_REQUESTS, *words)
        self._daemon.wait("requests", lambda: "sent" in self._daemon.said())

    def rounds(self) -> list[Round]:
        """Return all rounds so far. The last ones may be answered yet."""
        return rounds(self._daemon.said())


def rounds(said: str) -> list[Round]:
    """Read what echo_requests.py prints. A line that is not whole yet is passed over."""
    times: list[float] = []
    answers: list[set[Address]] = []
    for line in said.splitlines(keepends=True):
        match line.split():
            case ["sent", _, at] if line.endswith("\n"):
                times.append(float(at))
                answers.append(set())
            case ["answer", number, address] if line.endswith("\n"):
                last = len(answers) - 1
                answers[last - (last - int(number)) % NUMBERS].add(ip_address(address))
    return [Round(at, frozenset(some)) for at, some in zip(times, answers, strict=True)]


def unreachable(address: Address, rounds: Sequence[Round], until: float) -> float:
    """The longest time in seconds that `address` was unreachable: from the first request without an
    answer to the next one with an answer, or to `until`."""
    longest, since = 0.0, None
    for one in rounds:
        if address in one.answered:
            longest = max(longest, one.at - since) if since is not None else longest
            since = None
        elif since is None:
            since = one.at
    return longest if since is None else max(longest, until - since)
