"""Sets of things that have several numbers, as unions of boxes: packets, routes.

A box is the product of one set for each number. Boxes of one space have the same numbers, in the
same order.
"""

from collections.abc import Iterable, Iterator

from firstboot.site.verify.intervals import Intervals, intersect, subtract

Box = tuple[Intervals, ...]


def common(one: Box, other: Box) -> Box | None:
    """What two boxes of one space have in common; None if that is nothing."""
    found = []
    for mine, theirs in zip(one, other, strict=True):
        both = intersect(mine, theirs)
        if not both:
            return None
        found.append(both)
    return tuple(found)


def without(box: Box, other: Box) -> Iterator[Box]:
    """Disjoint boxes that together are `box` without what is in `other`."""
    inside = common(box, other)
    if inside is None:
        yield box
        return
    for at, (mine, both) in enumerate(zip(box, inside, strict=True)):
        if rest := subtract(mine, both):
            yield (*inside[:at], rest, *box[at + 1 :])


def split(boxes: Iterable[Box], other: Iterable[Box]) -> tuple[list[Box], list[Box]]:
    """`boxes` in two parts: what is in one of `other`, and what is in none."""
    inside: list[Box] = []
    outside = list(boxes)
    for cut in other:
        left: list[Box] = []
        for box in outside:
            both = common(box, cut)
            if both is None:
                left.append(box)
            else:
                inside.append(both)
                left.extend(without(box, cut))
        outside = left
    return inside, outside
