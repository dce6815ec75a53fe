"""A set is unpacked once; what the store is not sure of, it does not believe."""

import os
import pkgutil
import random
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any

import pytest

from firstboot.core.refusal import Refusal
from image import store
from image.store import Unpacked
from tests import sets
from tests.sets import Item, Source

Unpack = Callable[[], Unpacked]


def keep(_: str) -> bool:
    return False


class Unopenable(Source):
    def open(self) -> IO[bytes]:
        raise AssertionError("the set is read although it is in the store")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source.of(tmp_path / "base.txz", sets.BASE)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def unpack(source: Source, cache: Path) -> Unpack:
    return lambda: store.unpack(source, source.sha256, keep, "", cache)


def shelf(cache: Path) -> list[Path]:
    return sorted((cache / "unpacked").iterdir())


def test_contents_lie_where_the_members_say(unpack: Unpack) -> None:
    unpacked = unpack()
    assert unpacked.fresh
    for item in sets.BASE:
        if item.data:
            assert unpacked.read(item.path.removeprefix("./")) == item.data


def test_only_files_can_be_read(unpack: Unpack) -> None:
    for path in ("none", "etc", "sys"):
        with pytest.raises(KeyError):
            unpack().read(path)


def test_the_second_time_nothing_is_decompressed(
    unpack: Unpack, source: Source, cache: Path
) -> None:
    first = unpack()
    again = store.unpack(Unopenable(source.path), source.sha256, keep, "", cache)
    assert (again.members, again.digest, again.fresh) == (first.members, first.digest, False)
    again.verify()


def test_binary_attributes_and_foreign_names_survive_the_store(tmp_path: Path) -> None:
    headers = {"SCHILY.xattr.user.x": "\udcff\n\u00e9"}
    source = Source.of(tmp_path / "a.txz", [Item("./\udcfe\n", b"data", headers=headers)])
    first, again = (store.unpack(source, source.sha256, keep, "", tmp_path) for _ in range(2))
    assert again.members == first.members
    assert again.members[0].path == "\udcfe\n"


def test_another_set_or_other_rules_have_a_place_of_their_own(source: Source, cache: Path) -> None:
    store.unpack(source, source.sha256, keep, "", cache)
    store.unpack(source, source.sha256, lambda path: path == "bin/sh", "bin/sh", cache)
    store.unpack(source, "0" * 64, keep, "", cache)
    assert len(shelf(cache)) == 3


@pytest.mark.parametrize("at", [0, 100, -1])
def test_altered_contents_are_refused_and_removed(unpack: Unpack, cache: Path, at: int) -> None:
    contents = unpack().contents
    data = bytearray(contents.read_bytes())
    data[at] ^= 1
    contents.write_bytes(data)
    damaged = unpack()
    with pytest.raises(
        Refusal, match=r"the cache was damaged \(SHA-256 \S+\.\.\. instead of \S+\.\.\.\); the"
    ):
        damaged.verify()
    assert shelf(cache) == []
    assert unpack().fresh


