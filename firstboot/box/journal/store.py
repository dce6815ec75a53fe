"""The journal on /data: pieces of some hundred kilobytes, and a signed head.

`/data/journal/000000001.jsonl` has the entries from number 1 on, one a line; the next piece begins
after a week or 256 KiB. `/data/journal/head` says which entries there are (head.py). Lines are
written first and then the head, so that a power cut leaves entries that are not signed yet, and
perhaps half of one.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from firstboot.box.journal.chain import Chain, State, judge
from firstboot.box.journal.entry import NOTHING, Entry, Kind, Note, parse_entry
from firstboot.box.journal.head import Head, Signed, parse_signed
from firstboot.box.journal.signature import has_key, sign, unproven
from firstboot.box.machine import Machine
from firstboot.core.durable import damaged, keep, kept, settle
from firstboot.core.limits import JOURNAL_PIECE
from firstboot.core.refusal import Refusal

PLACE, ASIDE = "data/journal", ("data/journal.damaged", "data/journal.damaged.1")
MARK = "state/journal"
"""Below /cfg: a journal was begun, so that one that is gone is not taken for none."""

DAY = 86_400
KEPT = 180 * DAY
"""Seconds that an entry is kept."""

PIECE, PIECES, WEEK = 256 << 10, 64, 7 * DAY
"""Bytes of a piece, how many there are, and seconds that one is for."""


@dataclass(frozen=True, slots=True)
class Journal:
    """What there is of it, and why its signature proves nothing, if it does not."""

    chain: Chain
    unproven: str = ""
    head: Signed | None = None
    aside: tuple[str, ...] = ()
    """Folders with damaged journals of before."""

    @property
    def sound(self) -> bool:
        return self.chain.whole and not self.unproven and not self.aside


def read(machine: Machine) -> Journal:
    """All of it, judged. Raises Refusal if a file cannot be read."""
    _ensure_data(machine)
    aside = tuple(f"/{name}" for name in ASIDE if (machine.root / name).exists())
    try:
        signed = _head(machine)
    except Refusal as refusal:
        return Journal(Chain(State.DAMAGED, (), refusal.problem), aside=aside)
    try:
        lines = [line for piece in _pieces(machine) for line in _lines(piece)]
    except Refusal as refusal:
        return Journal(Chain(State.DAMAGED, (), refusal.problem), aside=aside, head=signed)
    chain = judge(lines, signed.head if signed else None)
    if chain.state is State.ABSENT and _mark(machine).exists():
        chain = Chain(State.DAMAGED, (), "there was a journal, and all of it is gone")
    why = unproven(signed, machine) if signed else ""
    return Journal(chain, why, signed, aside)


def append(notes: Sequence[Note], machine: Machine) -> None:
    """Write `notes`, and sign what there is then. A journal that is not whole is set aside, and
    another one begins, which says so. Raises Refusal and OSError."""
    if not notes:
        return
    _ensure_data(machine)
    folder = machine.root / PLACE
    now = notes[-1].time
    signed, tail, problem = _tail(machine)
    if problem:
        _set_aside(machine)
        signed, tail = None, ()
        told = f"The journal before this one is {problem}. It is kept beside."
        notes = (Note(now, Kind.REPAIR, told), *notes)
    if not tail:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _mark(machine).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _mark(machine).exists():
            keep(_mark(machine), b"begun\n")
    entries = _chained(notes, tail[-1] if tail else None)
    _write(_piece_for(entries, machine), entries)
    every = _pieces(machine)
    old = every[0] if _is_old(every, now) else None
    if old is not None:
        first = parse_entry(_lines(every[1])[0])
        start = first.number, first.before
    elif signed:
        start = signed.head.first, signed.head.before
    else:
        start = entries[0].number, entries[0].before
    head = Head(*start, entries[-1].number, entries[-1].digest)
    keep(folder / "head", Signed(head, sign(head, machine)).data)
    if old is not None:
        old.unlink()
    _forget_aside(machine, now)


def _chained(notes: Iterable[Note], last: Entry | None) -> list[Entry]:
    number, before = (last.number, last.digest) if last else (0, NOTHING)
    entries = []
    for note in notes:
        entry = Entry(number + 1, before, note)
        number, before = entry.number, entry.digest
        entries.append(entry)
    return entries


def _tail(machine: Machine) -> tuple[Signed | None, tuple[Entry, ...], str]:
    """The head, the entries of the last pieces, and what is wrong with them. What a power cut left
    of an entry is removed."""
    try:
        signed = _head(machine)
        pieces = _pieces(machine)
        lines = [line for piece in pieces[-2:] for line in _lines(piece)]
    except Refusal as refusal:
        return None, (), f"{State.DAMAGED.value}: {refusal.problem}"
    if signed is None:
        if lines:
            return None, (), f"{State.DAMAGED.value}: what was signed of it is gone"
        gone = f"{State.DAMAGED.value}: all of it is gone" if _mark(machine).exists() else ""
        return None, (), gone
    head = signed.head
    if len(pieces) > 2 and lines:
        with contextlib.suppress(ValueError):
            first = parse_entry(lines[0])
            head = Head(first.number, first.before, head.last, head.digest)
    chain = judge(lines, head)
    if not chain.whole:
        return None, (), f"{chain.state.value}: {chain.reason}"
    if signed.signature and has_key(machine) and (why := unproven(signed, machine)):
        return None, (), f"{State.DAMAGED.value}: {why}"
    if chain.torn:
        _without_torn(pieces[-1], chain.entries)
    return signed, chain.entries, ""


def _without_torn(piece: Path, entries: Sequence[Entry]) -> None:
    number = int(piece.stem)
    whole = b"".join(one.line + b"\n" for one in entries if one.number >= number)
    if whole:
        keep(piece, whole)
    else:
        piece.unlink()


def _write(piece: Path, entries: Sequence[Entry]) -> None:
    new = not piece.exists()
    lines = b"".join(one.line + b"\n" for one in entries)
    with piece.open("ab") as file:
        os.fchmod(file.fileno(), 0o600)
        # A power cut may have taken the end of a line alone.
        if file.tell() and not _ends_well(piece):
            lines = b"\n" + lines
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())
    if new:
        settle(piece.parent)


def _ends_well(piece: Path) -> bool:
    with piece.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _piece_for(entries: Sequence[Entry], machine: Machine) -> Path:
    """The piece that `entries` go to: the last one, unless that is full."""
    pieces = _pieces(machine)
    if pieces and pieces[-1].stat().st_size < PIECE:
        with contextlib.suppress(ValueError, IndexError):
            began = parse_entry(_lines(pieces[-1])[0]).note.time
            if abs(entries[-1].note.time - began) < WEEK:
                return pieces[-1]
    return machine.root / PLACE / f"{entries[0].number:09}.jsonl"


def _is_old(pieces: Sequence[Path], now: int) -> bool:
    """Whether the first piece goes. One goes at a time, so that a clock that is wrong for a moment
    takes little."""
    if len(pieces) < 2:
        return False
    try:
        last = parse_entry(_lines(pieces[0])[-1])
    except (ValueError, IndexError, Refusal):
        # Damaged: whoever reads all of it has to see that.
        return False
    return len(pieces) > PIECES or last.note.time < now - KEPT


def _pieces(machine: Machine) -> list[Path]:
    folder = machine.root / PLACE
    return sorted(one for one in folder.glob("*.jsonl") if one.stem.isdecimal())


def _lines(piece: Path) -> list[bytes]:
    data = kept(piece, JOURNAL_PIECE)
    return [] if data is None else [line for line in data.split(b"\n") if line]


def _head(machine: Machine) -> Signed | None:
    path = machine.root / PLACE / "head"
    data = kept(path)
    try:
        return None if data is None else parse_signed(data)
    except ValueError as error:
        raise damaged(path, f"what was signed of it is damaged: {error}") from error


def _set_aside(machine: Machine) -> None:
    folder = machine.root / PLACE
    if not folder.exists():
        return
    first, second = (machine.root / name for name in ASIDE)
    to = second if first.exists() else first
    if to.exists():
        shutil.rmtree(to)
    folder.replace(to)
    os.utime(to)
    settle(to.parent)


def _forget_aside(machine: Machine, now: int) -> None:
    for name in ASIDE:
        path = machine.root / name
        if path.exists() and path.stat().st_mtime < now - KEPT:
            shutil.rmtree(path)


def _mark(machine: Machine) -> Path:
    return machine.cfg / MARK


def _ensure_data(machine: Machine) -> None:
    if not machine.mounted("data"):
        raise Refusal(
            "/data",
            "this file system is not mounted, and the journal is on it",
            "Restart the box; if that does not help, the disk is damaged",
        )
