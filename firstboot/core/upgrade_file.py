"""The file that an upgrade is: a line, a manifest, its signature, and the content of a slot.

    exitisp-upgrade FORM MANIFEST_BYTES SIGNATURE_BYTES\\n
    the manifest, JSON
    an OpenSSH signature of the manifest (PROTOCOL.sshsig, armoured)
    the blocks of the slot that matter, one after the other, as zstd has them (RFC 8878)

The manifest has the size and the SHA-256 of the rest, compressed and not, so a signature that is
right vouches for every byte. Whoever knows a form knows nothing of a later one.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firstboot.core import bounded_json
from firstboot.core.limits import UPGRADE_MANIFEST
from firstboot.core.release_info import Stamp

FORM = 1
HEAD = re.compile(rb"exitisp-upgrade ([0-9]{1,4}) ([0-9]{1,8}) ([0-9]{1,5})\n")
LONGEST_HEAD = 64
"""Bytes."""

BLOCK = 4096
"""Bytes; spans begin and end at multiples of it."""

SUPERBLOCK = (65536, 65536 + BLOCK * 2)
"""Where a UFS2 file system has what makes it one (`SBLOCK_UFS2` and `SBLOCKSIZE`, ffs/fs.h)."""

SHA256 = re.compile(r"[0-9a-f]{64}")

Span = tuple[int, int]
"""The first byte, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes: how many there are, and their SHA-256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`slot` is the size in bytes of the partition that it is for, `content` the bytes of `spans`
    there, `packed` the same compressed. `files` has the SHA-256 of every file by its path."""

    stamp: Stamp
    slot: int
    spans: tuple[Span, ...]
    content: Piece
    packed: Piece
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Head:
    """Of the file: its form, and how long manifest and signature are in bytes."""

    form: int
    manifest: int
    signature: int
    length: int

    @property
    def content(self) -> int:
        """Where the content begins."""
        return self.length + self.manifest + self.signature


def read_head(data: bytes) -> Head | None:
    """What the first bytes of a file say; None if it is no upgrade."""
    found = HEAD.match(data)
    return Head(int(found[1]), int(found[2]), int(found[3]), found.end()) if found else None


def begin(manifest: bytes, signature: bytes) -> bytes:
    """All that comes before the content."""
    head = f"exitisp-upgrade {FORM} {len(manifest)} {len(signature)}\n".encode()
    return head + manifest + signature


def render(manifest: Manifest) -> bytes:
    facts = {
        "release": manifest.stamp.facts,
        "slot": manifest.slot,
        "spans": manifest.spans,
        "content": [manifest.content.size, manifest.content.sha256],
        "packed": [manifest.packed.size, manifest.packed.sha256],
        "files": dict(manifest.files),
    }
    return (json.dumps(facts) + "\n").encode()


def parse(data: bytes) -> Manifest:
    """Raises ValueError."""
    told = bounded_json.read(data, UPGRADE_MANIFEST)
    if not isinstance(told, dict):
        raise ValueError("no facts")
    slot, spans, files = told.get("slot"), told.get("spans"), told.get("files")
    if not isinstance(slot, int) or not isinstance(spans, list) or not isinstance(files, dict):
        raise ValueError("no slot, spans and files")
    found = tuple(_spans(spans, slot))
    content = _piece(told.get("content"))
    if sum(end - first for first, end in found) != content.size:
        raise ValueError("spans of another size than the content's")
    if not any(first <= SUPERBLOCK[0] and SUPERBLOCK[1] <= end for first, end in found):
        raise ValueError("no superblock")
    for digest in files.values():
        _piece([0, digest])
    return Manifest(
        Stamp.parse(told.get("release")), slot, found, content, _piece(told.get("packed")), files
    )


def _spans(told: list[Any], slot: int) -> list[Span]:
    at, found = 0, []
    for one in told:
        match one:
            case [int(first), int(end)] if at <= first < end <= slot:
                if first % BLOCK or end % BLOCK:
                    raise ValueError("spans that are no whole blocks")
                found.append((first, end))
                at = end
            case _:
                raise ValueError("spans that are none, or not in order")
    return found


def _piece(told: Any) -> Piece:
    match told:
        case [int(size), str(sha256)] if size >= 0 and SHA256.fullmatch(sha256):
            return Piece(size, sha256)
    raise ValueError(f"{told!r:.80} is no size and hash")
