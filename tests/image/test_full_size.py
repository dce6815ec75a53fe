"""A base as large as HardenedBSD's own: 34,000 entries, 500 MB compressed, 1.4 GB unpacked.

The sets are made up. Their sizes are those of the real ones: what the image keeps has 300 MiB, and
the rest is compiler, debug files and tests.
"""

import io
import json
import random
import resource
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from image import build, overlay, progress
from image.base.sets import open_local
from image.flash.free import free_blocks
from image.flash.source import open_image
from image.flash.spans import total
from image.lock import load
from tests import sets
from tests.boot.conftest import full
from tests.command import ROOT

MIB = 1 << 20
KEPT = 20_000
KEPT_BYTES = 300 * MIB
DROPPED = 14_000
COMPILER = ("clang", "clang-scan-deps", "lldb", "ld.lld", "llvm-ar", "llvm-objcopy")
COMPILER_BYTES = 80 * MIB
SPARE = 0.25
"""Part of slot A that is free."""


class Bytes:
    """A source of bytes of which a third is random, so that xz makes a third of them."""

    def __init__(self) -> None:
        random_bytes = random.Random(0).randbytes
        self._period = b"".join(random_bytes(1 << 14) + bytes(1 << 15) for _ in range(99))

    def take(self, seed: int, length: int) -> bytes:
        first = seed * 49_157 % (1 << 22)
        times = (first + length) // len(self._period) + 1
        repeated = self._period if times == 1 else self._period * times
        return seed.to_bytes(8, "little") + repeated[first + 8 : first + length]


def items() -> Iterator[tuple[str, bytes, str]]:
    """Path, content, and for a hard link the path of its file."""
    content = Bytes()
    for folder in ("usr/share", "usr/share/full", "usr/tests/full"):
        yield folder, b"", "/"
    for number in range(KEPT):
        folder = f"usr/share/full/{number // 500:02}"
        if number % 500 == 0:
            yield folder, b"", "/"
        yield f"{folder}/{number}", content.take(number, KEPT_BYTES // KEPT), ""
    for number in range(DROPPED):
        folder = f"usr/tests/full/{number // 500:02}"
        if number % 500 == 0:
            yield folder, b"", "/"
        yield f"{folder}/{number}", content.take(number, 48 << 10), ""
    for number, name in enumerate(COMPILER):
        yield f"usr/bin/{name}", content.take(number, COMPILER_BYTES), ""
    for name, of in (("objcopy", "llvm-objcopy"), ("strip", "llvm-objcopy"), ("ar", "llvm-ar")):
        yield f"usr/bin/{name}", b"", f"usr/bin/{of}"


def write_base(place: Path) -> int:
    """Write the set, and return the number of its entries. xz -0 stands for upstream's slower
    compression: decompressing takes as long."""
    entries = len(sets.BASE)
    with place.open("wb") as output:
        xz = subprocess.Popen(["xz", "-0", "-T2", "-c"], stdin=subprocess.PIPE, stdout=output)
        assert xz.stdin
        begin = sets.tar(sets.BASE).rstrip(b"\0")
        xz.stdin.write(begin + bytes(-len(begin) % tarfile.BLOCKSIZE))
        with tarfile.open(fileobj=xz.stdin, mode="w|", format=tarfile.PAX_FORMAT) as writer:
            for path, data, link in items():
                info = tarfile.TarInfo(f"./{path}")
                info.uname, info.gname = "root", "wheel"
                info.mtime = 1_700_000_000
                info.mode = 0o755
                if link == "/":
                    info.type = tarfile.DIRTYPE
                elif link:
                    info.type, info.linkname = tarfile.LNKTYPE, f"./{link}"
                else:
                    info.size = len(data)
                writer.addfile(info, io.BytesIO(data))
                entries += 1
        xz.stdin.close()
        assert xz.wait() == 0
    return entries


@full
def test_it_is_unpacked_in_one_pass_and_leaves_a_quarter_of_the_slot_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sets.write(tmp_path / "sets")
    entries = write_base(folder / "base.txz")
    sets.seal(folder)
    given = open_local(folder, load(ROOT / "image" / "hardenedbsd.lock.yaml").base)
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    began = time.monotonic()
    overlays = overlay.load_all(ROOT / "overlays")
    built = build.build(given, overlays, tmp_path / "full.img", tmp_path / "cache", time=0)
    seconds = time.monotonic() - began
    lines = [one for one in capsys.readouterr().err.splitlines() if one.startswith("Unpack ")]
    parts = [int(one.split(": ")[1].split(" %")[0]) for one in lines if " % after " in one]
    assert parts == sorted(parts)
    assert parts[-1] == 100
    with open_image(built.image) as image:
        at, length = image.disk.offset("rootA"), image.disk.length("rootA")
        free = total(free_blocks(image.read, at, length)) / length
    files = json.loads(built.manifest.read_text())["files"]
    assert not [path for path in files if path.rpartition("/")[2] in (*COMPILER, "strip", "ar")]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    size = given.base.size / 1e6
    print(f"{entries} entries, {size:.0f} MB: {seconds:.0f} s, {memory} MiB of memory")
    print(f"slot A: {free:.0%} free")
    assert free >= SPARE
