"""Generations are whole or not there, whatever happens to the power and to the disk."""

import errno
import itertools
import os
import subprocess
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstboot.box.generations import KEPT, Content, DamagedGeneration, Generation, Generations
from firstboot.core.refusal import Refusal
from firstboot.site.render import Rendered
from tests.box_programs import AWK, search
from tests.firstboot.box.box import ROOT, SCRIPT
from tests.firstboot.box.cut import at_every_step

FILES = (
    Rendered("etc/pf.conf", "block all\n", 0o644, "root", "wheel"),
    Rendered("etc/local/tor/torrc@relay1", "Nickname é\n", 0o600, "_tor", "_tor"),
    Rendered("etc/empty", "", 0o600, "root", "wheel"),
)


def content(word: str) -> Content:
    extra = Rendered("etc/word", f"{word}\n", 0o644, "root", "wheel")
    return Content("e" * 64, f"site: {word}\n".encode(), (*FILES, extra))


def word(generation: Generation | None) -> str | None:
    return None if generation is None else generation.read().site.decode().split()[1]


def filled(folder: Path, *words: str) -> Generations:
    generations = Generations(folder)
    for one in words:
        generations.switch(generations.write(content(one)))
    return generations


def chosen_by_sh(root: Path) -> str | None:
    """What rc.d/exitisp_site runs; the last part of the folder's name."""
    script = ROOT / "overlays/firstboot/files" / SCRIPT
    ended = subprocess.run(
        ["/bin/sh", script, "-r", root, "choose"],
        capture_output=True,
        text=True,
        env={"PATH": search()},
        timeout=60,
    )
    return ended.stdout.strip().rpartition("/")[2] or None


@pytest.mark.skipif(AWK is None, reason="no BSD awk here: the Debian package original-awk")
def test_the_script_of_the_boot_is_tried_with_an_awk_as_strict_as_the_boxs() -> None:
    ended = subprocess.run(
        ["awk", "-v", "lines=1\n2", "BEGIN { exit }"],
        capture_output=True,
        text=True,
        env={"PATH": search()},
    )
    assert "newline in string" in ended.stderr


def test_what_was_written_is_read(tmp_path: Path) -> None:
    generations = filled(tmp_path, "one", "two")
    assert [one.number for one in generations.all()] == [1, 2]
    assert generations.current() == 2
    assert generations.all()[0].read() == content("one")
    assert generations.all()[1].read() == content("two")


def test_nobody_but_root_reads_them(tmp_path: Path) -> None:
    filled(tmp_path, "one")
    folder = tmp_path / "generations"
    assert folder.stat().st_mode & 0o077 == 0
    for path in folder.rglob("*"):
        assert path.is_dir() or path.stat().st_mode & 0o077 == 0, path


