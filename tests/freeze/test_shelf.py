"""What is kept in the cache is what was put there, or it is made again."""

from pathlib import Path

import pytest

from image.freeze import shelf


def keep(place: Path, **files: bytes) -> shelf.Kept:
    with shelf.making(place) as work:
        made = work / "made"
        (made / "folder").mkdir(parents=True)
        for name, data in files.items():
            (made / "folder" / name).write_bytes(data)
        return shelf.put(made, place, {"fact": 1})


def test_what_was_put_is_taken(tmp_path: Path) -> None:
    place = tmp_path / "shelf" / "thing"
    assert shelf.take(place) is None
    kept = keep(place, a=b"A", b=b"")
    assert shelf.take(place) == kept
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
    path = place / shelf.CONTENTS
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize("damage", [alter, add, remove, make_executable, lead_elsewhere, cut_short])
def test_what_was_damaged_is_gone(tmp_path: Path, damage: object) -> None:
    place = tmp_path / "thing"
    keep(place, a=b"A")
    assert callable(damage)
    damage(place)
    assert shelf.take(place) is None
    assert not place.exists()


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "thing"

    def make_half() -> None:
        with shelf.making(place) as work:
            (work / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_half()
    assert list(tmp_path.iterdir()) == []


def test_the_first_of_two_at_once_stays(tmp_path: Path) -> None:
    place = tmp_path / "thing"
    with shelf.making(place) as work:
        (work / "made").mkdir()
        first = keep(place, a=b"A")
        assert shelf.put(work / "made", place, {}) == first
    assert shelf.take(place) == first


def test_different_causes_have_different_names() -> None:
    assert shelf.key("a", "b") != shelf.key("a", "c")
    assert shelf.key("a", "b") == shelf.key("a", "b")
