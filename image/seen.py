"""The newest that was ever seen of a source, as the lock file keeps it.

A signature says who made something, and not that there is nothing newer. What is signed has dates
and numbers inside; as long as those never go back, neither does a mirror.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime


class Time(str):
    """A moment in UTC, such as 2026-07-30T12:00:00Z. The order of the texts is that of time."""

    @classmethod
    def parse(cls, text: str) -> "Time":
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text):
            raise ValueError("a time such as 2026-07-30T12:00:00Z")
        return cls(text)

    @classmethod
    def of(cls, seconds: int) -> "Time":
        """The moment `seconds` after the beginning of 1970."""
        return cls(datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


class Reason(str):
    """Why somebody went back to something older."""

    @classmethod
    def parse(cls, text: str) -> "Reason":
        if not 0 < len(text.strip()) <= len(text) <= 200 or not text.isprintable():
            raise ValueError("a reason: one line of at most 200 characters")
        if '"' in text or "\\" in text:
            raise ValueError("a reason without double quotes and backslashes")
        return cls(text)


@dataclass(frozen=True, slots=True)
class SeenBase:
    """The newest base system: its release (``15.1-STABLE-HBSD``), its number
    (``__FreeBSD_version``), and when base and kernel were built. `older` is why it is older than
    one that was seen before it."""

    release: str
    number: int
    base: Time
    kernel: Time
    older: Reason | None = None


@dataclass(frozen=True, slots=True)
class SeenCatalogue:
    """The newest catalogue: when the youngest of its packages was built, if they tell. `older` is
    why it is older than one that was seen before it."""

    built: Time | None = None
    older: Reason | None = None
