"""A release that was built without its key is signed where nothing is installed."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstboot.core import release_info
from firstboot.core.release_info import Stamp
from firstboot.core.upgrade_file import begin
from image import file_manifest
from image.release import checksums, signature
from image.release.assembly import assemble
from image.release.sign import sign_built
from image.tree import directory, file, parents
from tests.command import ROOT
from tests.image.base.upstream import Keys
from tests.image.flash.images import WHEN, make


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys") / "release")


@pytest.fixture(scope="module")
def built(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A release of an image that takes upgrades which `keys` sign, not signed itself. The private
    key was not there when it was made."""
    folder = tmp_path_factory.mktemp("built")
    image = make(folder / "exitisp.img")
    for above in parents(release_info.SIGNERS):
        image.tree[above] = directory(mtime=WHEN)
    trusted = release_info.allowed_signers([str(keys.public)])
    image.tree[release_info.SIGNERS] = file(trusted, mtime=WHEN)
    facts = {"release": Stamp("2.0", "FreeBSD 15.1-STABLE", 1).facts}
    manifest = file_manifest.render(facts | file_manifest.describe(image.tree))
    (folder / "exitisp.json").write_text(manifest)
    public = folder / "release.pub"
    public.write_text(f"{keys.public}\n")
    assemble(image.path, "2.0", folder / "2.0", public, signed=False)
    yield folder / "2.0"
    shutil.rmtree(folder)


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "2.0"))


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()


def sign(folder: Path, key: Path, built: str) -> subprocess.CompletedProcess[str]:
    """Run .ci/sign.sh with a Python that has nothing but its standard library."""
    only = folder.parent / "bin"
    only.mkdir()
    (only / "python3").symlink_to(sys.base_prefix + f"/bin/python3.{sys.version_info[1]}")
    environment = {"PATH": f"{only}:{os.defpath}"}
    command: list[str | Path] = [ROOT / ".ci/sign.sh", folder, key, built]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_what_was_built_without_the_key_has_no_signature(built: Path) -> None:
    assert not (built / "SHA256SUMS.sig").exists()
    assert (built / "exitisp-2.0.upgrade").read_bytes().split(b"\n")[0].endswith(b" 0")


def test_it_is_signed_with_the_standard_library_alone(folder: Path, keys: Keys) -> None:
    done = sign(folder, keys.private, digest(folder))
    assert done.returncode == 0, done.stderr
    assert "exitisp-2.0.upgrade" in signature.verify(folder, keys.public)


def test_it_is_the_release_that_one_step_makes(folder: Path, built: Path, keys: Keys) -> None:
    sign_built(folder, keys.private, digest(folder))
    whole = folder.parent / "whole"
    assemble(built.parent / "exitisp.img", "2.0", whole, keys.private)
    assert (whole / "SHA256SUMS").read_bytes() == (folder / "SHA256SUMS").read_bytes()


def test_files_that_changed_since_the_build_are_not_signed(folder: Path, keys: Keys) -> None:
    was = digest(folder)
    (folder / "exitisp-2.0.md").write_text("Install this one.\n")
    assert "exitisp-2.0.md: the file has the SHA-256" in sign(folder, keys.private, was).stderr
    assert not (folder / "SHA256SUMS.sig").exists()


def test_other_hashes_than_those_of_the_build_are_not_signed(folder: Path, keys: Keys) -> None:
    done = sign(folder, keys.private, "0" * 64)
    assert done.returncode == 1
    assert "but the build made 0000" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_the_build_did_not_make_is_not_signed(folder: Path, keys: Keys) -> None:
    (folder / "more").touch()
    assert (
        "more: the build did not make this file"
        in sign(folder, keys.private, digest(folder)).stderr
    )


@pytest.mark.parametrize("said", [b"", b"7", b"[]", b'{"files": []}'])
def test_an_upgrade_whose_manifest_is_something_else_is_not_signed(
    folder: Path, keys: Keys, said: bytes
) -> None:
    path = folder / "exitisp-2.0.upgrade"
    path.write_bytes(begin(said, b""))
    (folder / "SHA256SUMS").unlink()
    checksums.write(folder, sorted(one.name for one in folder.iterdir()))
    done = sign(folder, keys.private, digest(folder))
    assert done.returncode == 1
    assert f"{path}: its manifest is damaged: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "SHA256SUMS.sig").exists()


def test_a_key_whose_upgrades_the_image_does_not_take_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    other = Keys.make(tmp_path / "other").private
    assert f"takes no upgrades that {other} signs" in sign(folder, other, digest(folder)).stderr


def test_a_release_without_an_upgrade_is_not_signed(folder: Path, keys: Keys) -> None:
    (folder / "exitisp-2.0.upgrade").unlink()
    (folder / "SHA256SUMS").unlink()
    checksums.write(folder, sorted(one.name for one in folder.iterdir()))
    done = sign(folder, keys.private, digest(folder))
    assert f"{folder}: there is no upgrade in it" in done.stderr
    assert not (folder / "SHA256SUMS.sig").exists()
