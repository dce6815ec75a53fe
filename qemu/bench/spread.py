"""Figures of several sides and rounds as lines of text: medians, with the least and the most."""

from collections.abc import Mapping, Sequence
from statistics import median

WIDTH = 26
"""Characters of a side's column."""


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median of `values`, and the least and the most, with so many digits after the
    point."""
    middle, least, most = (
        f"{one:.{digits}f}" for one in (median(values), min(values), max(values))
    )
    return f"{middle} ({least}-{most})"


def side_by_side(
    found: Mapping[str, Sequence[object]], named: Mapping[str, str], digits: int
) -> list[str]:
    """Return a heading with the sides, and a line for each figure with its spread on each side.

    `found` has the rounds of each side, by its name; `named` the names of the figures, by the
    attribute that a round has them in.
    """
    first = max(map(len, named.values())) + 2
    lines = [" " * first + "".join(f"{side:>{WIDTH}}" for side in found)]
    for attribute, name in named.items():
        spreads = (
            spread([float(getattr(one, attribute)) for one in rounds], digits)
            for rounds in found.values()
        )
        lines.append(f"{name:{first}}" + "".join(f"{one:>{WIDTH}}" for one in spreads))
    return lines
