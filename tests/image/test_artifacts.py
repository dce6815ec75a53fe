"""Which image commands take when none is named."""

import os
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.artifacts import (
    IMAGE,
    REHEARSAL,
    Base,
    base_of,
    check_name,
    last_built,
    last_for_the_internet,
    next_steps,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dist").mkdir()
    return tmp_path


def build(image: str, at: int) -> None:
    """An image whose build ended `at` seconds after 1970."""
    for path in (Path(image), Path(image).with_suffix(".json")):
        path.touch()
        os.utime(path, (at, at))


def test_without_an_image_a_person_is_told_to_build_one() -> None:
    with pytest.raises(Refusal, match=r"no image was built here\. Make one: \./exitisp build\.$"):
        last_built()
    with pytest.raises(Refusal, match=r"\./exitisp build --base rehearsal\.$"):
        last_built(Base.REHEARSAL)


def test_the_last_build_counts() -> None:
    build(IMAGE, at=1)
    build(REHEARSAL, at=2)
    assert last_built() == Path(REHEARSAL)
    build(IMAGE, at=3)
    assert last_built() == Path(IMAGE)
    assert last_built(Base.REHEARSAL) == Path(REHEARSAL)


def test_an_image_that_a_machine_wrote_to_is_not_newer_for_that() -> None:
    build(REHEARSAL, at=1)
    build(IMAGE, at=2)
    os.utime(REHEARSAL, (3, 3))
    assert last_built() == Path(IMAGE)


def test_a_rehearsal_is_not_taken_for_the_internet() -> None:
    build(IMAGE, at=1)
    assert last_for_the_internet("Name it") == Path(IMAGE)
    build(REHEARSAL, at=2)
    with pytest.raises(Refusal, match=r"rehearsal, which is not for the Internet\. Name it\.$"):
        last_for_the_internet("Name it")


def test_a_rehearsal_says_so_in_its_name() -> None:
    check_name(Path(REHEARSAL))
    assert base_of(Path(REHEARSAL)) is Base.REHEARSAL
    assert base_of(Path(IMAGE)) is Base.HARDENEDBSD
    with pytest.raises(Refusal, match="has to contain 'rehearsal'"):
        check_name(Path(IMAGE))


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (IMAGE, ["./exitisp boot ", "./exitisp flash "]),
        (REHEARSAL, ["./exitisp boot ", "./exitisp lab "]),
        ("x/mine.img", ["./exitisp boot x/mine.img ", "./exitisp flash x/mine.img "]),
    ],
)
def test_a_build_names_the_next_command(image: str, told: list[str]) -> None:
    for one in told:
        assert one in next_steps(Path(image))
