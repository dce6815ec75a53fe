"""The journal on /data: whole, absent, cut short or damaged, and told apart."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from firstboot.box.journal import store
from firstboot.box.journal.chain import State
from firstboot.box.journal.entry import Kind, parse_entry
from firstboot.box.journal.signature import KEY
from firstboot.box.journal.store import KEPT, append, read
from firstboot.core.refusal import Refusal
from tests.firstboot.box.box import Box
from tests.firstboot.box.journal.keeping import KeyedBox, later, make_key, note, with_key

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen")


@pytest.fixture
def keyed(box: Box) -> KeyedBox:
    return with_key(box)


@pytest.fixture
def written(keyed: KeyedBox) -> KeyedBox:
    for minute in range(4):
        append([note(f"sentence {minute}", minute)], keyed.machine)
    return keyed


def piece(box: Box) -> Path:
    (found,) = (box.root / "data/journal").glob("*.jsonl")
    return found


def texts(box: Box) -> list[str]:
    return [one.note.text for one in read(box.machine).chain.entries]


def test_no_journal_is_absent_and_what_is_written_is_whole(keyed: KeyedBox) -> None:
    assert read(keyed.machine).chain.state is State.ABSENT
    append([note("one"), note("two")], keyed.machine)
    append([note("three", 1)], keyed.machine)
    found = read(keyed.machine)
    assert found.sound
    assert [one.number for one in found.chain.entries] == [1, 2, 3]
    assert texts(keyed) == ["one", "two", "three"]


def test_nobody_else_can_read_it(written: KeyedBox) -> None:
    assert (written.root / "data/journal").stat().st_mode & 0o77 == 0
    for path in (written.root / "data/journal").iterdir():
        assert path.stat().st_mode & 0o77 == 0


def changed_entry(box: KeyedBox) -> None:
    piece(box).write_bytes(piece(box).read_bytes().replace(b"sentence 1", b"sentence 7"))


def without_an_entry(box: KeyedBox) -> None:
    lines = piece(box).read_bytes().splitlines(keepends=True)
    piece(box).write_bytes(b"".join(lines[:1] + lines[2:]))


def rewritten(box: KeyedBox) -> None:
    """All entries anew, with a chain that fits."""
    lines, before = [], "0" * 64
    for line in piece(box).read_bytes().splitlines():
        told = json.loads(line) | {"text": "nothing happened", "before": before}
        entry = parse_entry(json.dumps(told, sort_keys=True, separators=(",", ":")).encode())
        before = entry.digest
        lines.append(entry.line + b"\n")
    piece(box).write_bytes(b"".join(lines))


def head_of_another_key(box: KeyedBox) -> None:
    make_key(box.root / "cfg" / KEY)


def head_changed(box: KeyedBox) -> None:
    rewritten(box)
    path = box.root / "data/journal/head"
    line, _, signature = path.read_bytes().partition(b"\n")
    last = parse_entry(piece(box).read_bytes().splitlines()[-1])
    told = json.loads(line) | {"digest": last.digest}
    path.write_bytes(json.dumps(told, sort_keys=True).encode() + b"\n" + signature)


def without_head(box: KeyedBox) -> None:
    (box.root / "data/journal/head").unlink()


def empty_head(box: KeyedBox) -> None:
    (box.root / "data/journal/head").write_bytes(b"")


def all_gone(box: KeyedBox) -> None:
    shutil.rmtree(box.root / "data/journal")


def zeros(box: KeyedBox) -> None:
    piece(box).write_bytes(bytes(len(piece(box).read_bytes())))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (changed_entry, "entry 3 does not follow what is before it"),
        (without_an_entry, "entry 2 is not there, and entry 3 is in its place"),
        (rewritten, "entry 4 is another one than was signed"),
        (without_head, "what was signed of it is gone"),
        (empty_head, "it is empty"),
        (all_gone, "there was a journal, and all of it is gone"),
        (zeros, "entry 1: it is no entry of a journal"),
    ],
)
def test_what_was_changed_is_damaged_and_told_by_the_next_journal(
    written: KeyedBox, spoil: Callable[[KeyedBox], None], reason: str
) -> None:
    spoil(written)
    found = read(written.machine).chain
    assert found.state is State.DAMAGED
    assert reason in found.reason or reason.startswith("entry 1")
    append([note("later", 9)], written.machine)
    after = read(written.machine)
    assert after.chain.whole
    repair, last = after.chain.entries
    assert repair.note.kind is Kind.REPAIR
    assert "damaged" in repair.note.text
    assert last.note.text == "later"
    assert after.aside == (() if spoil is all_gone else ("/data/journal.damaged",))


@pytest.mark.parametrize("spoil", [head_changed, head_of_another_key])
def test_a_signature_of_something_else_proves_nothing(
    written: KeyedBox, spoil: Callable[[KeyedBox], None]
) -> None:
    spoil(written)
    found = read(written.machine)
    assert "not by the key of this box, or of other data" in found.unproven
    assert not found.sound
    append([note("later", 9)], written.machine)
    assert read(written.machine).aside == ("/data/journal.damaged",)


def test_entries_that_are_gone_from_the_end_are_cut_short_and_not_damaged(
    written: KeyedBox,
) -> None:
    lines = piece(written).read_bytes().splitlines(keepends=True)
    piece(written).write_bytes(b"".join(lines[:2]))
    found = read(written.machine).chain
    assert found.state is State.CUT
    assert found.reason == "entries 3 to 4 are gone"
    assert len(found.entries) == 2
    append([note("later", 9)], written.machine)
    assert "is cut short: entries 3 to 4 are gone" in texts(written)[0]


@pytest.mark.parametrize("left", [1, 30, -1])
def test_a_power_cut_before_the_signature_is_mended(written: KeyedBox, left: int) -> None:
    """An entry that was being written is whole but for its end, or not there."""
    head = (written.root / "data/journal/head").read_bytes()
    before = piece(written).read_bytes()
    append([note("cut off", 5)], written.machine)
    line = piece(written).read_bytes()[len(before) :]
    piece(written).write_bytes(before + line[:left])
    (written.root / "data/journal/head").write_bytes(head)
    found = read(written.machine)
    assert found.sound
    assert (found.chain.unsigned, found.chain.torn) == ((1, 0) if left == -1 else (0, left))
    append([note("later", 9)], written.machine)
    found = read(written.machine)
    assert found.sound
    assert found.chain.torn == found.chain.unsigned == 0
    assert texts(written)[-1] == "later"
    assert ("cut off" in texts(written)) is (left == -1)


def test_without_a_key_it_is_written_and_says_so_and_signed_later(box: Box) -> None:
    keyed = KeyedBox(box.root, box.programs)
    append([note()], keyed.machine)
    found = read(keyed.machine)
    assert found.chain.whole
    assert found.unproven == "it is not signed: the box had no key at that time"
    make_key(box.root / "cfg" / KEY)
    append([note(minute=1)], keyed.machine)
    assert read(keyed.machine).sound
    assert len(texts(keyed)) == 2


def test_what_is_old_goes_and_the_rest_is_still_whole(
    keyed: KeyedBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(0, 260, 8):
        append([later(note(f"day {day}"), day)], keyed.machine)
    found = read(keyed.machine)
    assert found.sound
    first = found.chain.entries[0]
    assert first.number > 1
    assert found.chain.entries[-1].note.time - first.note.time <= KEPT + store.WEEK * 2
    monkeypatch.setattr(store, "PIECES", 5)
    for tenth in range(26):
        append([later(note(f"later {tenth}"), 260 + tenth / 10)], keyed.machine)
    assert read(keyed.machine).sound
    assert len([*(keyed.root / "data/journal").glob("*.jsonl")]) <= 6
    missing = min((keyed.root / "data/journal").glob("*.jsonl"))
    missing.unlink()
    assert read(keyed.machine).chain.state is State.DAMAGED


def test_a_piece_does_not_grow_without_end(keyed: KeyedBox) -> None:
    for minute in range(12):
        append([note("x" * 30_000, minute)], keyed.machine)
    pieces = [*(keyed.root / "data/journal").glob("*.jsonl")]
    assert len(pieces) == 2
    assert max(one.stat().st_size for one in pieces) < store.PIECE + 40_000
    assert read(keyed.machine).sound


def test_without_its_disk_it_is_refused(keyed: KeyedBox) -> None:
    (keyed.root / "data").rmdir()
    with pytest.raises(Refusal, match="not mounted"):
        read(keyed.machine)
    with pytest.raises(Refusal, match="not mounted"):
        append([note()], keyed.machine)
