"""A release is complete, is what was built, and can be verified and flashed."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from firstboot.core.release_info import Stamp
from image import file_manifest
from image.release import signature
from image.release.assembly import assemble
from tests.image.base.upstream import Keys
from tests.image.flash.images import MIB, Small, make, used_stick
from tests.image.flash.test_flash import flashed, judge

ENDS = (".bmap", ".cdx.json", ".img.xz", ".img.zst", ".json", ".md", ".upgrade")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys") / "release")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """An image with its manifest and a bill of materials."""
    folder = tmp_path_factory.mktemp("image")
    image = make(folder / "exitisp.img")
    write_manifest(image, folder / "exitisp.json", tor="0.4.9.12")
    (folder / "exitisp.cdx.json").write_text("{}")
    yield image
    shutil.rmtree(folder)


def write_manifest(image: Small, place: Path, **packages: str) -> None:
    named = [{"name": name, "version": version} for name, version in packages.items()]
    facts = {"release": Stamp("2.0", "FreeBSD 15.1-STABLE", 1).facts, "packages": named}
    place.write_text(file_manifest.render(facts | file_manifest.describe(image.tree)))


@pytest.fixture(scope="module")
def release(small: Small, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("release")
    last = folder / "last.json"
    write_manifest(small, last, tor="0.4.9.11")
    names = assemble(
        small.path, "2.0", folder / "2.0", keys.private, ("1.9", last), ["It boots faster."]
    )
    assert names == ["SHA256SUMS", "SHA256SUMS.sig", *sorted(f"exitisp-2.0{end}" for end in ENDS)]
    yield folder / "2.0"
    shutil.rmtree(folder)


def test_it_is_complete_and_signed(release: Path, keys: Keys) -> None:
    signed = {f"exitisp-2.0{end}" for end in ENDS}
    assert {path.name for path in release.iterdir()} == {*signed, "SHA256SUMS", "SHA256SUMS.sig"}
    assert set(signature.verify(release, keys.public)) == signed


def test_its_notes_say_what_changed(release: Path) -> None:
    told = (release / "exitisp-2.0.md").read_text()
    assert "It boots faster." in told
    assert "## What changed since 1.9" in told
    assert "tor: 0.4.9.11 becomes 0.4.9.12" in told
    assert json.loads((release / "exitisp-2.0.json").read_text())["files"]


def test_it_can_be_flashed(release: Path, small: Small, tmp_path: Path) -> None:
    stick = used_stick(tmp_path / "stick", 45 * MIB)
    flashed(release / "exitisp-2.0.img.zst", stick)
    judge(small, stick)


def test_bmaptool_finds_the_map_beside_it(release: Path, small: Small, tmp_path: Path) -> None:
    program = shutil.which("bmaptool")
    if program is None:
        pytest.skip("bmaptool is not installed (package bmap-tools)")
    copy = tmp_path / "copy"
    command: list[str | Path] = [program, "copy", release / "exitisp-2.0.img.xz", copy]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert copy.read_bytes()[: len(small.data)] == small.data


def test_the_same_image_makes_the_same_files(
    release: Path, small: Small, keys: Keys, tmp_path: Path
) -> None:
    last = release.parent / "last.json"
    again = tmp_path / "again"
    assemble(small.path, "2.0", again, keys.private, ("1.9", last), ["It boots faster."])
    assert (again / "SHA256SUMS").read_bytes() == (release / "SHA256SUMS").read_bytes()


def test_a_release_that_cannot_be_signed_leaves_nothing(small: Small, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="ssh-keygen cannot sign with this key"):
        assemble(small.path, "2.0", tmp_path / "release", tmp_path / "no key")
    assert list(tmp_path.iterdir()) == []


def test_an_image_without_a_list_of_files_leaves_nothing(keys: Keys, tmp_path: Path) -> None:
    image = make(tmp_path / "bare.img")
    with pytest.raises(Refusal, match=r"bare\.json"):
        assemble(image.path, "2.0", tmp_path / "release", keys.private)
    assert list(tmp_path.iterdir()) == [image.path]


def test_a_release_is_never_changed(small: Small, keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    with pytest.raises(Refusal, match="already something of that name"):
        assemble(small.path, "2.0", tmp_path / "release", keys.private)


@pytest.mark.parametrize("version", ["", "v1", "1/2", "..", "1 2", "1\n", "1" * 32, "-1"])
def test_a_malformed_version_is_refused(
    small: Small, keys: Keys, tmp_path: Path, version: str
) -> None:
    with pytest.raises(Refusal, match="a version is numbers with dots between them"):
        assemble(small.path, version, tmp_path / "release", keys.private)
