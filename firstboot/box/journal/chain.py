"""Judges lines of a journal by what was signed of them: pure functions.

A journal is whole, cut short or damaged. Cut short is what a disk does that lost its last entries;
damaged is what was signed once and is something else now.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from firstboot.box.journal.entry import NOTHING, Entry, parse_entry
from firstboot.box.journal.head import Head


class State(Enum):
    """How a journal is; the value is what people read."""

    WHOLE = "whole"
    ABSENT = "absent"
    CUT = "cut short"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Chain:
    """`entries` are those that can be believed. `reason` says what is wrong, unless it is whole.
    `unsigned` of the entries were written after the last signature, and `torn` bytes at the end are
    no entry, as a power cut leaves them."""

    state: State
    entries: tuple[Entry, ...] = ()
    reason: str = ""
    unsigned: int = 0
    torn: int = 0

    @property
    def whole(self) -> bool:
        return self.state is State.WHOLE


def judge(lines: Iterable[bytes], head: Head | None) -> Chain:
    """Judge all lines that are there, without their ends, by what was signed. Those before the
    first entry that is kept are left out: they were on their way to be removed."""
    entries: list[Entry] = []
    torn = 0
    for line in lines:
        signed = head is not None and (not entries or entries[-1].number < head.last)
        if torn:
            torn += len(line) + 1
            continue
        try:
            entry = parse_entry(line)
        except ValueError as error:
            if signed:
                where = entries[-1].number + 1 if entries else (head.first if head else 1)
                return Chain(State.DAMAGED, tuple(entries), f"entry {where}: {error}")
            torn = len(line)
            continue
        if head is not None and entry.number < head.first:
            continue
        if problem := _out_of_place(entry, entries, head):
            return Chain(State.DAMAGED, tuple(entries), problem)
        entries.append(entry)
    if head is None:
        return _without_head(tuple(entries), torn)
    if not entries:
        return Chain(State.CUT, (), f"entries {head.first} to {head.last} are gone")
    last = entries[-1].number
    if last < head.last:
        return Chain(State.CUT, tuple(entries), f"entries {last + 1} to {head.last} are gone")
    signed_last = entries[head.last - head.first]
    if signed_last.digest != head.digest:
        return Chain(State.DAMAGED, (), f"entry {head.last} is another one than was signed")
    return Chain(State.WHOLE, tuple(entries), "", last - head.last, torn)


def _out_of_place(entry: Entry, before: list[Entry], head: Head | None) -> str:
    """Why `entry` cannot stand behind those `before` it; empty if it can."""
    if before:
        number, digest = before[-1].number + 1, before[-1].digest
    elif head is not None:
        number, digest = head.first, head.before
    else:
        number, digest = 1, NOTHING
    if entry.number != number:
        return f"entry {number} is not there, and entry {entry.number} is in its place"
    if entry.before != digest:
        return f"entry {number} does not follow what is before it"
    return ""


def _without_head(entries: tuple[Entry, ...], torn: int) -> Chain:
    if not entries and not torn:
        return Chain(State.ABSENT)
    return Chain(State.DAMAGED, entries, "what was signed of it is gone", len(entries), torn)
