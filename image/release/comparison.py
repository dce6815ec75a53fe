"""Compares two builds bit by bit, and finds the first difference."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from firstboot.core.refusal import Refusal
from image import gpt
from image.build import BESIDE
from image.progress import Advance, step

CHUNK = 1 << 20


def compare(first: Path, second: Path) -> None:
    """Raises Refusal unless two images and the files beside them are identical. It names the first
    fact or file in which the manifests differ, and the first byte in which the images differ."""
    size = first.stat().st_size
    with step("Compare the two images", size) as advance:
        at = _difference(first, second, advance)
    if at is not None:
        one, other = (
            json.loads(path.with_suffix(".json").read_bytes()) for path in (first, second)
        )
        raise differ(first, ", ".join([*_fact(one, other), _place(first, at)]))
    for end in BESIDE:
        compare_files(first.with_suffix(end), second.with_suffix(end))


def compare_files(first: Path, second: Path, starts: tuple[int, int] = (0, 0)) -> None:
    """Raises Refusal unless two files are identical from these bytes on. It names the first byte
    that differs, and of manifests the first fact."""
    at = _difference(first, second, starts=starts)
    if at is not None:
        facts: list[str] = []
        if first.suffix == ".json":
            with suppress(ValueError):
                facts = list(_fact(*(json.loads(path.read_bytes()) for path in (first, second))))
        raise differ(first, ", ".join([*facts, f"byte {at}"]))


def _difference(
    first: Path,
    second: Path,
    advance: Advance = lambda _: None,
    starts: tuple[int, int] = (0, 0),
) -> int | None:
    """Return the offset in `first` of the first byte that differs, or None."""
    at = starts[0]
    with first.open("rb") as one, second.open("rb") as other:
        one.seek(starts[0])
        other.seek(starts[1])
        while True:
            data, same = one.read(CHUNK), other.read(CHUNK)
            if data != same:
                pairs = enumerate(zip(data, same, strict=False))
                alike = min(len(data), len(same))
                return at + next((n for n, (a, b) in pairs if a != b), alike)
            if not data:
                return None
            at += len(data)
            advance(len(data))


def _fact(one: Any, other: Any) -> Iterator[str]:
    """Yield the keys that lead to the first difference of two manifests."""
    if isinstance(one, list) and isinstance(other, list):
        one, other = dict(enumerate(one)), dict(enumerate(other))
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *other]:
            if one.get(key) != other.get(key):
                yield str(key)
                yield from _fact(one.get(key), other.get(key))
                return


def _place(image: Path, at: int) -> str:
    """Return the partition that byte `at` of an image is in, and the offset there."""
    for one in gpt.read(image).partitions:
        offset = at - one.first_lba * gpt.BLOCK
        if 0 <= offset < one.blocks * gpt.BLOCK:
            return f"partition {one.label}, byte {offset}"
    return f"byte {at}, outside of all partitions"


def differ(path: Path, where: str) -> Refusal:
    return Refusal(
        path.name,
        f"two builds in different places differ, first in {where}",
        "Find what the build takes from its surroundings. Do not use either",
    )
