"""Directives of a configuration file compared with all that a site wants, and nothing else."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Directive:
    """One setting, where it stands: blanks in its value are single."""

    line: int
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Number:
    """A value that depends on the machine: a whole number in a range, and its unit."""

    least: int
    most: int
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.least}{self.unit} to {self.most}{self.unit}"

    def takes(self, value: str) -> bool:
        match = re.fullmatch(rf"([0-9]{{1,18}}){re.escape(self.unit)}", value)
        return match is not None and self.least <= int(match[1]) <= self.most


Wanted = tuple[str, str | Number]


@dataclass(frozen=True, slots=True)
class Table:
    """All directives of a file. A key that is there more than once wants each of its values once.

    `ordered` are keys whose values decide in their order, `effects` what a key is for: it is told
    with what is wrong with it.
    """

    wanted: tuple[Wanted, ...]
    ordered: Collection[str] = ()
    effects: Mapping[str, str] = field(default_factory=dict)


def compare(found: Iterable[Directive], table: Table) -> Iterator[tuple[int, str]]:
    """Lines and reasons of what is missing, different, or not wanted; 1 is the line of what is
    missing altogether."""
    by_key: dict[str, list[Directive]] = {}
    for directive in found:
        by_key.setdefault(directive.key, []).append(directive)
    wanted: dict[str, list[str | Number]] = {}
    for key, value in table.wanted:
        wanted.setdefault(key, []).append(value)
    for key, directives in by_key.items():
        effect = f" ({table.effects[key]})" if key in table.effects else ""
        if key not in wanted:
            for one in directives:
                yield one.line, f"{_said(one)} is no part of what the site asks for{effect}"
            continue
        for line, reason in _values(directives, wanted[key], ordered=key in table.ordered):
            yield line, f"{reason}{effect}"
    for key in wanted.keys() - by_key.keys():
        effect = f" ({table.effects[key]})" if key in table.effects else ""
        for value in wanted[key]:
            yield 1, f"{key} {value} is missing{effect}"


def settled(found: Iterable[Directive], table: Table) -> Iterator[tuple[str, str]]:
    """The directives of a table, with the value that a file has where the table leaves a range."""
    by_key = {one.key: one.value for one in found}
    for key, value in table.wanted:
        yield key, by_key.get(key, str(value.least)) if isinstance(value, Number) else value


def _values(
    found: list[Directive], wanted: list[str | Number], *, ordered: bool
) -> Iterator[tuple[int, str]]:
    left = list(wanted)
    strange = []
    for one in found:
        fitting = next((value for value in left if _fits(one.value, value)), None)
        if fitting is None:
            strange.append(one)
        else:
            left.remove(fitting)
    for one in strange:
        if one.value in wanted:
            yield one.line, f"{_said(one)} is there twice"
        elif len(wanted) == 1:
            yield one.line, f"{_said(one)} has to be {one.key} {wanted[0]}"
        else:
            yield one.line, f"{_said(one)} is not one of those that the site asks for"
    if len(wanted) > 1 or not strange:
        for value in left:
            yield found[0].line, f"{found[0].key} {value} is missing"
    if ordered and not strange and not left and [one.value for one in found] != wanted:
        at = next(one for one, value in zip(found, wanted, strict=True) if one.value != value)
        yield at.line, f"{_said(at)} is in another place than the site has it"


def _fits(value: str, wanted: str | Number) -> bool:
    return wanted.takes(value) if isinstance(wanted, Number) else value == wanted


def _said(one: Directive) -> str:
    text = f"{one.key} {one.value}".strip()
    return text if len(text) <= 80 else f"{text[:77]}..."
