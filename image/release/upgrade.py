"""The upgrade file of a release: the slot of its image, in the format of
`firstboot.core.upgrade_file`.

Free blocks of the slot's file system are left out. The same image gives the same bytes if the key
signs deterministically, as Ed25519 does.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

from firstboot.core.refusal import Refusal
from firstboot.core.release_info import Stamp
from firstboot.core.upgrade_file import Manifest, Piece, Span, begin, render
from image import diff
from image.atomic_files import settle, writing
from image.flash import source
from image.flash.source import Image
from image.flash.spans import chunks, union
from image.progress import step
from image.release.compression import ZSTD_LEVEL
from image.release.sign import sign_upgrade

SLOT = "rootA"
CHUNK = 1 << 20


def write(image: Path, output: Path, key: Path | None = None) -> None:
    """Write the upgrade to `image` to `output`, signed with `key` (see `image.release.signature`).
    Without a key it has an empty signature, and no box takes it before `image.release.sign` has
    signed it.

    The image's manifest must lie beside it. Raises Refusal; an older `output` then stays.
    """
    facts = _facts(image)
    work = output.with_name(f".{output.name}.{os.getpid()}")
    with writing(output):
        try:
            work.mkdir()
            with source.open_image(image) as opened:
                manifest = _pack(opened, facts, work / "packed")
            part = work / "part"
            with part.open("xb") as into, (work / "packed").open("rb") as packed:
                into.write(begin(render(manifest), b""))
                shutil.copyfileobj(packed, into, CHUNK)
            if key is not None:
                sign_upgrade(part, key)
            settle(part, output)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _facts(image: Path) -> tuple[Stamp, dict[str, str]]:
    """Return the release and the files that the image's manifest names."""
    beside = diff.beside(image)
    try:
        told: Any = json.loads(beside.read_bytes())
        files = {
            path: str(one["sha256"]) for path, one in told["files"].items() if one["kind"] == "file"
        }
        return Stamp.parse(told["release"]), files
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise Refusal(
            beside,
            f"this is not the manifest of an image with its release and files ({error})",
            "Build the image again",
        ) from error


def _pack(opened: Image, facts: tuple[Stamp, dict[str, str]], output: Path) -> Manifest:
    start, length = opened.disk.offset(SLOT), opened.disk.length(SLOT)
    found = opened.block_map()
    spans = tuple(_within(union([*found.data, *found.zero]), start, start + length))
    size = sum(end - first for first, end in spans)
    content, packed = hashlib.sha256(), hashlib.sha256()
    settings = zstandard.ZstdCompressionParameters.from_level(ZSTD_LEVEL, write_checksum=True)
    zstd = zstandard.ZstdCompressor(compression_params=settings).compressobj(size=size)
    with output.open("xb") as into, step(f"Compress {SLOT}", size) as tell:

        def put(data: bytes) -> None:
            packed.update(data)
            into.write(data)

        for at, amount in chunks(spans, CHUNK):
            data = opened.read(at, amount)
            content.update(data)
            put(zstd.compress(data))
            tell(amount)
        put(zstd.flush())
        written = into.tell()
    stamp, files = facts
    return Manifest(
        stamp,
        length,
        tuple((first - start, end - start) for first, end in spans),
        Piece(size, content.hexdigest()),
        Piece(written, packed.hexdigest()),
        files,
    )


def _within(spans: tuple[Span, ...], low: int, high: int) -> Iterator[Span]:
    for first, end in spans:
        if max(first, low) < min(end, high):
            yield max(first, low), min(end, high)
