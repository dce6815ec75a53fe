"""Packets by chance, at the edges of what rules of pf.conf are about, where mistakes would be."""

import random
from collections.abc import Iterator

from firstboot.site.verify.boxes import Box
from firstboot.site.verify.packets import Kind, Packet, Space, everything
from firstboot.site.verify.pf.rules import Action, Direction, RuleSet

SPACES: tuple[Space, ...] = tuple((version, kind) for version in (4, 6) for kind in Kind)

EDGE, BESIDE = 0.2, 0.1
"""How often a number is a rule's first or last one, and how often the one beside."""


def packets(
    rules: RuleSet, draw: random.Random, interface: str = "", direction: Direction | None = None
) -> Iterator[Packet]:
    """Packets without end. A fifth of them are what one rule is about, or just beside it, and three
    fifths what a rule is about that lets them pass, on `interface` and in `direction` if these are
    given; each number of the others is of another rule."""
    every: dict[Space, list[Box]] = {}
    passing: dict[Space, list[Box]] = {}
    for rule in rules.rules:
        here = (
            rule.action is Action.PASS
            and (not interface or rule.interfaces is None or interface in rule.interfaces)
            and (direction is None or direction in rule.directions)
        )
        for space in SPACES:
            every.setdefault(space, []).extend(rule.boxes(space))
            if here:
                passing.setdefault(space, []).extend(rule.boxes(space))
    while True:
        space = draw.choice(SPACES)
        let_pass = passing.get(space) or every[space]
        near: list[Box] = draw.choices(
            (every[space], [draw.choice(every[space])], [draw.choice(let_pass)]), (1, 1, 3)
        )[0]
        numbers = []
        for at, whole in enumerate(everything(*space)):
            first, last = draw.choice(draw.choice(near)[at])
            chance = draw.random()
            if chance < BESIDE:
                number = draw.choice((first - 1, last + 1))
            elif chance < BESIDE + EDGE:
                number = draw.choice((first, last))
            else:
                number = draw.randint(first, last)
            inside = any(low <= number <= high for low, high in whole)
            numbers.append(number if inside else first)
        yield Packet(*space, tuple(numbers))
