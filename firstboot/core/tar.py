"""Reads tar archives of unknown origin, one member after the other.

Nothing is believed: a size is only as large as what is left of the stream, a name, a record or a
count has a limit, and a part with two meanings is refused. So the reader keeps no more than a
header, and ends where its stream ends.

The format is ustar (POSIX.1-1988), with the extended headers of pax (POSIX.1-2001), and GNU's long
names, numbers in base 256 and sparse files of version 1.0, which bsdtar writes too: tar(5). Global
headers, and sparse files of the older forms, are refused.
"""

import re
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol

from firstboot.core.damaged import Damaged
from firstboot.core.limits import Tar

BLOCK = 512
CHUNK = 1 << 20
"""Bytes read at a time."""

FILE, HARD_LINK, SYMBOLIC_LINK, DIRECTORY = b"0", b"1", b"2", b"5"
"""Type flags. Others may be in an archive too."""

LATEST = 1 << 34
"""Seconds since 1970; in the year 2514."""

_HEADER = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s16x155s12x")
_CHECKSUM = slice(148, 156)
_POSIX, _GNU = b"ustar\x0000", b"ustar  \0"
_EXTENDED, _LONG_NAME, _LONG_TARGET = b"x", b"L", b"K"
_GLOBAL = b"g"

_OCTAL = re.compile(rb"[ \0]*([0-7]{0,12})[ \0]*")
_DECIMAL = re.compile(rb"[0-9]{1,19}")
_TIME = re.compile(rb"([0-9]{1,19})(\.[0-9]*)?")
_SPARSE = frozenset(
    {"GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.name", "GNU.sparse.realsize"}
)


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Content(Protocol):
    """What a member holds. It is read before the next member is asked for, or passed over."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Header:
    """What an archive says of a member. `type` is its type flag, `size` what is read of it, and
    `target` what a link leads to. `mtime` is in seconds since 1970. Names are UTF-8, with lone
    surrogates for other bytes. `records` are those of pax for this member alone."""

    name: str
    type: bytes
    size: int
    mode: int
    uid: int
    gid: int
    owner: str
    group: str
    mtime: int
    target: str
    records: Mapping[str, bytes] = field(default_factory=dict)


def members(stream: Stream, bounds: Tar) -> Iterator[tuple[Header, Content]]:
    """Yield the members of the archive that `stream` is. Raises Damaged."""
    source = _Source(stream)
    count = names = facts = spans = 0
    holes = bounds.holes
    while (header := _header(source, bounds)) is not None:
        count += 1
        names += len(header.name) + len(header.target)
        facts += len(header.records)
        if count > bounds.members:
            raise Damaged(f"it has more than {bounds.members} members")
        if names > bounds.names:
            raise Damaged(f"its names have more than {bounds.names} characters together")
        if facts > bounds.facts:
            raise Damaged(f"it has more than {bounds.facts} records in extended headers")
        packed = _Packed(source, header.size)
        if "GNU.sparse.major" in header.records:
            sparse = _sparse(packed, header, bounds.spans - spans)
            spans += sparse.spans
            holes -= sparse.holes
            if holes < 0:
                raise Damaged(f"its sparse files have more than {bounds.holes} bytes of nothing")
            yield _without_sparse(header, sparse.size), sparse
        else:
            yield header, packed
        packed.skip()
    source.finish()


def whole(content: Content) -> bytes:
    """Return all that `content` still has. The caller has looked at its size."""
    data = BytesIO()
    while part := content.read(CHUNK):
        data.write(part)
    return data.getvalue()


class _Source:
    """The stream, read in exact lengths."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def some(self, size: int, otherwise: str = "it ends early") -> bytes:
        """Up to `size` bytes, at least one. Raises Damaged at the end, which says `otherwise`."""
        data = self._stream.read(size)
        if not data:
            raise Damaged(otherwise)
        return data

    def exactly(self, size: int, otherwise: str = "it ends early") -> bytes:
        data = self.some(size, otherwise)
        while len(data) < size:
            data += self.some(size - len(data), otherwise)
        return data

    def block(self) -> bytes:
        return self.exactly(BLOCK, "it has no end, so it was cut off between two members")

    def finish(self) -> None:
        """Read what comes after the first of the two blocks of zeros that end an archive, which
        may be more of them. Raises Damaged for anything else."""
        ending = self.block()
        while ending:
            if ending.count(0) != len(ending):
                raise Damaged("something follows its end")
            ending = self._stream.read(CHUNK)


