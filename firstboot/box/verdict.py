"""What the preflight says of one condition."""

from dataclasses import dataclass
from enum import Enum


class Effect(Enum):
    """What it means for the transit and exchange ports that a condition does not hold."""

    LEAK = "the ports go down"
    """A foreign packet could leave, or nothing would hold it back."""

    OUTAGE = "what needs it does not work; the ports stay as they are"
    """Something does not work, and nothing can leak because of it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`what` is the condition. `reason` says why it does not hold, and is empty if it does."""

    what: str
    effect: Effect
    reason: str = ""

    @property
    def holds(self) -> bool:
        return not self.reason

    @property
    def leaks(self) -> bool:
        """Whether a foreign packet could leave, for all that this condition says."""
        return not self.holds and self.effect is Effect.LEAK

    def __str__(self) -> str:
        if self.holds:
            return f"holds: {self.what}"
        return f"NOT SO: {self.what}: {self.reason} ({self.effect.value})"
