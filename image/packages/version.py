"""Versions of packages, in the order that pkg puts them into.

A version is ``VERSION[_REVISION][,EPOCH]`` (Porter's Handbook 5.2.3; `pkg version -t`). The epoch
outweighs the version, the version the revision. The version is a row of components, each a number,
a letter and a patch level, read as libpkg's pkg_version.c reads them:

- missing components are 0 (``10`` = ``10.0``); a component without a number comes before 0;
- of a word the first letter counts, in either case (``1.dev2`` = ``1.d2``), and any letter comes
  after none (``10 < 10a < 10b``);
- ``pl``, ``snap``, ``alpha``, ``beta``, ``pre`` and ``rc`` begin a component of their own, and so
  come before the number alone (``1pl1 < 1alpha3 < 1.b2 < 1``);
- ``*`` is less than anything (``2.* < 2alpha3``), and swallows the rest of its part;
- ``+`` begins a part that counts only where what is before it is equal;
- every other character separates.
"""

import re
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import zip_longest

LARGEST = 2**63 - 1
"""What pkg makes of every number that is greater."""

STAGES = frozenset({"pl", "snap", "alpha", "beta", "pre", "rc"})

Component = tuple[int, int, int]
"""Number, letter (0: none, or pl; 2: a, ... 27: z) and patch level."""

NOTHING: Component = (0, 0, 0)
ANYTHING: Component = (-2, 0, 0)

_COMPONENT = re.compile(r"([0-9]*)([A-Za-z]*)([0-9]*)[^0-9A-Za-z*]*")


@dataclass(frozen=True, slots=True)
class _Version:
    epoch: int
    parts: tuple[tuple[Component, ...], ...]
    revision: int


def compare(a: str, b: str) -> int:
    """-1, 0 or 1: `a` is older than `b`, as old, or newer. Either may be a NAME-VERSION."""
    ours, theirs = _parse(a), _parse(b)
    if ours.epoch != theirs.epoch:
        return _order(ours.epoch, theirs.epoch)
    for mine, other in zip_longest(ours.parts, theirs.parts, fillvalue=()):
        for left, right in zip_longest(mine, other, fillvalue=NOTHING):
            if left != right:
                return -1 if left < right else 1
    return _order(ours.revision, theirs.revision)


key = cmp_to_key(compare)
"""For `sorted` and `max`: the oldest version first."""


def _order(a: int, b: int) -> int:
    return (a > b) - (a < b)


def _parse(text: str) -> _Version:
    text = text.rpartition("-")[2]
    version, underscore, revision = text.rpartition("_")
    if underscore:
        _, comma, epoch = revision.rpartition(",")
    else:
        version, comma, epoch = text.rpartition(",")
    if not underscore and not comma:
        version = text
    return _Version(
        epoch=_number(epoch) if comma else 0,
        parts=tuple(_components(part) for part in version.split("+")),
        revision=_number(revision) if underscore else 0,
    )


def _components(part: str) -> tuple[Component, ...]:
    found: list[Component] = []
    at = 0
    while at < len(part):
        if part[at] == "*":
            return (*found, ANYTHING)
        match = _COMPONENT.match(part, at)
        assert match
        digits, word, patch = match.groups()
        if digits and word.lower() in STAGES:
            found.append((_number(digits), 0, 0))
            at = match.end(1)
            continue
        number = _number(digits) if digits else -1
        letter = 0 if not word or word.lower() == "pl" else ord(word[0].lower()) - ord("a") + 2
        found.append((number, letter, (_number(patch) if patch else -1) if word else 0))
        at = match.end()
    return tuple(found)


def _number(text: str) -> int:
    """The decimal number that `text` begins with; 0 if with none."""
    digits = re.match(r"0*([0-9]*)", text)
    assert digits
    return min(int(digits[1][:20] or "0"), LARGEST)
