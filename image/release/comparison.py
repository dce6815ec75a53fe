"""Whether two builds are the same to the bit; if not, where the first difference is."""

from pathlib import Path

from firstboot.refusal import Refusal
from image import diff, gpt
from image.build import BESIDE
from image.progress import Advance, step

CHUNK = 1 << 20


def compare(first: Path, second: Path) -> None:
    """Raises Refusal unless the images `first` and `second`, and what lies beside them, are the
    same. It names the first file of the system that differs, else the first byte."""
    size = first.stat().st_size
    with step("Compare the two images", size) as tell:
        at = _difference(first, second, tell)
    if at is not None:
        raise _differ(first, f"{_file(first, second)}{_place(first, at)}")
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


def _file(first: Path, second: Path) -> str:
    """The first path whose facts or content the manifests tell differently, if there is one."""
    one, other = diff.load(first).files, diff.load(second).files
    paths = (path for path in sorted({*one, *other}) if one.get(path) != other.get(path))
    return next((f"{path}, " for path in paths), "")


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
