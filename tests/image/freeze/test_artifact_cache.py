"""The cache returns what was put there, or nothing."""

import os
from pathlib import Path

import pytest

from image.freeze import artifact_cache


def keep(place: Path, **files: bytes) -> artifact_cache.Kept:
    with artifact_cache.making(place) as work:
        made = work / "made"
        (made / "folder").mkdir(parents=True)
        for name, data in files.items():
            (made / "folder" / name).write_bytes(data)
        return artifact_cache.put(made, place, {"fact": 1})


def test_what_was_put_is_taken(tmp_path: Path) -> None:
    place = tmp_path / "shelf" / "thing"
    assert artifact_cache.take(place) is None
    kept = keep(place, a=b"A", b=b"")
    assert artifact_cache.take(place) == kept
    assert set(kept.files) == {"folder/a", "folder/b"}
    assert kept.facts == {"fact": 1}
    assert [path.name for path in place.parent.iterdir()] == ["thing"]


def alter(place: Path) -> None:
    (place / "folder/a").write_bytes(b"B")


def add(place: Path) -> None:
    (place / "folder/c").write_bytes(b"")


def remove(place: Path) -> None:
    (place / "folder/a").unlink()


def make_executable(place: Path) -> None:
    (place / "folder/a").chmod(0o755)


def lead_elsewhere(place: Path) -> None:
    (place / "folder/a").unlink()
    (place / "folder/a").symlink_to("/etc/passwd")


def cut_short(place: Path) -> None:
    path = place / artifact_cache.CONTENTS
    path.write_bytes(path.read_bytes()[:-9])


def list_something_else(place: Path) -> None:
    (place / artifact_cache.CONTENTS).write_text('{"files": [], "facts": {}}')


DAMAGES = [alter, add, remove, make_executable, lead_elsewhere, cut_short, list_something_else]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_removed(tmp_path: Path, damage: object) -> None:
    place = tmp_path / "thing"
    keep(place, a=b"A")
    assert callable(damage)
    damage(place)
    assert artifact_cache.take(place) is None
    assert not place.exists()


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "thing"

    def make_half() -> None:
        with artifact_cache.making(place) as work:
            (work / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_half()
    assert list(tmp_path.iterdir()) == []


def test_of_two_made_at_once_the_first_stays(tmp_path: Path) -> None:
    place = tmp_path / "thing"
    with artifact_cache.making(place) as work:
        (work / "made").mkdir()
        first = keep(place, a=b"A")
        assert artifact_cache.put(work / "made", place, {}) == first
    assert artifact_cache.take(place) == first


def test_different_inputs_have_different_keys() -> None:
    assert artifact_cache.key("a", "b") != artifact_cache.key("a", "c")
    assert artifact_cache.key("a", "b") == artifact_cache.key("a", "b")


def used(place: Path, at: int) -> None:
    """Set the time of the last use, in seconds since 1970."""
    os.utime(place / artifact_cache.CONTENTS, (at, at))


def test_unused_entries_are_removed(tmp_path: Path) -> None:
    keep(tmp_path / "a-1", a=b"")
    keep(tmp_path / "a-2", a=b"")
    used(tmp_path / "a-1", 1)
    (tmp_path / "download.tar.gz").touch()
    os.utime(tmp_path / "download.tar.gz", (1, 1))
    keep(tmp_path / "a-3", a=b"")
    assert {path.name for path in tmp_path.iterdir()} == {"a-2", "a-3", "download.tar.gz"}


def test_of_each_kind_the_most_recently_used_entries_are_kept(tmp_path: Path) -> None:
    keep(tmp_path / "other-0", a=b"")
    now = int((tmp_path / "other-0" / artifact_cache.CONTENTS).stat().st_mtime)
    for at in range(artifact_cache.OF_A_KIND + 2):
        keep(tmp_path / f"kind-{at}", a=b"")
        used(tmp_path / f"kind-{at}", now - 100 + at)
    used(tmp_path / "kind-2", now)
    keep(tmp_path / "other-1", a=b"")
    names = {path.name for path in tmp_path.glob("kind-*")}
    assert len(names) == artifact_cache.OF_A_KIND
    assert "kind-2" in names
    assert not {"kind-0", "kind-1"} & names
    assert len(list(tmp_path.glob("other-*"))) == 2
