"""bmaptool checks the block map, and a used stick is written by it."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from defusedxml import ElementTree

from image.flash import source
from image.release import bmap
from tests.image.flash.images import MIB, Small, make, used_stick
from tests.image.flash.test_flash import judge


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    folder = tmp_path_factory.mktemp("image")
    yield make(folder / "exitisp.img")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def text(small: Small) -> str:
    with source.open_image(small.path) as image:
        return bmap.render(image.block_map(), image.read)


def ranges(root: Element) -> Iterator[tuple[int, int, str]]:
    """Yield first byte, byte after the last, and hash of each range."""
    size = number(root, "BlockSize")
    for one in root.iter("Range"):
        assert one.text is not None
        first, _, last = one.text.strip().partition("-")
        yield int(first) * size, (int(last or first) + 1) * size, one.attrib["chksum"]


def number(root: Element, name: str) -> int:
    text = root.findtext(name)
    assert text is not None
    return int(text)


def test_its_sums_are_those_of_the_image(small: Small, text: str) -> None:
    root = ElementTree.fromstring(text)
    listed = list(ranges(root))
    assert number(root, "ImageSize") == len(small.data)
    assert number(root, "BlocksCount") * 4096 == len(small.data)
    assert number(root, "MappedBlocksCount") * 4096 == sum(end - at for at, end, _ in listed)
    for at, end, sum_ in listed:
        assert hashlib.sha256(small.data[at:end]).hexdigest() == sum_
    own = root.findtext("BmapFileChecksum")
    assert own is not None
    own = own.strip()
    assert hashlib.sha256(text.replace(own, "0" * 64).encode()).hexdigest() == own


def test_a_used_stick_gets_the_whole_image_from_the_mapped_blocks(
    small: Small, text: str, tmp_path: Path
) -> None:
    stick = used_stick(tmp_path / "stick", 45 * MIB)
    with stick.open("r+b") as file:
        for at, end, _ in ranges(ElementTree.fromstring(text)):
            os.pwrite(file.fileno(), small.data[at:end], at)
        os.pwrite(file.fileno(), bytes(MIB), 44 * MIB)
    judge(small, stick)


def test_free_blocks_are_left_out(text: str) -> None:
    root = ElementTree.fromstring(text)
    assert number(root, "MappedBlocksCount") < 0.8 * number(root, "BlocksCount")


def bmaptool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("bmaptool")
    if program is None:
        pytest.skip("bmaptool is not installed (package bmap-tools)")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_bmaptool_accepts_it(small: Small, text: str, tmp_path: Path) -> None:
    path = tmp_path / "exitisp.bmap"
    path.write_text(text)
    done = bmaptool("copy", "--bmap", path, small.path, tmp_path / "copy")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy").read_bytes()[: len(small.data)] == small.data


def test_bmaptool_finds_an_altered_image_and_an_altered_map(
    small: Small, text: str, tmp_path: Path
) -> None:
    path, image = tmp_path / "exitisp.bmap", tmp_path / "altered.img"
    path.write_text(text)
    altered = bytearray(small.data)
    altered[9 * MIB] ^= 1
    image.write_bytes(altered)
    assert bmaptool("copy", "--bmap", path, image, tmp_path / "copy").returncode
    path.write_text(text.replace("</ImageSize>", " </ImageSize>"))
    assert bmaptool("copy", "--bmap", path, small.path, tmp_path / "copy").returncode
