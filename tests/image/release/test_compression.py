"""xz and zstd check what was compressed."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.release.compression import Kind, compress
from tests.command import environment
from tests.image.flash.images import MIB, make

PROGRAMS = {Kind.ZSTD: "zstd", Kind.XZ: "xz"}


def compressed(image: Path, kind: Kind) -> Path:
    output = image.with_name(image.name + kind.value)
    compress(image, output)
    return output


BOTH = pytest.mark.parametrize("kind", list(Kind))


def program(kind: Kind) -> str:
    found = shutil.which(PROGRAMS[kind])
    if found is None:
        pytest.skip(f"{PROGRAMS[kind]} is not installed")
    return found


@BOTH
def test_decompressed_it_is_the_image(tmp_path: Path, kind: Kind) -> None:
    image = make(tmp_path / "exitisp.img")
    small = compressed(image.path, kind)
    assert small == tmp_path / f"exitisp.img{kind.value}"
    assert small.stat().st_size < 5 * MIB
    subprocess.run([program(kind), "-q", "-t", small], check=True)
    whole = subprocess.run([program(kind), "-q", "-dc", small], capture_output=True, check=True)
    assert whole.stdout == image.data
    assert {path.name for path in tmp_path.iterdir()} == {"exitisp.img", small.name}


@BOTH
def test_the_same_image_gives_the_same_bytes(tmp_path: Path, kind: Kind) -> None:
    made = set()
    for name, time in (("a", 1), ("b", 1_700_000_000)):
        image = tmp_path / name
        image.write_bytes(bytes(3 * MIB) + b"the end" * 1000)
        os.utime(image, (time, time))
        made.add(compressed(image, kind).read_bytes())
    assert len(made) == 1


@BOTH
def test_damage_is_detected(tmp_path: Path, kind: Kind) -> None:
    image = tmp_path / "image"
    image.write_bytes(os.urandom(MIB))
    small = compressed(image, kind)
    data = bytearray(small.read_bytes())
    data[len(data) // 2] ^= 1
    small.write_bytes(data)
    assert subprocess.run([program(kind), "-q", "-t", small], capture_output=True).returncode


@BOTH
def test_an_empty_file_is_compressed_too(tmp_path: Path, kind: Kind) -> None:
    (tmp_path / "image").touch()
    small = compressed(tmp_path / "image", kind)
    done = subprocess.run([program(kind), "-q", "-dc", small], capture_output=True, check=True)
    assert done.stdout == b""


@BOTH
def test_without_room_the_older_file_stays(tmp_path: Path, kind: Kind) -> None:
    (tmp_path / "image").write_bytes(os.urandom(2 * MIB))
    before = tmp_path / f"image{kind.value}"
    before.write_bytes(b"the last one")
    script = (
        "import sys; from pathlib import Path;"
        "from image.release.compression import compress;"
        "compress(Path(sys.argv[1]), Path(sys.argv[1] + sys.argv[2]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "image", kind.value],
        env=environment(tmp_path / "cache", PYTHONPATH=str(Path(__file__).parents[3])),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB)),
    )
    assert "room" in done.stderr
    assert before.read_bytes() == b"the last one"
    assert not list(tmp_path.glob(".*"))


def test_a_missing_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal):
        compressed(tmp_path / "none", Kind.XZ)
