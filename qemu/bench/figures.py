"""Figures of two sides that took turns on one machine, and what they come to.

What disturbs an emulated machine lasts longer than a turn, so the two figures of one round are
compared with each other, and the rounds' ratios are what is told.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from statistics import median


class Side(Enum):
    """As the appliance has it, or as a system without it does."""

    TUNED = "tuned"
    STOCK = "stock"


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured. `more` says whether more of it is better."""

    name: str
    unit: str
    more: bool = True


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure; `turn` is the round, from 0 on."""

    measure: Measure
    side: Side
    turn: int
    value: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """What both sides came to in the middle, and tuned divided by stock: in the middle, and in the
    rounds that it was least and most in."""

    measure: Measure
    tuned: float
    stock: float
    ratio: float
    least: float
    most: float


def ratios(samples: Iterable[Sample]) -> tuple[Ratio, ...]:
    """One of each measure, in the order in which they came. A round in which a side is missing, or
    the stock one is 0, does not count; nor does a measure without a round that does."""
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
    """The least of `values` that so many of a hundred are not above. Raises ValueError if there
    are none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def table(found: Iterable[Ratio]) -> str:
    """A line each."""
    lines = [f"{'':40}{'tuned':>11}{'stock':>11}{'ratio':>8}{'least':>8}{'most':>8}"]
    for one in found:
        better = "" if one.measure.more else ", less is better"
        lines.append(
            f"{one.measure.name:40}{one.tuned:11.1f}{one.stock:11.1f}"
            f"{one.ratio:8.2f}{one.least:8.2f}{one.most:8.2f}  {one.measure.unit}{better}"
        )
    return "\n".join(lines)


def render_json(machine: dict[str, object], samples: Sequence[Sample]) -> str:
    """All of it: `machine` is what it was measured on."""
    told = {
        "machine": machine,
        "ratios": [asdict(one) for one in ratios(samples)],
        "samples": [asdict(one) | {"side": one.side.value} for one in samples],
    }
    return json.dumps(told, indent=2) + "\n"
