"""Base sets are read in one pass, and what does not belong into a root tree is refused."""

import io
import lzma
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.limits import ATTRIBUTES, TARGET
from firstboot.core.refusal import Refusal
from firstboot.core.tar import CHUNK, Content, whole
from image import archive
from image.archive import Member
from image.tree import Kind
from tests import sets
from tests.sets import Item, Source, folder


class Kept:
    """A store in memory."""

    def __init__(self) -> None:
        self.data = bytearray()

    def append(self, source: Content, size: int) -> int:
        offset = len(self.data)
        self.data += whole(source)
        return offset


class Slow:
    """A store that keeps nothing, and has to be waited for."""

    length = 0

    def append(self, source: Content, size: int) -> int:
        time.sleep(0.5)
        offset = self.length
        while self.length < offset + size:
            self.length += len(source.read(min(CHUNK, offset + size - self.length)))
        return offset


Contents = dict[str, bytes]
Reader = Callable[..., tuple[dict[str, Member], Contents]]


def read_bytes(data: bytes, place: Path, *drop: str) -> tuple[dict[str, Member], Contents]:
    place.write_bytes(data)
    store = Kept()
    members = {one.path: one for one in archive.read(Source(place), drop.__contains__, store)}
    return members, {
        path: bytes(store.data[one.offset : one.offset + one.size]) for path, one in members.items()
    }


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    def reader(*items: Item, drop: tuple[str, ...] = ()) -> tuple[dict[str, Member], Contents]:
        return read_bytes(sets.archive(items), tmp_path / "a.txz", *drop)

    return reader


def test_every_entry_is_told_as_the_archive_has_it(read: Reader) -> None:
    members, contents = read(*sets.BASE)
    assert members["usr/bin/su"] == Member(
        "usr/bin/su",
        Kind.FILE,
        0o4555,
        "root",
        "wheel",
        0x00020800,
        1_700_000_000,
        {"system.hbsd.pax.nomprotect": b"1"},
        members["usr/bin/su"].offset,
        len(contents["usr/bin/su"]),
    )
    assert contents["usr/bin/su"] == sets.ELF_FREEBSD_AMD64 + b"su"
    assert list(members) == [item.path.removeprefix("./").strip(".") for item in sets.BASE]


def test_the_root_directory_has_the_empty_path(read: Reader) -> None:
    members, _ = read(folder(".", 0o711), folder("./etc"))
    assert members[""].mode == 0o711
    assert list(members) == ["", "etc"]


def test_owners_are_names_where_the_archive_has_names(read: Reader) -> None:
    members, _ = read(Item("./a", owner="unbound", group="operator", numbers=(0, 5)))
    assert (members["a"].owner, members["a"].group) == ("unbound", "operator")


def test_owners_are_numbers_where_the_archive_has_no_names(read: Reader) -> None:
    members, _ = read(Item("./a", owner="", group="", numbers=(59, 3_000_000_000)))
    assert (members["a"].owner, members["a"].group) == ("59", "3000000000")


def test_flags_are_the_bits_of_their_names(read: Reader) -> None:
    members, _ = read(Item("./a", headers={"SCHILY.fflags": "schg,nodump,uarch,sunlink"}))
    assert members["a"].flags == 0x00020000 | 0x1 | 0x800 | 0x00100000


def test_an_unknown_flag_is_refused(read: Reader) -> None:
    with pytest.raises(Refusal, match=r"a\.txz: './a': 'shiny' is no file flag of chflags\(1\)"):
        read(Item("./a", headers={"SCHILY.fflags": "schg,shiny"}))


@given(st.binary(min_size=1, max_size=40))
def test_attributes_keep_any_bytes(value: bytes) -> None:
    key = "SCHILY.xattr.system.x"
    item = Item("./a", headers={key: value.decode("utf-8", "surrogateescape")})
    with TemporaryDirectory() as place:
        data = lzma.compress(tar_with_bytes(item, key, value), preset=0)
        members, _ = read_bytes(data, Path(place, "a.txz"))
    assert members["a"].attributes == {"system.x": value}


