"""Sets of whole numbers as sorted, disjoint, non-adjacent intervals: addresses, ports, types."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from firstboot.core.values import Address, Network

Intervals = tuple[tuple[int, int], ...]
"""(first, last) of each interval, both inside; () is the empty set."""


def union(*sets: Intervals) -> Intervals:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(interval for one in sets for interval in one):
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = merged[-1][0], last
        else:
            merged.append((first, last))
    return tuple(merged)


def intersect(one: Intervals, other: Intervals) -> Intervals:
    if not one or not other:
        return ()
    if other[-1][1] < one[0][0] or one[-1][1] < other[0][0]:
        return ()
    if len(other) == 1 and other[0][0] <= one[0][0] and one[-1][1] <= other[0][1]:
        return one
    if len(one) == 1 and one[0][0] <= other[0][0] and other[-1][1] <= one[0][1]:
        return other
    found = []
    at = beside = 0
    while at < len(one) and beside < len(other):
        first = max(one[at][0], other[beside][0])
        last = min(one[at][1], other[beside][1])
        if first <= last:
            found.append((first, last))
        if one[at][1] < other[beside][1]:
            at += 1
        else:
            beside += 1
    return tuple(found)


def subtract(one: Intervals, other: Intervals) -> Intervals:
    """What is in `one` and not in `other`."""
    if one == other:
        return ()
    left = []
    beside = 0
    for first, last in one:
        while beside < len(other) and other[beside][1] < first:
            beside += 1
        at = beside
        while at < len(other) and other[at][0] <= last:
            if other[at][0] > first:
                left.append((first, other[at][0] - 1))
            first = other[at][1] + 1
            at += 1
        if first <= last:
            left.append((first, last))
    return tuple(left)


def whole_number(text: str, most: int) -> int | None:
    """The decimal number that `text` is; None if it is none from 0 to `most`. A text of thousands
    of digits is none, where int() raises ValueError."""
    digits = len(str(most))
    if not (text.isascii() and text.isdigit()) or len(text) > digits:
        return None
    return number if (number := int(text)) <= most else None


def contains(one: Intervals, number: int) -> bool:
    return any(first <= number <= last for first, last in one)


def of_numbers(numbers: Iterable[int]) -> Intervals:
    return union(tuple((number, number) for number in sorted(set(numbers))))


def of_networks(networks: Iterable[Network | Address], version: int) -> Intervals:
    """The addresses of IPv`version` in `networks`, as numbers in network byte order."""
    found = []
    for one in networks:
        if one.version != version:
            continue
        if isinstance(one, IPv4Address | IPv6Address):
            found.append((int(one), int(one)))
        else:
            found.append((int(one.network_address), int(one.broadcast_address)))
    return union(tuple(found))
