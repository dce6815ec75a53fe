"""Programs that lend their powers: none but those that somebody has looked at."""

from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import overlay, setid
from image.overlay import Overlay
from image.tree import Tree, directory, file


@pytest.fixture
def tree() -> Tree:
    tree = Tree()
    tree["bin"] = directory()
    tree["bin/su"] = file(b"su", 0o4555)
    tree["bin/switch"] = tree["bin/su"]
    tree["bin/wall"] = file(b"wall", 0o2555)
    tree["bin/sh"] = file(b"sh", 0o555)
    return tree


def listing(folder: Path, *rules: str) -> Overlay:
    lines = "".join(f"  - {{{rule}}}\n" for rule in rules)
    (folder / "overlay.yaml").write_text(f"description: a test\nsetid:\n{lines}")
    return overlay.load(folder)


ALL = (
    "path: bin/su, reason: nobody",
    "path: bin/switch, reason: nobody",
    "path: bin/wall, reason: nobody",
)


def test_those_that_are_listed_lose_their_bits(tree: Tree, tmp_path: Path) -> None:
    setid.settle(tree, [listing(tmp_path, *ALL)])
    assert {path: tree[path].mode for path in ("bin/su", "bin/switch", "bin/wall", "bin/sh")} == {
        "bin/su": 0o555,
        "bin/switch": 0o555,
        "bin/wall": 0o555,
        "bin/sh": 0o555,
    }
    assert tree["bin/su"] is tree["bin/switch"]


def test_one_that_keeps_them_keeps_them(tree: Tree, tmp_path: Path) -> None:
    one = listing(tmp_path, *ALL[:2], "path: bin/wall, reason: everybody, keeps: yes")
    setid.settle(tree, [one])
    assert tree["bin/wall"].mode == 0o2555


@pytest.mark.parametrize("mode", [0o4555, 0o2555, 0o6755, 0o4000])
def test_one_in_no_list_stops_the_build(tree: Tree, tmp_path: Path, mode: int) -> None:
    tree["bin/planted"] = file(b"", mode)
    with pytest.raises(Refusal, match="/bin/planted") as told:
        setid.settle(tree, [listing(tmp_path, *ALL)])
    assert f"{mode:04o}" in str(told.value)


def test_one_that_was_reviewed_with_its_package_may_stay(tree: Tree, tmp_path: Path) -> None:
    tree["bin/planted"] = file(b"", 0o4555)
    setid.settle(tree, [listing(tmp_path, *ALL)], ["bin/planted"])
    assert tree["bin/planted"].mode == 0o4555


def test_a_list_may_name_what_another_base_has(tree: Tree, tmp_path: Path) -> None:
    setid.settle(tree, [listing(tmp_path, *ALL, "path: bin/ppp, reason: telephones")])
