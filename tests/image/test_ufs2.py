"""UFS2 file systems, judged by a reader that is not ours (dissect.ffs) and by a small fsck."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dissect.ffs import FFS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from image import ufs2
from image.tree import Content, Entry, Extent, Kind, Tree, directory, file, symlink
from image.ufs2 import structs
from image.ufs2.geometry import BLOCK, FRAGMENT, Geometry
from tests.image.ufs2_check import Ufs2

MIB = 1 << 20
TIME = 1_700_000_000
PERMISSIONS = 0o7777


@contextmanager
def written(tree: Tree, size: int = 16 * MIB, **facts: str) -> Iterator[Path]:
    """A file with a file system of `tree`, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ufs"
        with path.open("wb+") as image:
            image.truncate(size)
            ufs2.write(image.fileno(), 0, size, tree, time=TIME, **facts)  # type: ignore[arg-type]
        yield path


def complaints(path: Path) -> list[str]:
    checker = Ufs2(path)
    try:
        return checker.complaints()
    finally:
        checker.close()


def assert_reads_back(path: Path, tree: Tree) -> None:
    """Every fact of `tree` is what dissect.ffs reads, and nothing else is there."""
    with path.open("rb") as image:
        ffs = FFS(image)
        seen: dict[str, int] = {}
        numbers: dict[int, int] = {}
        for name in ["", *tree]:
            entry = tree[name] if name else tree.root
            node = ffs.get(f"/{name}")
            inode = node.inode
            assert inode.di_mode & PERMISSIONS == entry.mode, name
            assert (inode.di_uid, inode.di_gid) == (entry.uid, entry.gid), name
            assert inode.di_mtime == entry.mtime, name
            assert inode.di_flags == entry.flags, name
            if entry.kind is Kind.FILE:
                assert node.size == entry.content.length, name
                assert node.open().read() == entry.content.read(), name
            elif entry.kind is Kind.SYMLINK:
                assert node.link == entry.target, name
            else:
                above = name + "/" if name else ""
                expected = {path[len(above) :] for path in tree if path.startswith(above)}
                expected = {rest for rest in expected if "/" not in rest}
                assert set(node.listdir()) - {".", ".."} == expected, name
            seen[name] = node.inum
            assert numbers.setdefault(node.inum, id(entry)) == id(entry), name
        for name in tree:
            for other in tree:
                same = tree[name] is tree[other]
                assert (seen[name] == seen[other]) == same


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40
).filter(lambda name: name not in (".", "..") and len(name.encode()) <= 255)
SIZES = st.one_of(
    st.integers(0, 3 * FRAGMENT),
    st.sampled_from(
        [BLOCK - 1, BLOCK, BLOCK + 1, 12 * BLOCK - 1, 12 * BLOCK, 12 * BLOCK + 1, 13 * BLOCK + 5]
    ),
)
FACTS = {
    "mode": st.integers(0, PERMISSIONS),
    "uid": st.integers(0, 2**32 - 1),
    "gid": st.integers(0, 2**32 - 1),
    "flags": st.sampled_from([0, 0x20000, 0x20000 | 0x800, 0x2]),
    "mtime": st.integers(0, 2**40),
    "attributes": st.dictionaries(
        st.sampled_from(["system.hbsd.pax.nomprotect", "user.note", "system.a"]),
        st.binary(max_size=5000),
        max_size=3,
    ),
}


