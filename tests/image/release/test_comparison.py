"""Two builds that differ are refused, and the first difference is named."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import file_manifest, gpt
from image.release.comparison import compare
from tests.image.flash.images import Small, make
from tests.image.test_diff import manifest, tree


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make(tmp_path_factory.mktemp("built") / "exitisp.img")


@pytest.fixture
def pair(built: Small, tmp_path: Path) -> tuple[Path, Path]:
    """Two builds with the same bytes."""
    images = tmp_path / "a/exitisp.img", tmp_path / "b/exitisp.img"
    for image in images:
        image.parent.mkdir()
        shutil.copyfile(built.path, image)
        image.with_suffix(".json").write_text(file_manifest.render(manifest(tree())))
        image.with_suffix(".cdx.json").write_text("{}")
    return images


def test_equal_builds_are_accepted(pair: tuple[Path, Path]) -> None:
    compare(*pair)


@pytest.mark.parametrize("label", ["efi", "rootA", "cfg", "data"])
def test_the_partition_is_named(pair: tuple[Path, Path], label: str) -> None:
    (found,) = (one for one in gpt.read(pair[1]).partitions if one.label == label)
    flip(pair[1], found.first_lba * gpt.BLOCK + 4321)
    with pytest.raises(Refusal, match=rf"first in partition {label}, byte 4321\."):
        compare(*pair)


def test_a_difference_outside_of_all_partitions_is_named(pair: tuple[Path, Path]) -> None:
    flip(pair[1], 7)
    with pytest.raises(Refusal, match="byte 7, outside of all partitions"):
        compare(*pair)


@pytest.mark.parametrize("change", ["append", "truncate"])
def test_a_length_is_a_difference(pair: tuple[Path, Path], change: str) -> None:
    size = pair[1].stat().st_size
    os.truncate(pair[1], size + 1 if change == "append" else size - 1)
    with pytest.raises(Refusal, match="first in byte "):
        compare(*pair)


def test_the_file_is_named_where_the_manifests_tell_it(pair: tuple[Path, Path]) -> None:
    (slot,) = (one for one in gpt.read(pair[1]).partitions if one.label == "rootA")
    flip(pair[1], slot.first_lba * gpt.BLOCK + 99)
    other = tree()
    other["etc/rc.conf"] = replace(other["etc/rc.conf"], uid=5)
    pair[1].with_suffix(".json").write_text(file_manifest.render(manifest(other)))
    with pytest.raises(
        Refusal, match=r"first in files, /etc/rc\.conf, owner, partition rootA, byte 99\."
    ):
        compare(*pair)


def test_the_first_differing_fact_is_named(pair: tuple[Path, Path]) -> None:
    flip(pair[1], 528)
    wizard = {"sha256": "cc", "modules": [{"name": "jinja2", "version": "3.1"}]}
    other = file_manifest.render(manifest(tree(), wizard=wizard, disk={"identifier": "another"}))
    pair[1].with_suffix(".json").write_text(other)
    with pytest.raises(Refusal, match=r"first in wizard, sha256, byte 528"):
        compare(*pair)


@pytest.mark.parametrize("end", [".json", ".cdx.json"])
def test_the_files_beside_the_images_are_compared(pair: tuple[Path, Path], end: str) -> None:
    flip(pair[1].with_suffix(end), 1)
    with pytest.raises(Refusal, match=rf"exitisp\{end}: two builds .* first in byte 1\."):
        compare(*pair)


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1]))