class _Packed:
    """The bytes of a member as they are in the archive."""

    def __init__(self, source: _Source, size: int) -> None:
        self._source = source
        self._left = size
        self._padding = -size % BLOCK

    def read(self, size: int, /) -> bytes:
        data = self._source.some(min(size, self._left)) if size and self._left else b""
        self._left -= len(data)
        return data

    def skip(self) -> None:
        while self._left:
            self.read(CHUNK)
        if self._padding:
            self._source.exactly(self._padding)

    @property
    def left(self) -> int:
        return self._left


class _Sparse:
    """The bytes of a sparse file, with zeros where the archive has nothing of it."""

    def __init__(self, packed: _Packed, spans: list[tuple[int, int]], size: int) -> None:
        self.size = size
        self.spans = len(spans)
        self.holes = size - sum(length for _, length in spans)
        self._packed = packed
        self._spans = deque([*spans, (size, 0)])
        self._at = 0

    def read(self, size: int, /) -> bytes:
        while self._spans:
            start, length = self._spans[0]
            if self._at < start:
                zeros = bytes(min(size, start - self._at, CHUNK))
                self._at += len(zeros)
                return zeros
            if left := start + length - self._at:
                data = self._packed.read(min(size, left))
                self._at += len(data)
                return data
            self._spans.popleft()
        return b""


def _header(source: _Source, bounds: Tar) -> Header | None:
    """Return the next member's header with all that extends it; None at the end."""
    extensions: dict[bytes, bytes] = {}
    while True:
        block = source.block()
        if not block.strip(b"\0"):
            if extensions:
                raise Damaged("an extended header is followed by nothing")
            return None
        fields = _fields(block)
        kind, size = fields[7], _number(fields[4], "size")
        if kind in extensions:
            raise Damaged("a member has two extended headers of one kind")
        if kind == _EXTENDED:
            extensions[kind] = _extension(source, size, bounds.records)
        elif kind in (_LONG_NAME, _LONG_TARGET):
            extensions[kind] = _extension(source, size, bounds.path + 1)
        elif kind == _GLOBAL:
            raise Damaged("it has a header for all members, as no archive of this kind has")
        else:
            return _member(fields, extensions, bounds)


def _fields(block: bytes) -> tuple[bytes, ...]:
    """Return the fields of a header, verified by its checksum."""
    fields = _HEADER.unpack(block)
    if fields[9] not in (_POSIX, _GNU):
        raise Damaged("a member's header is not one of tar")
    others = sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" ")
    if _number(fields[6], "checksum") != others:
        raise Damaged("the checksum of a member's header is wrong")
    return fields


def _extension(source: _Source, size: int, largest: int) -> bytes:
    if size > largest:
        raise Damaged(f"an extended header has {size} bytes, and {largest} are the most")
    data = source.exactly(size) if size else b""
    if padding := -size % BLOCK:
        source.exactly(padding)
    return data


def _member(fields: tuple[bytes, ...], extensions: Mapping[bytes, bytes], bounds: Tar) -> Header:
    name, mode, uid, gid, size, mtime, _, kind, target, magic, owner, group, prefix = fields
    records = _records(extensions.get(_EXTENDED, b""))
    if magic == _POSIX and prefix.strip(b"\0"):
        name = _cut(prefix) + b"/" + _cut(name)
    name = extensions.get(_LONG_NAME, name)
    name = records.get("GNU.sparse.name") or records.get("path") or _cut(name)
    target = records.get("linkpath") or _cut(extensions.get(_LONG_TARGET, target))
    for what, text, most in (("name", name, bounds.path), ("target", target, bounds.target)):
        if len(text) > most or b"\0" in text:
            raise Damaged(f"a {what} has {len(text)} bytes or a NUL, and {most} are the most")
    header = Header(
        _text(name),
        FILE if kind == b"\0" else kind,
        _recorded(records, "size", size),
        _number(mode, "mode") & 0o7777,
        _recorded(records, "uid", uid),
        _recorded(records, "gid", gid),
        _text(records.get("uname", _cut(owner))),
        _text(records.get("gname", _cut(group))),
        _time(records.get("mtime"), mtime),
        _text(target),
        records,
    )
    if header.type in (HARD_LINK, SYMBOLIC_LINK, DIRECTORY) and header.size:
        raise Damaged(f"{header.name!r} is no file, and still has {header.size} bytes")
    if header.type == FILE and header.name.endswith("/"):
        raise Damaged(f"{header.name!r} is a file with the name of a directory")
    return header