@st.composite
def contents(draw: st.DrawFn) -> Content:
    """Dense and sparse ones; holes before, between and behind."""
    length = draw(SIZES)
    if not length or draw(st.booleans()):
        return Content.of(
            bytes(draw(st.binary(max_size=64)).ljust(64, b"x") * (length // 64 + 1))[:length]
        )
    extents = []
    at = 0
    for _ in range(draw(st.integers(0, 3))):
        at += draw(st.integers(0, 3 * BLOCK))
        size = draw(st.integers(1, 9000))
        if at + size > length:
            break
        extents.append(Extent(at, size, os.urandom(1) * size))
        at += size
    return Content(length, tuple(extents))


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    tree = Tree(directory(draw(st.integers(0, PERMISSIONS)), mtime=TIME))
    folders = [""]
    links: list[Entry] = []
    for name in draw(st.lists(NAMES, max_size=25)):
        above = draw(st.sampled_from(folders))
        path = f"{above}/{name}" if above else name
        if path in tree:
            continue
        facts = {key: draw(value) for key, value in FACTS.items()}
        kind = draw(st.sampled_from(["file", "file", "directory", "symlink", "link"]))
        if kind == "directory":
            tree[path] = Entry(Kind.DIRECTORY, **facts)  # type: ignore[arg-type]
            folders.append(path)
        elif kind == "symlink":
            target = draw(
                st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=200)
            )
            tree[path] = Entry(Kind.SYMLINK, target=target, **facts)  # type: ignore[arg-type]
        elif kind == "link" and links:
            tree[path] = draw(st.sampled_from(links))
        else:
            tree[path] = Entry(Kind.FILE, content=draw(contents()), **facts)  # type: ignore[arg-type]
            links.append(tree[path])
    return tree


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(trees())
def test_a_random_tree_survives_writing_and_reading_by_another_reader(tree: Tree) -> None:
    with written(tree) as path:
        assert_reads_back(path, tree)
        assert complaints(path) == []


def test_an_empty_file_system_is_clean_at_every_size() -> None:
    for size in (2 * MIB, 3 * MIB + 12345, 64 * MIB, 1024 * MIB, 5 * 1024 * MIB):
        with written(Tree(directory(mtime=TIME)), size) as path:
            assert path.stat().st_blocks * 512 < 2 * MIB
            assert complaints(path)[:3] == []


def test_a_directory_holds_5000_names_of_any_length() -> None:
    tree = Tree(directory(mtime=TIME))
    tree["d"] = directory(mtime=TIME)
    for at in range(5000):
        tree[f"d/{at:04}{'n' * (at % 252)}"] = file(b"%d" % at, mtime=at)
    with written(tree, 64 * MIB) as path:
        assert complaints(path) == []
        with path.open("rb") as image:
            ffs = FFS(image)
            names = {name[2:] for name in tree if "/" in name}
            assert set(ffs.get("/d").listdir()) == {".", "..", *names}
            assert ffs.get("/d/4788").open().read() == b"4788"


def test_a_name_has_255_bytes_at_most() -> None:
    tree = Tree()
    tree["é" * 127 + "e"] = file(b"")
    with written(tree) as path:
        assert complaints(path) == []
    tree["é" * 128] = file(b"")
    with pytest.raises(ValueError, match="a name of 256 bytes"), written(tree):
        pass


@pytest.mark.parametrize(
    ("at", "levels"),
    [
        (11 * BLOCK, 0),
        (12 * BLOCK, 1),
        ((12 + 4096) * BLOCK, 2),
        ((12 + 4096 + 4096**2) * BLOCK, 3),
    ],
)
def test_a_sparse_file_reaches_through_every_level_of_indirection(at: int, levels: int) -> None:
    """The last of them begins above 512 GiB."""
    tree = Tree(directory(mtime=TIME))
    tree["f"] = file(Content(at + 6, (Extent(0, 5, b"begin"), Extent(at, 6, b"finish"))))
    with written(tree) as path:
        assert complaints(path) == []
        with path.open("rb") as image:
            inode = FFS(image).get("/f").inode
            assert inode.di_size == at + 6
            used = [level for level in range(3) if inode.di_ib[level]]
            assert used == ([levels - 1] if levels else [])
            checker = Ufs2(path)
            content = {
                number * BLOCK: checker.read(address * FRAGMENT, FRAGMENT).rstrip(b"\0")
                for number, address in checker.blocks(inode.dumps())
            }
            checker.close()
            assert content == {0: b"begin", at: b"finish"}


def test_a_file_with_holes_reads_as_zeros_where_they_are() -> None:
    at = (12 + 4096) * BLOCK
    tree = Tree(directory(mtime=TIME))
    tree["f"] = file(Content(at + 6, (Extent(0, 5, b"begin"), Extent(at, 6, b"finish"))))
    with written(tree) as path, path.open("rb") as image:
        content = FFS(image).get("/f").open()
        assert content.read(8) == b"begin\0\0\0"
        content.seek(at - 3)
        assert content.read() == b"\0\0\0finish"


def test_a_file_in_blocks_of_several_cylinder_groups_is_whole(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(11 * MIB + 1234))
    tree = Tree(directory(mtime=TIME))
    tree["big"] = file(Content(11 * MIB, (Extent(0, 11 * MIB, source, 1234),)))
    with written(tree, 16 * MIB) as path:
        assert complaints(path) == []
        with path.open("rb") as image:
            assert FFS(image).get("/big").open().read() == source.read_bytes()[1234:]


def test_hard_links_across_directories_share_one_inode() -> None:
    tree = Tree(directory(mtime=TIME))
    tree["a"], tree["b"] = directory(), directory()
    tree["a/one"] = file(b"shared")
    tree["b/two"] = tree["a/one"]
    tree["b/same"] = file(b"shared")
    with written(tree) as path:
        assert_reads_back(path, tree)
        with path.open("rb") as image:
            assert FFS(image).get("/b/two").inode.di_nlink == 2


def test_targets_of_symbolic_links_lie_in_the_inode_up_to_119_bytes() -> None:
    tree = Tree(directory(mtime=TIME))
    tree["short"], tree["long"] = symlink("s" * 119), symlink("l" * 120)
    with written(tree) as path:
        assert_reads_back(path, tree)
        assert complaints(path) == []
        with path.open("rb") as image:
            ffs = FFS(image)
            assert ffs.get("/short").inode.di_blocks == 0
            assert ffs.get("/long").inode.di_blocks == FRAGMENT // 512


def test_attributes_are_written_as_extattr_h_has_them() -> None:
    """Two records: a length that is a multiple of 8, the namespace (1 user, 2 system), the padding
    after the content, the name without a zero, the content at a multiple of 8."""
    area = structs.attributes({"system.hbsd.pax.nomprotect": b"1", "user.x": b"12345678"})
    assert area == (
        b"\x28\0\0\0" b"\x02" b"\x07" b"\x13" b"hbsd.pax.nomprotect" + bytes(6) + b"1" + bytes(7)
        + b"\x10\0\0\0" b"\x01" b"\x00" b"\x01" b"x" b"12345678"
    )  # fmt: skip


def test_an_attribute_of_an_unknown_namespace_is_refused() -> None:
    tree = Tree()
    tree["f"] = file(b"", attributes={"trusted.x": b""})
    with pytest.raises(ValueError, match=r"trusted\.x"), written(tree):
        pass


def test_the_label_and_the_time_are_in_the_superblock() -> None:
    with written(Tree(directory(mtime=TIME)), label="cfg") as path:
        superblock = path.read_bytes()[65536 : 65536 + 1376]
        assert superblock[680:712].rstrip(b"\0") == b"cfg"
        assert int.from_bytes(superblock[1072:1080], "little") == TIME


def test_a_tree_that_does_not_fit_is_refused_with_what_is_missing() -> None:
    tree = Tree()
    tree["f"] = file(Content(20 * MIB, (Extent(0, 20 * MIB, bytes(20 * MIB)),)))
    with (
        pytest.raises(ValueError, match=r"[456] MiB more are needed than the 16 MiB"),
        written(tree),
    ):
        pass


@pytest.mark.parametrize("files", [0, 300, 5000])
def test_inode_blocks_are_counted_as_initialized_as_newfs_and_the_kernel_count_them(
    files: int,
) -> None:
    """Whole blocks of inodes up to the last used one, at least two (newfs(8)) and at most all. A
    smaller count lets the kernel zero inodes that are in use, a larger one makes it read blocks
    that nobody wrote (ffs_nodealloccg)."""
    tree = Tree()
    for number in range(files):
        tree[f"{number:04}"] = file(b"")
    with written(tree, 64 * MIB) as path:
        checker = Ufs2(path)
        try:
            block = checker.bsize // 256
            for used, initialized in checker.inodes_by_group():
                blocks = max(-(-used // block), 2)
                assert initialized == min(blocks * block, checker.ipg)
        finally:
            checker.close()


def test_what_is_zero_is_not_written() -> None:
    tree = Tree(directory(mtime=TIME))
    tree["f"] = file(b"x")
    with written(tree, 1024 * MIB) as path:
        assert path.stat().st_blocks * 512 < MIB


def test_progress_ends_at_what_the_files_hold(tmp_path: Path) -> None:
    tree = Tree(directory(mtime=TIME))
    for n in range(300):
        tree[f"{n}{'x' * 200}"] = file(b"content" * n, mtime=TIME)
    told: list[int] = []
    path = tmp_path / "ufs"
    with path.open("wb+") as image:
        image.truncate(16 * MIB)
        ufs2.write(image.fileno(), 0, 16 * MIB, tree, time=TIME, advance=told.append)
    assert sum(told) == tree.content_size > 0


def test_there_are_as_many_inodes_as_the_tree_needs() -> None:
    geometry = Geometry.of(8 * MIB, 3000)
    assert geometry.groups * geometry.group_inodes >= 3000
    tree = Tree(directory(mtime=TIME))
    for at in range(3000):
        tree[f"{at}"] = symlink("x", mtime=TIME)
    with written(tree, 8 * MIB) as path:
        assert complaints(path) == []
