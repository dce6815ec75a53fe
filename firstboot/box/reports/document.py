"""A report before it has a form: sentences, facts, tables and plots in sections."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

UTC = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class Warn:
    """A sentence that nobody may overlook."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, the numbers among them as text; `numbers` are the columns that have them."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a plot: values by seconds since 1970. None is a gap."""

    name: str
    points: tuple[tuple[int, float | None], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over time, from `start` to `end`, in one `unit`. `bands` are times at which something
    was wrong."""

    title: str
    unit: str
    series: tuple[Series, ...]
    start: int
    end: int
    bands: tuple[tuple[int, int], ...] = ()


Block = str | Warn | Table | Plot


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """`sound` is whether the journal that it is from is whole and signed by the box."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    sound: bool = True


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], *numbers: int) -> Table:
    return Table(tuple(heads), tuple(tuple(map(str, row)) for row in rows), numbers)


def utc(seconds: int) -> str:
    """The time, to the minute: 2026-11-30 12:05."""
    return time.strftime(UTC, time.gmtime(seconds))


def span(seconds: int) -> str:
    """How long something took, in words."""
    minutes = max(0, seconds) // 60
    if minutes < 2:
        return "a minute or less"
    if minutes < 120:
        return f"{minutes} minutes"
    hours = minutes / 60
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.1f} days"
