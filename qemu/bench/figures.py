"""The figures of two sides that were measured in turns, and their ratios.

What disturbs an emulated machine lasts longer than a turn. So the two figures of a round are
compared with each other, and the result is the median of the rounds' ratios.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from statistics import median


class Side(Enum):
    """Whose configuration is measured: the appliance's, or that of a system without it."""

    TUNED = "tuned"
    STOCK = "stock"


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured. `more` is whether a higher value is better."""

    name: str
    unit: str
    more: bool = True


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure. `turn` is the number of the round, from 0 on."""

    measure: Measure
    side: Side
    turn: int
    value: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """The medians of both sides, and the ratio of tuned to stock: its median, least and greatest
    value over the rounds."""

    measure: Measure
    tuned: float
    stock: float
    ratio: float
    least: float
    most: float


def ratios(samples: Iterable[Sample]) -> tuple[Ratio, ...]:
    """Return the ratio of each measure, in the order of the samples. Rounds without one side, or
    with 0 for the stock side, are left out, and so are measures for which no round is left."""
    found: dict[Measure, dict[int, dict[Side, float]]] = {}
    for one in samples:
        found.setdefault(one.measure, {}).setdefault(one.turn, {})[one.side] = one.value
    return tuple(
        _ratio(measure, pairs)
        for measure, turns in found.items()
        if (pairs := [(t[Side.TUNED], t[Side.STOCK]) for t in turns.values() if _complete(t)])
    )


def _complete(turn: dict[Side, float]) -> bool:
    return len(turn) == len(Side) and turn[Side.STOCK] > 0


def _ratio(measure: Measure, pairs: Sequence[tuple[float, float]]) -> Ratio:
    each = [tuned / stock for tuned, stock in pairs]
    tuned, stock = (median(values) for values in zip(*pairs, strict=True))
    return Ratio(measure, tuned, stock, median(each), min(each), max(each))


def percentile(values: Iterable[float], percent: int) -> float:
    """Return the smallest of `values` that at least `percent` % of them do not exceed. Raises
    ValueError if there are no values."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def table(found: Iterable[Ratio]) -> str:
    """Return a table with a line for each ratio."""
    lines = [f"{'':40}{'tuned':>11}{'stock':>11}{'ratio':>8}{'least':>8}{'most':>8}"]
    for one in found:
        better = "" if one.measure.more else ", less is better"
        lines.append(
            f"{one.measure.name:40}{one.tuned:11.1f}{one.stock:11.1f}"
            f"{one.ratio:8.2f}{one.least:8.2f}{one.most:8.2f}  {one.measure.unit}{better}"
        )
    return "\n".join(lines)


def render_json(machine: dict[str, object], samples: Sequence[Sample]) -> str:
    """Return all figures as JSON. `machine` describes what was measured."""
    told = {
        "machine": machine,
        "ratios": [asdict(one) for one in ratios(samples)],
        "samples": [asdict(one) | {"side": one.side.value} for one in samples],
    }
    return json.dumps(told, indent=2) + "\n"
