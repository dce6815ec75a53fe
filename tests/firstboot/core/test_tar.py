"""What tarfile writes is read as it reads it, and what is made to do harm is refused at once."""

import io
import itertools
import tarfile
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core import tar
from firstboot.core.damaged import Damaged
from firstboot.core.limits import Tar

BOUNDS = Tar(
    members=100,
    names=20_000,
    path=1024,
    target=1023,
    records=4096,
    facts=500,
    holes=1 << 20,
    spans=100,
)
FORMATS = [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]
END = bytes(1024)

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1)
paths = st.lists(names, min_size=1, max_size=4).map("/".join).filter(lambda one: len(one) < 200)


def written(items: Iterable[tuple[tarfile.TarInfo, bytes]], form: int) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=form, errors="surrogateescape") as writer:
        for info, data in items:
            info.size = len(data)
            writer.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def read(data: bytes, bounds: Tar = BOUNDS) -> list[tuple[tar.Header, bytes]]:
    return [
        (header, tar.whole(content)) for header, content in tar.members(io.BytesIO(data), bounds)
    ]


def member(name: str = "a", data: bytes = b"", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    for key, value in facts.items():
        setattr(info, key, value)
    return info, data


@st.composite
def items(draw: st.DrawFn) -> tuple[tarfile.TarInfo, bytes]:
    kind = draw(st.sampled_from([tar.FILE, tar.HARD_LINK, tar.SYMBOLIC_LINK, tar.DIRECTORY]))
    return member(
        draw(paths),
        draw(st.binary(max_size=1500)) if kind == tar.FILE else b"",
        type=kind,
        linkname=draw(paths) if kind in (tar.HARD_LINK, tar.SYMBOLIC_LINK) else "",
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(st.integers(0, 2**32 - 1)),
        gid=draw(st.integers(0, 2**32 - 1)),
        uname=draw(st.sampled_from(["", "root", "_tor", "Gr\u00f6\u00dfe"])),
        mtime=draw(st.integers(0, tar.LATEST)),
    )


@given(st.lists(items(), max_size=5), st.sampled_from(FORMATS[1:]))
def test_what_tarfile_writes_is_read_as_tarfile_reads_it(
    given_: list[tuple[tarfile.TarInfo, bytes]], form: int
) -> None:
    data = written(given_, form)
    found = read(data)
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        expected = archive.getmembers()
    assert len(found) == len(expected) == len(given_)
    for (header, content), info, (_, said) in zip(found, expected, given_, strict=True):
        assert header.name.rstrip("/") == info.name
        assert content == said
        assert (header.mode, header.uid, header.gid) == (info.mode, info.uid, info.gid)
        assert (header.owner, header.group) == (info.uname, info.gname)
        assert (header.mtime, header.target) == (info.mtime, info.linkname)
        assert header.type == info.type


def test_a_name_of_two_parts_is_one_name() -> None:
    path = "x" * 120 + "/" + "y" * 90
    ((header, _),) = read(written([member(path)], tarfile.USTAR_FORMAT))
    assert header.name == path


def test_contents_may_be_passed_over() -> None:
    data = written([member("a", b"1" * 3000), member("b", b"2")], tarfile.PAX_FORMAT)
    assert [header.name for header, _ in tar.members(io.BytesIO(data), BOUNDS)] == ["a", "b"]


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 7))


def test_a_stream_may_give_few_bytes_at_a_time() -> None:
    data = written([member("a", b"1" * 3000), member("b" * 300, b"2")], tarfile.PAX_FORMAT)
    found = [(h.name, tar.whole(c)) for h, c in tar.members(Trickle(data), BOUNDS)]
    assert found == [("a", b"1" * 3000), ("b" * 300, b"2")]


