"""What dnsperf(1) saw of a resolver."""

import re
from dataclasses import dataclass

from qemu.bench.figures import percentile
from qemu.world.net import Failed

LOST = 5
"""Seconds after which an answer comes too late, as dnsperf has it: the client has given up."""


@dataclass(frozen=True, slots=True)
class Run:
    """What dnsperf(1) saw: questions `sent`, `answered` with what was asked for, `seconds` of the
    run, and the milliseconds within which 99 % of those answers came."""

    sent: int
    answered: int
    seconds: float
    late: float

    @property
    def rate(self) -> float:
        return self.answered / self.seconds

    @property
    def lost(self) -> float:
        """In per cent."""
        return 100 * (1 - self.answered / self.sent)

    @classmethod
    def read(cls, said: str) -> "Run":
        """Read the output of dnsperf -v. Raises Failed if it has no summary."""
        sent = re.search(r"Queries sent: +([0-9]+)", said)
        took = re.search(r"Run time \(s\): +([0-9.]+)", said)
        if sent is None or took is None or not int(sent[1]):
            raise Failed(f"dnsperf asked nothing: {said[-300:]}")
        times = [float(one) for one in re.findall(r"(?m)^> NOERROR .* ([0-9.]+)$", said)]
        late = 1000 * percentile(times, 99) if times else 1000 * LOST
        return cls(int(sent[1]), len(times), float(took[1]), late)
