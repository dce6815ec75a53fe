"""What a release says of how it was made, before it is made again."""

import json
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from firstboot.core.release_info import Stamp
from image.release.assembly import assemble
from image.release.sign import read_upgrade, sign_upgrade
from image.release.verify import check_files, check_previous, check_python, made, same_files
from tests.image.base.upstream import Keys
from tests.image.flash.images import make
from tests.image.release.test_assembly import ENDS, write_manifest

FACTS = {"release": Stamp("2.0", "FreeBSD 15.1-STABLE", 1, "ab" * 20).facts, "time": 7}


@pytest.mark.parametrize(
    ("wizard", "compiler"),
    [(None, ""), ({"sha256": "cc", "compiled_by": "3.11.2", "modules": []}, "3.11.2")],
)
def test_the_manifest_tells_release_time_and_compiler(
    tmp_path: Path, wizard: object, compiler: str
) -> None:
    path = tmp_path / "exitisp-2.0.json"
    path.write_text(json.dumps({**FACTS, "wizard": wizard}))
    stamp, time, found = made(path)
    assert (stamp.version, stamp.commit, time, found) == ("2.0", "ab" * 20, 7, compiler)


@pytest.mark.parametrize("text", ["{", "[]", "{}", json.dumps({**FACTS, "wizard": 1})])
def test_what_is_no_manifest_of_a_release_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "exitisp-2.0.json"
    path.write_text(text)
    with pytest.raises(Refusal, match="not the manifest of a release"):
        made(path)


def test_another_python_than_the_one_that_compiled_the_wizard_is_refused() -> None:
    with pytest.raises(Refusal, match=r"compiled by 3\.11\.0, .* EXITISP_PYTHON"):
        check_python("3.11.0")
    check_python(platform.python_version())
    check_python("")


CHANGES = ["It boots faster.", "Made of commit `ab`."]


@dataclass(frozen=True)
class Published:
    """A release, the image that it was made of, and the manifest of the release before."""

    base: Path
    image: Path
    previous: Path
    keys: Keys

    def same(self) -> list[str]:
        return list(
            same_files(self.base, self.image, self.keys.public, "2.0", CHANGES, self.previous)
        )

    def file(self, end: str) -> Path:
        return self.base.with_name(f"{self.base.name}{end}")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    folder = tmp_path_factory.mktemp("verify")
    keys, image = Keys.make(folder / "key"), make(folder / "exitisp.img")
    previous = folder / "exitisp-1.9.json"
    write_manifest(image, folder / "exitisp.json", tor="0.4.9.12")
    write_manifest(image, previous, tor="0.4.9.11")
    (folder / "exitisp.cdx.json").write_text("{}")
    before = ("1.9", previous)
    assemble(image.path, "2.0", folder / "2.0", keys.private, before, CHANGES)
    yield Published(folder / "2.0/exitisp-2.0", image.path, previous, keys)
    shutil.rmtree(folder)


@pytest.fixture
def published(one: Published, tmp_path: Path) -> Published:
    """The same release, to be changed."""
    folder = shutil.copytree(one.base.parent, tmp_path / "2.0")
    return Published(folder / one.base.name, one.image, one.previous, one.keys)


def test_every_file_of_a_release_is_compared(one: Published) -> None:
    assert sorted(one.same()) == sorted(f"exitisp-2.0{end}" for end in ENDS)


@pytest.mark.parametrize("end", [end for end in ENDS if ".img" not in end])
def test_a_changed_byte_is_found_in_every_file(published: Published, end: str) -> None:
    path = published.file(end)
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Refusal, match=rf"{path.name}: two builds .* differ, first in"):
        published.same()


def test_an_upgrade_that_somebody_else_signed_is_found(
    published: Published, tmp_path: Path
) -> None:
    sign_upgrade(published.file(".upgrade"), Keys.make(tmp_path / "other").private)
    with pytest.raises(Refusal, match=r"exitisp-2\.0\.upgrade: signed by SHA256"):
        published.same()


def test_an_upgrade_with_another_manifest_is_found(published: Published) -> None:
    path = published.file(".upgrade")
    head, manifest = read_upgrade(path)
    data = path.read_bytes()
    changed = manifest.replace(b'"2.0"', b'"2.1"', 1)
    path.write_bytes(data[: head.length] + changed + data[head.length + head.manifest :])
    with pytest.raises(Refusal, match=r"differ, first in its manifest"):
        published.same()


def test_a_release_has_its_files_and_no_others() -> None:
    names = [f"exitisp-2.0{end}" for end in ENDS]
    check_files(Path("2.0"), names, "exitisp-2.0")
    with pytest.raises(Refusal, match=r"2\.0/exitisp-2\.0\.bmap: it is missing"):
        check_files(Path("2.0"), names[1:], "exitisp-2.0")
    with pytest.raises(Refusal, match=r"2\.0/exitisp-2\.0\.exe: it is no file of a release"):
        check_files(Path("2.0"), [*names, "exitisp-2.0.exe"], "exitisp-2.0")


def test_the_release_that_the_notes_compare_with_has_to_be_named(one: Published) -> None:
    check_previous(one.file(".md"), one.previous)
    with pytest.raises(Refusal, match=r"Add --previous exitisp-1\.9\.json"):
        check_previous(one.file(".md"), None)
    with pytest.raises(Refusal, match=r"Add --previous exitisp-1\.9\.json"):
        check_previous(one.file(".md"), one.previous.with_name("exitisp-1.8.json"))


def test_notes_without_a_release_before_take_none(published: Published) -> None:
    published.file(".md").write_text("# exitisp 2.0\n")
    check_previous(published.file(".md"), None)
    with pytest.raises(Refusal, match="Leave --previous out"):
        check_previous(published.file(".md"), published.previous)
