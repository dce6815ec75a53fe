"""Whether two builds are the same to the bit; if not, where the first difference is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firstboot.core.refusal import Refusal
from image import gpt
from image.build import BESIDE
from image.progress import Advance, step

CHUNK = 1 << 20


def compare(first: Path, second: Path) -> None:
    """Raises Refusal unless the images `first` and `second`, and what lies beside them, are the
    same. It names the first fact or file that the manifests tell differently, and the first
    byte."""
    size = first.stat().st_size
    with step("Compare the two images", size) as tell:
        at = _difference(first, second, tell)
    if at is not None:
        one, other = (
            json.loads(path.with_suffix(".json").read_bytes()) for path in (first, second)
        )
        raise _differ(first, ", ".join([*_fact(one, other), _place(first, at)]))
    for end in BESIDE:
        at = _difference(first.with_suffix(end), second.with_suffix(end))
        if at is not None:
            raise _differ(first.with_suffix(end), f"byte {at}")


def _difference(first: Path, second: Path, tell: Advance = lambda _: None) -> int | None:
    """The first byte that is not in both files alike."""
    at = 0
    with first.open("rb") as one, second.open("rb") as other:
        while True:
            data, same = one.read(CHUNK), other.read(CHUNK)
            if data != same:
                pairs = enumerate(zip(data, same, strict=False))
                alike = min(len(data), len(same))
                return at + next((n for n, (a, b) in pairs if a != b), alike)
            if not data:
                return None
            at += len(data)
            tell(len(data))


def _fact(one: Any, other: Any) -> Iterator[str]:
    """The keys that lead to the first thing that two manifests tell differently."""
    if isinstance(one, list) and isinstance(other, list):
        one, other = dict(enumerate(one)), dict(enumerate(other))
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *other]:
            if one.get(key) != other.get(key):
                yield str(key)
                yield from _fact(one.get(key), other.get(key))
                return


def _place(image: Path, at: int) -> str:
    """Where byte `at` of an image is."""
    for one in gpt.read(image).partitions:
        offset = at - one.first_lba * gpt.BLOCK
        if 0 <= offset < one.blocks * gpt.BLOCK:
            return f"partition {one.label}, byte {offset}"
    return f"byte {at}, outside of all partitions"


def _differ(path: Path, where: str) -> Refusal:
    return Refusal(
        path.name,
        expected="the same bytes from two builds in different places",
        found=f"the first difference in {where}",
        remedy="find what the build takes from its surroundings; nothing was released",
    )
