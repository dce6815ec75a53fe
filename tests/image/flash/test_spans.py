"""Spans are compared with sets of bytes."""

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from image.flash.spans import Span, chunks, total, union, within, without

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)


def covered(spans: Iterable[Span]) -> set[int]:
    return {byte for first, end in spans for byte in range(first, end)}


def check(spans: tuple[Span, ...]) -> None:
    """The spans are sorted, do not touch, and are not empty."""
    assert all(first < end for first, end in spans)
    assert all(one[1] < other[0] for one, other in pairwise(spans))


@given(SPANS)
def test_a_union_has_the_bytes_of_all(spans: list[Span]) -> None:
    joined = union(spans)
    check(joined)
    assert covered(joined) == covered(spans)
    assert total(joined) == len(covered(spans))


@given(SPANS, st.integers(0, 9))
def test_a_union_bridges_small_gaps_and_no_others(spans: list[Span], gap: int) -> None:
    joined = union(spans, gap)
    check(joined)
    assert all(other[0] - one[1] > gap for one, other in pairwise(joined))
    bridged = covered(joined) - covered(spans)
    assert union([*spans, *((byte, byte + 1) for byte in bridged)]) == joined
    assert all(end - first <= gap for first, end in without(joined, spans))


@given(SPANS, SPANS)
def test_without_leaves_the_bytes_outside_of_the_holes(
    spans: list[Span], holes: list[Span]
) -> None:
    left = without(spans, holes)
    assert covered(left) == covered(spans) - covered(holes)
    assert total(left) == len(covered(left))


@given(SPANS, st.integers(0, 60), st.integers(0, 60))
def test_within_keeps_the_bytes_inside_of_the_window(
    spans: list[Span], first: int, end: int
) -> None:
    assert covered(within(spans, (first, end))) == covered(spans) & set(range(first, end))


@given(SPANS, st.integers(1, 9))
def test_chunks_are_the_spans_in_order(spans: list[Span], size: int) -> None:
    cut = list(chunks(union(spans), size))
    assert all(0 < length <= size for _, length in cut)
    assert covered((at, at + length) for at, length in cut) == covered(spans)
    assert sum(length for _, length in cut) == len(covered(spans))
