"""The store of unpacked archives: the files of a set or package that a build needs, uncompressed.

An unpacked archive is a folder of the cache with two files: `contents`, the kept files' bytes one
after the other, and `members`, one JSON list a member below a first line with the SHA-256 of the
rest. Its name is derived from all that decides its content, so it is never stale, only unused.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import IO

from firstboot.core.limits import SMALL_MEMBER
from firstboot.core.refusal import Refusal
from firstboot.core.tar import Content
from image import archive
from image.archive import Form, Member, Source
from image.tree import Kind

FORMAT = 3
"""Part of every name; raise it when `Member` or the reading of archives changes."""

UNUSED_DAYS = 14
"""Days after which an unpacked archive that no build has used is removed."""

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A set or package in the store. `digest` is the SHA-256 that `contents` has to have."""

    members: list[Member]
    contents: Path
    digest: str
    fresh: bool
    """Whether this call unpacked it, so that its contents need no second verification."""

    def read(self, path: str) -> bytes:
        """The content of the small file at `path`. Raises KeyError if there is none, and Refusal if
        it is not small."""
        for member in self.members:
            if member.path == path and member.kind is Kind.FILE:
                if member.size > SMALL_MEMBER:
                    raise Refusal(
                        f"/{path}",
                        f"the file has {member.size} bytes, and {SMALL_MEMBER} are the most",
                        "Do not use this set or package. Fetch it again from a source that you "
                        "trust",
                    )
                with self.contents.open("rb") as file:
                    file.seek(member.offset)
                    return file.read(member.size)
        raise KeyError(path)

    def verify(self) -> None:
        """Hash the contents. If they have changed, remove them and raise Refusal."""
        with self.contents.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.digest:
            shutil.rmtree(self.contents.parent, ignore_errors=True)
            raise Refusal(
                self.contents,
                f"the cache was damaged (SHA-256 {found[:16]}... instead of "
                f"{self.digest[:16]}...); the damaged part is removed now",
                "Run the same command again",
            )


def unpack(
    source: Source,
    sha256: str,
    drop: Callable[[str], bool],
    drop_key: str,
    cache: Path,
    advance: Callable[[int], None] = lambda _: None,
    form: Form = Form.SET,
    check: Callable[[Unpacked], object] = lambda _: None,
) -> Unpacked:
    """The archive `source`, whose verified digest is `sha256`, without what `drop` says.

    `drop_key` stands for all that `drop` and `check` go by. Taken from `cache` if it is there,
    otherwise unpacked into it, and kept there only if `check` does not raise. Raises Refusal for a
    bad archive, OSError from writing.
    """
    key = hashlib.sha256(f"{FORMAT}\n{sha256}\n{drop_key}".encode()).hexdigest()[:32]
    shelf = cache / "unpacked"
    place = shelf / key
    if (known := _load(place)) is not None:
        return known
    shelf.mkdir(parents=True, exist_ok=True)
    _remove_unused(shelf)
    work = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=shelf))
    try:
        with (work / "contents").open("wb", buffering=CHUNK) as file:
            contents = _Contents(file)
            members = archive.read(source, drop, contents, advance, form)
        digest = contents.digest.hexdigest()
        check(Unpacked(members, work / "contents", digest, fresh=True))
        _save(work / "members", members, digest)
        try:
            work.rename(place)
        except OSError:
            if (known := _load(place)) is not None:
                return known
            place.rename(work / "damaged")
            work.rename(place)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(place / "damaged", ignore_errors=True)
    return Unpacked(members, place / "contents", digest, fresh=True)


class _Contents:
    """The file of contents while it is written, and its digest so far."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._length = 0
        self.digest = hashlib.sha256()

    def append(self, source: Content, size: int) -> int:
        offset = self._length
        while self._length < offset + size:
            chunk = source.read(min(CHUNK, offset + size - self._length))
            if not chunk:
                raise EOFError("a file ends early")
            self._file.write(chunk)
            self.digest.update(chunk)
            self._length += len(chunk)
        return offset


def _save(path: Path, members: list[Member], digest: str) -> None:
    lines = [json.dumps(digest)]
    for member in members:
        fields = list(astuple(member))
        fields[1] = member.kind.value
        fields[7] = {name: value.hex() for name, value in member.attributes.items()}
        lines.append(json.dumps(fields))
    body = "\n".join(lines).encode()
    path.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def _load(place: Path) -> Unpacked | None:
    """The unpacked set at `place`; None where there is none, or only a damaged one."""
    try:
        check, _, body = (place / "members").read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != check:
            return None
        digest, *rows = json.loads(b"[" + body.replace(b"\n", b",") + b"]")
        os.utime(place / "members")
        length = (place / "contents").stat().st_size
    except OSError:
        return None
    members = []
    for row in rows:
        row[1] = Kind(row[1])
        if row[7]:
            row[7] = {name: bytes.fromhex(value) for name, value in row[7].items()}
        members.append(Member(*row))
    if length < max((member.offset + member.size for member in members), default=0):
        return None
    return Unpacked(members, place / "contents", digest, fresh=False)


def _remove_unused(shelf: Path) -> None:
    oldest = time.time() - UNUSED_DAYS * 86400
    for place in shelf.iterdir():
        try:
            used = max(entry.stat().st_mtime for entry in (place, *place.iterdir()))
        except (OSError, ValueError):
            continue
        if used < oldest:
            shutil.rmtree(place, ignore_errors=True)