@pytest.mark.parametrize("name", ["contents", "members"])
@pytest.mark.parametrize("damage", ["cut short", "empty", "missing"])
def test_a_half_of_an_unpacked_set_is_made_again(unpack: Unpack, name: str, damage: str) -> None:
    good = unpack().contents.parent
    data = (good / name).read_bytes()
    if damage == "missing":
        (good / name).unlink()
    else:
        (good / name).write_bytes(data[: len(data) // 2] if damage == "cut short" else b"")
    assert unpack().fresh
    assert (good / name).read_bytes() == data
    assert sorted(path.name for path in good.iterdir()) == ["contents", "members"]


def test_altered_members_are_not_believed(unpack: Unpack) -> None:
    members = unpack().contents.with_name("members")
    data = members.read_bytes()
    members.write_bytes(data.replace(b"wheel", b"staff", 1))
    assert unpack().fresh
    assert members.read_bytes() == data


NOISE = random.Random(1).randbytes(200_000)
"""What xz cannot make smaller, so that reading it takes several steps."""


@pytest.mark.parametrize("moment", [1, 2, 7, 15, 24])
@pytest.mark.parametrize("what", [KeyboardInterrupt, EOFError])
def test_an_interrupted_unpacking_leaves_nothing(
    tmp_path: Path,
    cache: Path,
    moment: int,
    what: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("image.decompress.PIECE", 8192)
    source = Source.of(tmp_path / "base.txz", [*sets.BASE, Item("./noise", NOISE)])
    moments = iter(range(1, 1000))

    def advance(_: int) -> None:
        if next(moments) == moment:
            raise what

    with pytest.raises((KeyboardInterrupt, Refusal)):
        store.unpack(source, source.sha256, keep, "", cache, advance)
    assert shelf(cache) == []
    assert store.unpack(source, source.sha256, keep, "", cache).read("noise") == NOISE


@pytest.mark.parametrize("moment", [1, 2, 5, 20, 40])
def test_a_keyboard_interrupt_leaves_nothing_that_is_believed(
    source: Source, cache: Path, moment: int
) -> None:
    """Ctrl-C strikes where contents are taken, as it does in a build."""
    calls = 0

    def drop(path: str) -> bool:
        nonlocal calls
        calls += 1
        if calls == moment:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        store.unpack(source, source.sha256, drop, "", cache)
    assert shelf(cache) == []
    assert store.unpack(source, source.sha256, keep, "", cache).fresh


def test_a_bad_archive_leaves_nothing(source: Source, cache: Path) -> None:
    source.path.write_bytes(source.path.read_bytes()[:-30])
    with pytest.raises(Refusal):
        store.unpack(source, "0" * 64, keep, "", cache)
    assert shelf(cache) == []
    assert threading.active_count() == 1


def test_what_was_not_used_for_long_is_removed(
    unpack: Unpack, source: Source, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack()
    monkeypatch.setattr("image.store.UNUSED_DAYS", -1)
    store.unpack(source, source.sha256, keep, "other", cache)
    (left,) = shelf(cache)
    assert left != unpack().contents.parent


def contents_of(path: str, cache: str) -> str:
    """What a process of its own unpacks, verified."""
    source = Source(Path(path))
    unpacked = store.unpack(source, source.sha256, keep, "", Path(cache))
    unpacked.verify()
    return unpacked.digest


def test_processes_may_unpack_the_same_set_at_once(source: Source, cache: Path) -> None:
    # Not forked: the runner of the tests has threads, whose locks a child would wait for.
    with ProcessPoolExecutor(3, get_context("spawn")) as pool:
        digests = list(pool.map(contents_of, [str(source.path)] * 9, [str(cache)] * 9))
    assert len(set(digests)) == 1
    assert [path.name[0] for path in shelf(cache)] != ["."]
    assert len(shelf(cache)) == 1


@pytest.mark.parametrize("moment", ["image.store._remove_unused", "image.archive.read"])
def test_a_set_that_another_has_unpacked_meanwhile_stays_in_place(
    unpack: Unpack, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Someone reads it already: it must not vanish, not even for a moment."""
    others: list[IO[bytes]] = []

    def at_that_moment(*arguments: Any) -> Any:
        monkeypatch.undo()
        others.append(unpack().contents.open("rb"))
        return pkgutil.resolve_name(moment)(*arguments)

    monkeypatch.setattr(moment, at_that_moment)
    unpack()
    (reading,) = others
    with reading:
        assert os.fstat(reading.fileno()).st_nlink == 1


def test_threads_may_unpack_the_same_set_at_once(unpack: Unpack, cache: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        unpacked = list(threads.map(lambda _: unpack(), range(8)))
    for one in unpacked:
        one.verify()
    assert len(shelf(cache)) == 1