@settings(max_examples=25)
@given(data=st.data())
def test_damage_is_seen_by_both_readers(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("root")
    generation = filled(root / "cfg", "one").all()[0]
    paths = sorted(path for path in generation.folder.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(paths))
    before = path.read_bytes()
    kind = data.draw(st.sampled_from(["removed", "cut", "changed", "longer"]))
    if kind == "removed":
        path.unlink()
    else:
        at = data.draw(st.integers(0, max(len(before) - 1, 0)))
        bit = bytes([before[at] ^ 1 << data.draw(st.integers(0, 7))]) if before else b"x"
        after = {
            "cut": before[:at],
            "changed": before[:at] + bit + before[at + 1 :],
            "longer": before + b"x",
        }[kind]
        path.write_bytes(after)
        if after.strip() == before.strip() and path.name == "seal":
            return
        if after == before:
            return
    assert not generation.sound
    assert chosen_by_sh(root) is None


@pytest.mark.parametrize("current", [None, 1, 2, 3])
@pytest.mark.parametrize(
    "damaged", [set(one) for n in range(4) for one in itertools.combinations((1, 2, 3), n)]
)
def test_a_boot_runs_the_nearest_sound_one(
    tmp_path: Path, current: int | None, damaged: set[int]
) -> None:
    generations = filled(tmp_path / "cfg", "one", "two", "three")
    for one in generations.all():
        if one.number in damaged:
            (one.folder / "files/etc/pf.conf").write_text("pass all\n")
        if one.number == current:
            generations.switch(one)
    if current is None:
        (tmp_path / "cfg/current").unlink()
    chosen = generations.chosen()
    assert chosen_by_sh(tmp_path) == (chosen.folder.name if chosen else None)
    if damaged == {1, 2, 3}:
        assert chosen is None
    elif current not in damaged | {None}:
        assert chosen is not None
        assert chosen.number == current
    elif current == 3 or (current is None and 3 in damaged):
        assert chosen is not None
        assert chosen.number == max({1, 2, 3} - damaged)


@pytest.mark.parametrize(
    ("well", "order"),
    [
        (b"0003\n0004\n0001\n", ["0003", "0004", "0001", "0002"]),
        (b"0001\n", ["0003", "0001", "0002", "0004"]),
        (b"", ["0003", "0002", "0001", "0004"]),
        (b"\xff\0001\n../0001\n1\n 0001\n9999\n", ["0003", "0002", "0001", "0004"]),
        (b"0004 0001\n0001\n0001\n", ["0003", "0001", "0002", "0004"]),
        (b"0001", ["0003", "0001", "0002", "0004"]),
    ],
)
def test_a_boot_prefers_what_ran_well_to_what_is_next(
    tmp_path: Path, well: bytes, order: list[str]
) -> None:
    """A damaged note is none: something has to run."""
    generations = filled(tmp_path / "cfg", "one", "two", "three", "four")
    generations.switch(generations.find(3))
    (tmp_path / "cfg/state").mkdir(exist_ok=True)
    (tmp_path / "cfg/state/well").write_bytes(well)
    tried = []
    while (chosen := generations.chosen()) is not None:
        assert chosen_by_sh(tmp_path) == chosen.folder.name
        tried.append(chosen.folder.name)
        (chosen.folder / "seal").unlink()
    assert chosen_by_sh(tmp_path) is None
    assert tried == order


def test_a_power_cut_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    places = (tmp_path / str(number) for number in itertools.count())

    def change(generations: Generations) -> None:
        generations.switch(generations.write(content("new")))

    left = list(at_every_step(lambda: filled(next(places) / "cfg", "old"), change))
    words = [str(word(generations.chosen())) for generations in left]
    assert set(words) == {"old", "new"}
    assert words == sorted(words, reverse=True), "once it is the new one it stays that"
    assert len(left) > 20
    for generations in left:
        change(generations)
        assert word(generations.chosen()) == "new"
        assert not list(generations.folder.glob(".*"))


def test_the_first_one_is_there_or_not(tmp_path: Path) -> None:
    places = (tmp_path / str(number) for number in itertools.count())

    def first(generations: Generations) -> None:
        generations.switch(generations.write(content("first")))

    left = list(at_every_step(lambda: Generations(next(places)), first))
    assert {word(generations.chosen()) for generations in left} == {None, "first"}


def test_going_back_survives_a_power_cut(tmp_path: Path) -> None:
    places = (tmp_path / str(number) for number in itertools.count())

    def back(generations: Generations) -> None:
        generations.switch(generations.find(1))

    left = list(at_every_step(lambda: filled(next(places), "one", "two"), back))
    assert {word(generations.chosen()) for generations in left} == {"one", "two"}


def test_the_youngest_are_kept_and_the_current_one_always(tmp_path: Path) -> None:
    generations = filled(tmp_path, *(f"n{number}" for number in range(KEPT + 3)))
    assert [one.number for one in generations.all()] == list(range(4, KEPT + 4))
    generations.switch(generations.find(4))
    for number in range(KEPT + 2):
        generations.write(content(f"more{number}"))
    assert generations.current() == 4
    assert word(generations.chosen()) == "n3"


@pytest.mark.parametrize("call", ["fsync", "rename", "replace", "mkdir", "symlink"])
def test_a_full_disk_changes_nothing(tmp_path: Path, call: str) -> None:
    generations = filled(tmp_path, "old")
    error = OSError(errno.ENOSPC, "No space left on device")
    with mock.patch.object(os, call, side_effect=error), pytest.raises(Refusal, match="No space"):
        generations.switch(generations.write(content("new")))
    assert word(generations.chosen()) == "old"
    assert not list(generations.folder.glob(".*"))


def test_a_path_that_sh_would_split_is_refused(tmp_path: Path) -> None:
    generations = Generations(tmp_path)
    for path in ("etc/two words", "etc/../../x", "etc/a\nb", "etc/$(reboot)"):
        bad = Rendered(path, "", 0o644, "root", "wheel")
        with pytest.raises(Refusal, match="nothing but letters, digits"):
            generations.write(Content("i", b"", (bad,)))
    assert generations.all() == []


def test_generations_that_are_asked_for_are_there(tmp_path: Path) -> None:
    generations = filled(tmp_path, "one", "two")
    (generations.all()[1].folder / "seal").write_text("0" * 64)
    assert generations.find(1).number == 1
    with pytest.raises(Refusal, match="generation 2: it is damaged; sound ones are 1"):
        generations.find(2)
    with pytest.raises(
        Refusal, match="generation 3: there is no such generation; sound ones are 1"
    ):
        generations.find(3)
    with pytest.raises(DamagedGeneration):
        generations.all()[1].read()


def test_files_are_laid_by_sh_as_they_were_written(tmp_path: Path) -> None:
    generation = filled(tmp_path / "cfg", "one").all()[0]
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("chown", "chmod"):
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"${{0%/*}}/log"\n')
        (tools / name).chmod(0o755)
    root = tmp_path / "root"
    root.mkdir()
    script = ROOT / "overlays/firstboot/files" / SCRIPT
    subprocess.run(
        ["/bin/sh", script, "-r", root, "plant", generation.folder],
        env={"PATH": f"{tools}:{os.environ['PATH']}"},
        check=True,
        timeout=60,
    )
    for file in content("one").files:
        assert (root / file.path).read_text() == file.text
        assert (root / file.path).stat().st_mode & 0o077 == 0
        assert (root / file.path).parent.stat().st_mode & 0o777 == 0o755
    assert (tools / "log").read_text().splitlines() == [
        "chown _tor:_tor etc/local/tor/torrc@relay1",
        "chmod 0600 etc/local/tor/torrc@relay1",
        "chown root:wheel etc/empty",
        "chmod 0600 etc/empty",
        "chown root:wheel etc/pf.conf etc/word",
        "chmod 0644 etc/pf.conf etc/word",
    ]