def tar_with_bytes(item: Item, key: str, value: bytes) -> bytes:
    """A tar archive whose pax record `key` is `value`, which Python's writer takes as text only."""
    length = len(key) + len(value) + 3
    while length != len(str(length)) + len(key) + len(value) + 3:
        length = len(str(length)) + len(key) + len(value) + 3
    record = b"%d %s=%s\n" % (length, key.encode(), value)
    info = tarfile.TarInfo("./PaxHeaders/a")
    info.type, info.size = tarfile.XHDTYPE, len(record)
    head = info.tobuf(tarfile.USTAR_FORMAT) + record.ljust(-len(record) // 512 * -512, b"\0")
    return head + sets.tar([Item(item.path, item.data)])


def test_names_do_not_depend_on_the_locale(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = sets.archive([Item("./\udcff")])
    monkeypatch.setattr(tarfile.TarFile, "encoding", "iso8859-1")
    members, _ = read_bytes(data, tmp_path / "a.txz")
    assert list(members) == ["\udcff"]


def test_links_keep_their_targets(read: Reader) -> None:
    members, _ = read(
        Item("./s", type=tarfile.SYMTYPE, link="../outside/is/fine"),
        Item("./a", b"data"),
        Item("./b", type=tarfile.LNKTYPE, link="./a"),
    )
    assert members["s"].target == "../outside/is/fine"
    assert members["b"] == Member("b", Kind.FILE, link="a")


def test_long_and_foreign_names_are_kept(read: Reader) -> None:
    long = "/".join(["x" * 200] * 5)
    members, _ = read(Item(f"./{long}"), Item("./naïve"), Item("./\udcff"))
    assert set(members) == {long, "naïve", "\udcff"}


def test_dropped_entries_leave_nothing(read: Reader) -> None:
    members, _ = read(Item("./a", b"1"), Item("./b", b"2"), drop=("a",))
    assert list(members) == ["b"]


@pytest.mark.parametrize("dropped", ["a", "b", "c"])
def test_all_names_of_a_dropped_file_go(read: Reader, dropped: str) -> None:
    members, _ = read(
        Item("./a", b"a compiler", 0o555),
        Item("./b", type=tarfile.LNKTYPE, link="./a"),
        Item("./c", type=tarfile.LNKTYPE, link="./a"),
        Item("./d", b"something else"),
        drop=(dropped,),
    )
    assert list(members) == ["d"]


@pytest.mark.parametrize(
    "target", ["clang", "./clang", "../bin/clang", "/bin/clang", "../../../bin/clang", "/bin/cc"]
)
def test_symbolic_links_to_a_dropped_file_go(read: Reader, target: str) -> None:
    members, _ = read(
        folder("./bin"),
        Item("./bin/c++", type=tarfile.SYMTYPE, link=target),
        Item("./bin/clang", b"a compiler"),
        Item("./bin/cc", type=tarfile.LNKTYPE, link="./bin/clang"),
        Item("./bin/gone", type=tarfile.SYMTYPE, link="nothing"),
        Item("./bin/sh", b"a shell"),
        Item("./bin/shell", type=tarfile.SYMTYPE, link="sh"),
        drop=("bin/clang",),
    )
    assert list(members) == ["bin", "bin/gone", "bin/sh", "bin/shell"]


def test_progress_ends_at_the_size_of_the_file_also_where_names_are_dropped(tmp_path: Path) -> None:
    items = [
        Item("./a", b"a" * 100_000),
        *(Item(f"./{name}", type=tarfile.LNKTYPE, link="./a") for name in "bcd"),
    ]
    place = tmp_path / "a.txz"
    place.write_bytes(sets.archive(items))
    read = 0

    def advance(amount: int) -> None:
        nonlocal read
        read += amount

    archive.read(Source(place), {"a", "b"}.__contains__, Kept(), advance)
    assert read == place.stat().st_size


def test_who_gives_up_does_not_wait_for_the_rest_of_the_archive(tmp_path: Path) -> None:
    """All of it was decompressed by then: the reader itself has to ask."""
    place = tmp_path / "a.txz"
    place.write_bytes(sets.archive([Item("./a")] * 9000))
    seen = 0

    def drop(name: str) -> bool:
        nonlocal seen
        seen += 1
        time.sleep(0.5 if seen == 1 else 0)
        return True

    def advance(amount: int) -> None:
        if seen:
            raise EOFError("another set is of no use")

    with pytest.raises(Refusal, match="another set is of no use"):
        archive.read(Source(place), drop, Kept(), advance)
    assert 0 < seen <= CHUNK // tarfile.BLOCKSIZE


def test_a_hard_link_to_a_dropped_name_that_never_was_is_refused(read: Reader) -> None:
    with pytest.raises(Refusal, match="b is a hard link to nothing"):
        read(Item("./b", type=tarfile.LNKTYPE, link="./a"), drop=("a",))


@pytest.mark.parametrize(
    "name", ["../a", "/etc/passwd", "./a/../../b", "a/..", "..", "./x/../y", "//a"]
)
def test_a_name_that_leaves_the_root_is_refused(read: Reader, name: str) -> None:
    with pytest.raises(Refusal, match=r"(leaves the root|an absolute path)"):
        read(Item(name))


@pytest.mark.parametrize("target", ["../a", "/etc/passwd", "./a/../../b"])
def test_a_hard_link_that_leaves_the_root_is_refused(read: Reader, target: str) -> None:
    with pytest.raises(Refusal, match=r"(leaves the root|an absolute path)"):
        read(Item("./b", type=tarfile.LNKTYPE, link=target))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"])
def test_what_is_neither_file_nor_directory_nor_link_is_refused(read: Reader, kind: bytes) -> None:
    with pytest.raises(Refusal, match=r"a tar entry of type .*, which is neither"):
        read(Item("./dev/null", type=kind))


def test_the_refusal_of_a_hostile_name_is_printable(read: Reader) -> None:
    with pytest.raises(Refusal) as caught:
        read(Item("./\x1b[2J\n", type=tarfile.FIFOTYPE))
    assert str(caught.value).isprintable()


def test_progress_is_told_in_compressed_bytes(tmp_path: Path) -> None:
    source = Source.of(tmp_path / "a.txz", [Item("./a", bytes(300_000))])
    told: list[int] = []
    archive.read(source, lambda _: False, Kept(), told.append)
    assert sum(told) == source.path.stat().st_size


def test_a_set_far_larger_than_the_buffers_takes_little_memory(tmp_path: Path) -> None:
    big = tmp_path / "big.txz"
    with lzma.open(big, "wb", preset=0) as file:
        info = tarfile.TarInfo("./zeros")
        info.size = 64 << 20
        file.write(info.tobuf(tarfile.PAX_FORMAT))
        for _ in range(64):
            file.write(bytes(1 << 20))
        file.write(bytes(1024))
    tracemalloc.start()
    try:
        (member,) = archive.read(Source(big), lambda _: False, Slow())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert member.size == 64 << 20
    assert peak < 32 << 20


def test_a_root_that_is_no_directory_is_refused(read: Reader) -> None:
    with pytest.raises(Refusal, match=r"the root itself is a file, and not a directory"):
        read(Item(".", b"data"))
    with pytest.raises(Refusal, match=r"the root itself is a symlink"):
        read(Item("./", type=tarfile.SYMTYPE, link="elsewhere"))


def test_a_link_that_leads_further_than_a_path_can_is_refused(read: Reader) -> None:
    members, _ = read(Item("./s", type=tarfile.SYMTYPE, link="x" * TARGET))
    assert len(members["s"].target) == TARGET
    with pytest.raises(Refusal, match=r"or damaged \(a target has 5000 bytes"):
        read(Item("./s", type=tarfile.SYMTYPE, link="x" * 5000))


def test_attributes_without_end_are_refused(read: Reader) -> None:
    item = {"SCHILY.xattr.user.x": "x" * 60_000}
    with pytest.raises(Refusal, match=f"more than {ATTRIBUTES} bytes of attributes"):
        read(*(Item(f"./{n}", headers=item) for n in range(ATTRIBUTES // 60_000 + 1)))


def test_a_long_chain_of_links_to_a_dropped_file_goes_at_once(tmp_path: Path) -> None:
    """A chain of this length took minutes, backwards through the archive."""
    count = 20_000
    links = (Item(f"./l{n}", type=tarfile.SYMTYPE, link=f"l{n + 1}") for n in range(count))
    data = sets.archive([*links, Item(f"./l{count}", b"a compiler"), Item("./other")])
    began = time.process_time()
    members, _ = read_bytes(data, tmp_path / "a.txz", f"l{count}")
    assert list(members) == ["other"]
    assert time.process_time() - began < 10


SMALL = [
    folder("."),
    Item("./a", b"data" * 500, headers={"SCHILY.fflags": "schg"}),
    Item("./b", type=tarfile.LNKTYPE, link="./a"),
    Item("./" + "long" * 60, b"x"),
]
SMALL_SET = sets.archive(SMALL)
SMALL_TAR = sets.tar(SMALL)


@given(st.integers(0, len(SMALL_SET) - 1))
def test_a_set_cut_short_anywhere_is_refused(length: int) -> None:
    with TemporaryDirectory() as place, pytest.raises(Refusal, match="or damaged"):
        read_bytes(SMALL_SET[:length], Path(place, "a.txz"))


@given(st.integers(0, len(SMALL_SET) - 1), st.integers(1, 255))
def test_a_set_with_any_byte_altered_is_refused(at: int, change: int) -> None:
    data = bytearray(SMALL_SET)
    data[at] ^= change
    with TemporaryDirectory() as place, pytest.raises(Refusal):
        read_bytes(bytes(data), Path(place, "a.txz"))


@pytest.mark.parametrize("length", range(0, len(SMALL_TAR.rstrip(b"\0")) + 1024, 512))
def test_an_archive_cut_short_between_members_is_refused(length: int, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="or damaged"):
        read_bytes(lzma.compress(SMALL_TAR[:length]), tmp_path / "a.txz")


@given(st.data())
def test_any_tar_archive_gives_members_or_a_refusal(data: st.DataObject) -> None:
    raw = bytearray(SMALL_TAR)
    places = st.integers(0, len(raw) - 1)
    for at, value in data.draw(st.dictionaries(places, st.integers(0, 255), max_size=8)).items():
        raw[at] = value
    with TemporaryDirectory() as place, suppress(Refusal):
        read_bytes(lzma.compress(bytes(raw), preset=0), Path(place, "a.txz"))


@pytest.mark.parametrize(
    "headers",
    [{"mtime": "nan"}, {"mtime": "inf"}, {"size": "-1"}, {"uid": "x"}, {"GNU.sparse.map": "a"}],
)
def test_nonsense_in_pax_headers_gives_members_or_a_refusal(
    headers: dict[str, str], tmp_path: Path
) -> None:
    (key, value) = next(iter(headers.items()))
    data = lzma.compress(tar_with_bytes(Item("./a", b"data"), key, value.encode()))
    with suppress(Refusal):
        members, _ = read_bytes(data, tmp_path / "a.txz")
        assert members["a"].size >= 0


def test_a_set_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        archive.read(Source(tmp_path / "none.txz"), lambda _: False, Kept())


def test_sparse_files_of_other_tars_are_read_whole(tmp_path: Path) -> None:
    """GNU's sparse format 1.0: a map of the data comes before it."""
    map_and_data = b"2\n0\n4\n1020\n4\n".ljust(512, b"\0") + b"headtail"
    records = b"".join(
        b"%d %s=%s\n" % (len(key) + len(value) + 5, key, value)
        for key, value in (
            (b"GNU.sparse.major", b"1"),
            (b"GNU.sparse.minor", b"0"),
            (b"GNU.sparse.name", b"./hollow"),
            (b"GNU.sparse.realsize", b"1024"),
        )
    )
    info = tarfile.TarInfo("./PaxHeaders/hollow")
    info.type, info.size = tarfile.XHDTYPE, len(records)
    raw = io.BytesIO()
    raw.write(info.tobuf(tarfile.USTAR_FORMAT) + records.ljust(512, b"\0"))
    raw.write(sets.tar([Item("./GNUSparseFile.0/hollow", map_and_data), Item("./after", b"x")]))
    _, contents = read_bytes(lzma.compress(raw.getvalue()), tmp_path / "a.txz")
    assert contents == {"hollow": b"head" + bytes(1016) + b"tail", "after": b"x"}
