"""The tree as data: what holds of it whatever is put in, changed and taken out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from firstboot.core.refusal import Refusal
from image.tree import Content, Entry, Extent, Kind, Tree, check_path, directory, file, symlink


@pytest.fixture
def tree() -> Tree:
    tree = Tree()
    for path, entry in (
        ("etc", directory()),
        ("etc/rc", file(b"rc")),
        ("etc/rc.d", directory()),
        ("etc/rc.d/tor", file(b"tor")),
        ("etcetera", file(b"other")),
    ):
        tree[path] = entry
    tree["sbin"] = directory()
    tree["sbin/rc"] = tree["etc/rc"]
    return tree


def test_what_is_in_no_directory_is_refused(tree: Tree) -> None:
    with pytest.raises(Refusal, match="/usr/bin: there is no directory /usr to hold it"):
        tree["usr/bin"] = directory()
    with pytest.raises(Refusal, match="which should hold it, is a file"):
        tree["etc/rc/x"] = file(b"")


def test_nothing_gets_in_through_a_symbolic_link(tree: Tree) -> None:
    tree["link"] = symlink("/etc")
    with pytest.raises(Refusal, match="/link, which should hold it, is a symlink"):
        tree["link/passwd"] = file(b"")


@pytest.mark.parametrize(
    "path", ["", "/etc", "etc/", "a//b", "..", "a/../b", "./a", ".", "a/.", "a\0b", "/"]
)
def test_a_path_is_relative_and_plain(path: str) -> None:
    with pytest.raises(Refusal, match="a path below the root"):
        Tree()[path] = file(b"")


@given(st.text(max_size=12))
def test_a_good_path_has_no_other_spelling(path: str) -> None:
    good = True
    try:
        check_path(path)
    except Refusal:
        good = False
    parts = path.split("/")
    assert good == ("\0" not in path and all(part not in ("", ".", "..") for part in parts))


def test_a_directory_goes_with_what_is_below_it(tree: Tree) -> None:
    del tree["etc"]
    assert sorted(tree) == ["etcetera", "sbin", "sbin/rc"]


def test_dropping_one_name_of_a_file_leaves_the_other(tree: Tree) -> None:
    del tree["etc/rc"]
    assert tree["sbin/rc"].content.read() == b"rc"


def test_replacing_one_name_of_a_file_leaves_the_other(tree: Tree) -> None:
    tree["etc/rc"] = file(b"new")
    assert tree["sbin/rc"].content.read() == b"rc"


def test_amending_one_name_of_a_file_amends_the_others(tree: Tree) -> None:
    tree.amend("sbin/rc", mode=0o500, flags=0x20000)
    assert tree["etc/rc"] is tree["sbin/rc"]
    assert (tree["etc/rc"].mode, tree["etc/rc"].flags) == (0o500, 0x20000)
    assert tree["etc/rc"].content.read() == b"rc"


def test_two_equal_files_are_still_two(tree: Tree) -> None:
    tree["a"], tree["b"] = file(b"rc"), file(b"rc")
    tree.amend("a", mode=0)
    assert tree["b"].mode == 0o644


def test_children_are_listed_by_directory_and_sorted(tree: Tree) -> None:
    names = {path: [name for name, _ in found] for path, found in tree.children().items()}
    assert names == {
        "": ["etc", "etcetera", "sbin"],
        "etc": ["rc", "rc.d"],
        "etc/rc.d": ["tor"],
        "sbin": ["rc"],
    }


def test_below_is_everything_under_a_directory(tree: Tree) -> None:
    assert tree.below("etc") == ["etc/rc", "etc/rc.d", "etc/rc.d/tor"]
    assert len(tree.below("")) == len(tree)


def test_content_is_read_from_where_it_lies(tmp_path: Path) -> None:
    origin = tmp_path / "contents"
    origin.write_bytes(b"0123456789")
    content = Content(8, (Extent(1, 3, origin, 4), Extent(6, 1, b"abc", 2)))
    assert content.read() == b"\x00456\0\0c\0"


def test_an_origin_that_became_shorter_is_noticed(tmp_path: Path) -> None:
    origin = tmp_path / "contents"
    origin.write_bytes(b"01")
    with pytest.raises(EOFError, match="shorter than its tree says"):
        Content(3, (Extent(0, 3, origin),)).read()


def test_a_symbolic_link_is_as_long_as_its_target_in_utf_8() -> None:
    assert symlink("naïve/\udcff").size == 8


NAMES = st.sampled_from(["a", "b", "a/a", "a/b", "b/a", "a/a/a", "a/a/b", "ab"])


class Trees(RuleBasedStateMachine):
    """Whatever is done to a tree, every parent is a directory of it."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = Tree()

    @rule(path=NAMES, kind=st.sampled_from(Kind))
    def put(self, path: str, kind: Kind) -> None:
        above = path.rpartition("/")[0]
        held = not above or (above in self.tree and self.tree.is_directory(above))
        covers = kind is not Kind.DIRECTORY and bool(self.tree.below(path))
        try:
            self.tree[path] = Entry(kind, 0o644)
        except Refusal:
            assert covers or not held
        else:
            assert held
            assert not covers

    @rule(path=NAMES)
    def take(self, path: str) -> None:
        self.tree.pop(path, None)

    @invariant()
    def parents_are_directories(self) -> None:
        assert sum(map(len, self.tree.children().values())) == len(self.tree)
        for path in self.tree:
            assert self.tree.is_directory(path.rpartition("/")[0])


test_trees = Trees.TestCase
