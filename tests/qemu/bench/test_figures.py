"""Ratios of the figures of two sides."""

import json
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qemu.bench.figures import (
    Measure,
    Sample,
    Side,
    percentile,
    ratios,
    render_json,
    table,
)

RATE = Measure("a rate", "things a second")
VALUES = st.floats(min_value=1e-3, max_value=1e9)
ROUNDS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=7)


def played(rounds: list[tuple[float, float]], measure: Measure = RATE) -> list[Sample]:
    return [
        Sample(measure, side, turn, value)
        for turn, values in enumerate(rounds)
        for side, value in zip(Side, values, strict=True)
    ]


@given(ROUNDS)
def test_the_ratio_is_one_of_the_middle_and_the_spread_is_that_of_the_rounds(
    rounds: list[tuple[float, float]],
) -> None:
    (found,) = ratios(played(rounds))
    each = [tuned / stock for tuned, stock in rounds]
    assert (found.least, found.most) == (min(each), max(each))
    assert found.least <= found.ratio <= found.most
    assert min(tuned for tuned, _ in rounds) <= found.tuned <= max(tuned for tuned, _ in rounds)


@given(ROUNDS, st.randoms())
def test_the_order_of_turns_does_not_matter(
    rounds: list[tuple[float, float]], random: Random
) -> None:
    samples = played(rounds)
    (before,) = ratios(samples)
    random.shuffle(samples)
    (after,) = ratios(samples)
    assert after == before


@given(VALUES, st.lists(VALUES, min_size=1, max_size=7))
def test_a_machine_that_gets_slower_changes_no_ratio(factor: float, speeds: list[float]) -> None:
    (found,) = ratios(played([(2 * speed, speed) for speed in speeds]))
    assert found.ratio == found.least == found.most == 2


def test_a_round_that_lacks_a_side_or_has_nothing_to_divide_by_does_not_count() -> None:
    whole = played([(6.0, 3.0)])
    assert ratios([*whole, Sample(RATE, Side.TUNED, 1, 99.0)]) == ratios(whole)
    assert ratios([*whole, *played([(6.0, 3.0), (5.0, 0.0)])]) == ratios(whole)
    assert ratios([Sample(RATE, Side.STOCK, 0, 1.0)]) == ()


@given(st.lists(VALUES, min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_least_value_that_enough_are_not_above(
    values: list[float], percent: int
) -> None:
    found = percentile(values, percent)
    assert found in values
    enough = math.ceil(len(values) * percent / 100)
    assert sum(value <= found for value in values) >= enough
    assert sum(value < found for value in values) < enough


def test_of_two_hundred_the_99th_percentile_is_the_third_last() -> None:
    assert percentile(range(200), 99) == 197


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 99)


@given(ROUNDS)
def test_the_file_has_every_figure_and_what_it_was_measured_on(
    rounds: list[tuple[float, float]],
) -> None:
    samples = played(rounds)
    told = json.loads(render_json({"accelerator": "TCG"}, samples))
    assert told.keys() == {"machine", "ratios", "samples"}
    assert told["machine"] == {"accelerator": "TCG"}
    assert [
        Sample(Measure(**one["measure"]), Side(one["side"]), one["turn"], one["value"])
        for one in told["samples"]
    ] == samples
    (ratio,) = told["ratios"]
    assert ratio.keys() == {"measure", "tuned", "stock", "ratio", "least", "most"}


def test_the_table_has_a_line_each_and_says_where_less_is_better() -> None:
    late = Measure("a wait", "ms", more=False)
    head, rate, wait = table(
        ratios([*played([(30.0, 20.0)]), *played([(5.0, 10.0), (6.0, 10.0)], late)])
    ).splitlines()
    assert head.split() == ["tuned", "stock", "ratio", "least", "most"]
    assert rate.split() == ["a", "rate", "30.0", "20.0", *["1.50"] * 3, "things", "a", "second"]
    assert wait.split()[2:7] == ["5.5", "10.0", "0.55", "0.50", "0.60"]
    assert wait.endswith("ms, less is better")