def head(name: bytes = b"a", kind: bytes = b"0", size: int | bytes = 0, **fields: bytes) -> bytes:
    """A header with any field as it is wanted, and the checksum that fits it."""
    number = size if isinstance(size, bytes) else b"%011o\0" % size
    block = bytearray(512)
    places = {"name": 0, "mode": 100, "uid": 108, "gid": 116, "size": 124, "mtime": 136,
              "kind": 156, "link": 157, "magic": 257, "uname": 265, "prefix": 345}  # fmt: skip
    usual = {"mode": b"0000644\0", "uid": b"0000000\0", "gid": b"0000000\0",
             "mtime": b"00000000000\0", "magic": b"ustar\x0000"}  # fmt: skip
    for field, value in {**usual, **fields, "name": name, "kind": kind, "size": number}.items():
        block[places[field] : places[field] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // 512) * 512, b"\0")


def pax(*records: tuple[bytes, bytes]) -> bytes:
    """An extended header with the records."""
    data = b""
    for key, value in records:
        length = len(key) + len(value) + 3
        while length != len(str(length)) + len(key) + len(value) + 3:
            length = len(str(length)) + len(key) + len(value) + 3
        data += b"%d %s=%s\n" % (length, key, value)
    return head(b"PaxHeaders/a", b"x", len(data)) + padded(data)


def base256(number: int, length: int = 12) -> bytes:
    return b"\x80" + number.to_bytes(length - 1, "big")


SPARSE = ((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"s"))


def sparse(realsize: bytes, places: bytes, data: bytes = b"") -> bytes:
    body = padded(places) + data
    records = pax(*SPARSE, (b"GNU.sparse.realsize", realsize))
    return records + head(size=len(body)) + padded(body) + END


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (head(size=base256(2**62)) + END, "ends early"),
        (head(size=base256(2**87)) + END, "ends early"),
        (head(size=b"\xff" * 12) + END, "size is no number"),
        (head(size=b"-0000000001\0") + END, "size is no number"),
        (head(size=b"0x000000012\0") + END, "size is no number"),
        (head(kind=b"L", size=base256(8 << 30)), "an extended header has 8589934592 bytes"),
        (head(kind=b"K", size=base256(8 << 30)), "an extended header has 8589934592 bytes"),
        (head(kind=b"x", size=base256(8 << 30)), "an extended header has 8589934592 bytes"),
        (head(kind=b"g", size=10) + bytes(512), "a header for all members"),
        (pax((b"path", b"a")) * 2 + head() + END, "two extended headers of one kind"),
        (pax((b"path", b"a")) + END, "followed by nothing"),
        (pax((b"path", b"x" * 1025)) + head() + END, "a name has 1025 bytes"),
        (pax((b"path", b"a\0b")) + head() + END, "or a NUL"),
        (pax((b"linkpath", b"x" * 1024)) + head(kind=b"2") + END, "a target has 1024 bytes"),
        (pax((b"size", b"99999999999999999999")) + head() + END, "size is no number"),
        (pax((b"size", b"-1")) + head() + END, "size is no number"),
        (pax((b"size", b"1e3")) + head() + END, "size is no number"),
        (pax((b"mtime", b"1e300")) + head() + END, "time is not between"),
        (pax((b"mtime", b"nan")) + head() + END, "time is not between"),
        (pax((b"mtime", b"-1")) + head() + END, "time is not between"),
        (pax((b"mtime", b"17179869185")) + head() + END, "time is not between"),
        (head(mtime=base256(2**40)) + END, "time is not between"),
        (pax((b"uid", b"x")) + head() + END, "uid is no number"),
        (head(kind=b"1", link=b"b", size=5) + padded(b"hello") + END, "is no file, and still"),
        (head(kind=b"2", link=b"b", size=5) + padded(b"hello") + END, "is no file, and still"),
        (head(kind=b"5", size=5) + padded(b"hello") + END, "is no file, and still"),
        (head(b"a/") + END, "a file with the name of a directory"),
        (head(magic=b"\0" * 8) + END, "is not one of tar"),
        (head()[:148] + b"0000001\0" + head()[156:] + END, "the checksum of a member's header"),
        (head() + bytes(512), "has no end"),
        (head(), "has no end"),
        (head(size=5) + b"hello", "ends early"),
        (head() + END + b"x", "something follows its end"),
        (head() + bytes(512) + head() + END, "something follows its end"),
        (b"", "has no end"),
        (head() * 101 + END, "more than 100 members"),
        ((pax((b"path", b"x" * 1000)) + head()) * 21 + END, "20000 characters together"),
        (head(kind=b"x", size=3) + padded(b"9 a") + head() + END, "not made of records"),
        (head(kind=b"x", size=6) + padded(b"0 a=b\n") + head() + END, "not made of records"),
        (head(kind=b"x", size=6) + padded(b"6 a=b ") + head() + END, "not made of records"),
        (head(kind=b"x", size=6) + padded(b"6 =ab\n") + head() + END, "not made of records"),
        (head(kind=b"x", size=6) + padded(b"-6a=b\n") + head() + END, "not made of records"),
        (pax((b"GNU.sparse.map", b"0,1")) + head(size=1) + padded(b"x") + END, "of an old form"),
        (pax((b"GNU.sparse.major", b"0")) + head() + END, "of an old form"),
        (sparse(b"99999999999999", b"1\n0\n1\n", b"x"), "bytes of nothing"),
        (sparse(b"2000000", b"0\n"), "bytes of nothing"),
        (sparse(b"4", b"99\n"), "without a map"),
        (sparse(b"4", b"101\n"), "in more places than the 100 left"),
        (sparse(b"60", b"60\n" + b"0\n" * 120)[:-1024] * 2, "in more places than the 40 left"),
        (pax((b"path", b"a"), (b"path", b"b")) + head() + END, "has 'path' twice"),
        ((pax(*((b"k%d" % n, b"") for n in range(300))) + head()) * 2 + END, "500 records"),
        (sparse(b"4", b"x\n"), "map of no numbers"),
        (sparse(b"4", b"1\n0\n-1\n"), "map of no numbers"),
        (sparse(b"4", b"1\n0\n8\n", b"12345678"), "does not fit its data"),
        (sparse(b"9", b"2\n4\n4\n0\n4\n", b"12345678"), "does not fit its data"),
        (sparse(b"9", b"1\n0\n4\n", b"12345678"), "does not fit its data"),
        (sparse(b"x", b"1\n0\n8\n", b"12345678"), "of an old form"),
    ],
    ids=itertools.count(1),
)  # fmt: skip
def test_what_is_no_honest_archive_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(Damaged, match=complaint):
        read(data)


def test_a_sparse_file_is_read_whole() -> None:
    data = sparse(b"1024", b"2\n0\n4\n1020\n4\n", b"headtail")
    ((header, content),) = read(data)
    assert (header.name, header.size) == ("s", 1024)
    assert content == b"head" + bytes(1016) + b"tail"
    assert not any(key.startswith("GNU.sparse") for key in header.records)


@given(st.binary(max_size=2000))
def test_bytes_are_members_or_refused(data: bytes) -> None:
    with pytest.raises(Damaged):
        read(data)


@given(st.data())
def test_altered_bytes_are_members_or_refused(draw: st.DataObject) -> None:
    extended = pax((b"path", b"long"), (b"SCHILY.fflags", b"schg"))
    holey = sparse(b"1024", b"2\n0\n4\n1020\n4\n", b"headtail")
    data = bytearray(extended + head(size=3) + padded(b"abc") + holey)
    places = st.integers(0, len(data) - 1)
    changes = draw.draw(st.dictionaries(places, st.integers(0, 255), max_size=6))
    for at, value in changes.items():
        data[at] = value
    try:
        found = read(bytes(data))
    except Damaged:
        return
    assert sum(len(content) for _, content in found) < 4096
