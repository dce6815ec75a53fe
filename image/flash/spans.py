"""Ranges of bytes of a disk: (first byte, byte after the last). A tuple of spans is sorted and
without overlaps."""

from collections.abc import Iterable, Iterator

Span = tuple[int, int]


def union(spans: Iterable[Span], gap: int = 0) -> tuple[Span, ...]:
    """Merge `spans`, given in any order. Spans with at most `gap` bytes between them become one."""
    joined: list[Span] = []
    for first, end in sorted(spans):
        if first >= end:
            continue
        if joined and first <= joined[-1][1] + gap:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((first, end))
    return tuple(joined)


def without(spans: Iterable[Span], holes: Iterable[Span]) -> tuple[Span, ...]:
    """Return the parts of `spans` that are in none of `holes`. Both may be in any order."""
    left = []
    missing = union(holes)
    at = 0
    for first, end in union(spans):
        while at < len(missing) and missing[at][1] <= first:
            at += 1
        next_hole = at
        while next_hole < len(missing) and missing[next_hole][0] < end:
            hole, past = missing[next_hole]
            if first < hole:
                left.append((first, hole))
            first = max(first, past)
            next_hole += 1
        if first < end:
            left.append((first, end))
    return tuple(left)


def within(spans: Iterable[Span], window: Span) -> tuple[Span, ...]:
    """Return the parts of `spans` that are inside `window`."""
    first, end = window
    return union((max(at, first), min(past, end)) for at, past in spans)


def total(spans: Iterable[Span]) -> int:
    return sum(end - first for first, end in spans)


def chunks(spans: Iterable[Span], size: int) -> Iterator[tuple[int, int]]:
    """Yield `spans` in steps of at most `size` bytes: (offset, length)."""
    for first, end in spans:
        for at in range(first, end, size):
            yield at, min(size, end - at)