def _records(data: bytes) -> dict[str, bytes]:
    """Return the records of an extended header of pax, each ``LENGTH NAME=VALUE\\n``."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(data):
        length = data[at : at + 8].partition(b" ")[0]
        end = at + int(length) if length.isdigit() else at
        key, equals, value = data[at + len(length) + 1 : end - 1].partition(b"=")
        if not equals or not key or data[end - 1 : end] != b"\n":
            raise Damaged("an extended header is not made of records")
        if (named := _text(key)) in found:
            raise Damaged(f"an extended header has {named[:64]!r} twice")
        found[named] = value
        at = end
    strange = [key for key in found if key.startswith("GNU.sparse.") and key not in _SPARSE]
    if strange:
        raise Damaged(f"it has a sparse file of an old form ({strange[0]})")
    return found


def _sparse(packed: _Packed, header: Header, most: int) -> _Sparse:
    """Read the map that comes before the data of a sparse file of version 1.0: how many spans there
    are, `most` at most, then where each begins and how long it is, a decimal number a line."""
    version = tuple(header.records.get(f"GNU.sparse.{one}") for one in ("major", "minor"))
    size = header.records.get("GNU.sparse.realsize", b"")
    if header.type != FILE or version != (b"1", b"0") or not _DECIMAL.fullmatch(size):
        raise Damaged(f"{header.name!r} is a sparse file of an old form")
    text = b""
    wanted = 1
    while text.count(b"\n") < wanted:
        if len(text) > MAP:
            raise Damaged(f"{header.name!r} is sparse in more than {MAP} bytes of places")
        if packed.left < BLOCK:
            raise Damaged(f"{header.name!r} is a sparse file without a map")
        text += _full(packed)
        first = text.partition(b"\n")[0]
        if text.count(b"\n") and _DECIMAL.fullmatch(first):
            if int(first) > most:
                raise Damaged(f"{header.name!r} is sparse in more places than the {most} left")
            wanted = 1 + 2 * int(first)
    lines = text.split(b"\n")[:wanted]
    if not all(map(_DECIMAL.fullmatch, lines)) or text.split(b"\n", wanted)[-1].strip(b"\0"):
        raise Damaged(f"{header.name!r} is a sparse file with a map of no numbers")
    numbers = list(map(int, lines[1:]))
    spans = list(zip(numbers[::2], numbers[1::2], strict=True))
    ends = [0, *(start + length for start, length in spans)]
    ordered = all(start >= end for (start, _), end in zip(spans, ends, strict=False))
    if not ordered or ends[-1] > int(size) or sum(one for _, one in spans) != packed.left:
        raise Damaged(f"{header.name!r} is a sparse file whose map does not fit its data")
    return _Sparse(packed, spans, int(size))


MAP = 1 << 18
"""Bytes of the map of a sparse file: several thousand holes."""


def _full(packed: _Packed) -> bytes:
    data = packed.read(BLOCK)
    while len(data) < BLOCK:
        data += packed.read(BLOCK - len(data))
    return data


def _without_sparse(header: Header, size: int) -> Header:
    records = {key: value for key, value in header.records.items() if key not in _SPARSE}
    return Header(
        header.name,
        header.type,
        size,
        header.mode,
        header.uid,
        header.gid,
        header.owner,
        header.group,
        header.mtime,
        header.target,
        records,
    )


def _recorded(records: Mapping[str, bytes], key: str, in_header: bytes) -> int:
    """Return the number of the record `key`; without one, that of the header."""
    value = records.get(key)
    if not value:
        return _number(in_header, key)
    if not _DECIMAL.fullmatch(value):
        raise Damaged(f"a member's {key} is no number")
    return int(value)


def _time(record: bytes | None, in_header: bytes) -> int:
    if not record:
        seconds = _number(in_header, "time")
    else:
        told = _TIME.fullmatch(record)
        seconds = int(told[1]) if told else -1
    if not 0 <= seconds <= LATEST:
        raise Damaged(f"a member's time is not between 0 and {LATEST} seconds since 1970")
    return seconds


def _number(text: bytes, what: str) -> int:
    """Read a number of a header: octal, or in base 256 behind a bit that says so."""
    if text[0] == 0x80:
        return int.from_bytes(text[1:])
    octal = _OCTAL.fullmatch(text)
    if octal is None:
        raise Damaged(f"a member's {what} is no number")
    return int(octal[1] or b"0", 8)


def _cut(text: bytes) -> bytes:
    return text.partition(b"\0")[0]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
