"""What the preflight says of one condition."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """`what` is the condition. `reason` says why it does not hold, and is empty if it does."""

    what: str
    reason: str = ""

    @property
    def holds(self) -> bool:
        return not self.reason
