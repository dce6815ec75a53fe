"""`flash` as a user runs it: an image, a used stick, a site, and what can go wrong."""

import lzma
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from dissect.fat.fat import FATFS
from dissect.ffs import FFS
from dissect.util.stream import RangeStream

from image import gpt
from image.flash import source
from image.tree import Kind
from tests.command import ROOT, Prepare, command, digest, environment
from tests.image.flash.images import ESP, MIB, Small, make, used_stick
from tests.image.test_fat import check, contents
from tests.image.ufs2_check import Ufs2

SITE = ROOT / "examples/one-port-of-each.yaml"
STICK = 45 * MIB + 512


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    folder = tmp_path_factory.mktemp("image")
    yield make(folder / "exitisp.img")
    shutil.rmtree(folder)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    return used_stick(tmp_path / "stick", STICK)


def flash(
    image: Path,
    stick: Path,
    *more: str | Path,
    typed: str = "stick\n",
    before: Prepare | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("flash", image, stick, *more),
        cwd=stick.parent,
        env=environment(stick.parent / "cache", TMPDIR=str(stick.parent)),
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=before,
    )


def flashed(image: Path, stick: Path, *more: str | Path) -> bytes:
    result = flash(image, stick, *more)
    assert result.returncode == 0, result.stderr
    assert "read back and are correct" in result.stdout
    return stick.read_bytes()


def refused(
    image: Path,
    stick: Path,
    *more: str | Path,
    typed: str = "stick\n",
    before: Prepare | None = None,
) -> str:
    """Return the sentence of the refusal, after checking that the stick did not change."""
    was = digest(stick) if stick.is_file() else ""
    result = flash(image, stick, *more, typed=typed, before=before)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert (digest(stick) if stick.is_file() else "") == was
    return result.stderr.splitlines()[-1].removeprefix("exitisp: ")


def judge(small: Small, stick: Path, site: bytes | None = None) -> None:
    """Check every partition of the written stick with independent readers."""
    data = stick.read_bytes()
    assert gpt.read(stick) == small.layout.table
    assert small.part("boot", data) == small.part("boot", small.data)
    assert small.part("cfg", data) == small.part("cfg", small.data)
    assert small.part("data", data) == bytes(4 * MIB)
    assert data[:MIB] == small.data[:MIB]
    assert data[-MIB:] == bytes(MIB), "what the last owner kept at the end is still there"
    volume = stick.parent / "volume"
    volume.write_bytes(small.part("efi", data))
    check(volume)
    with volume.open("rb") as file:
        assert contents(FATFS(file).root) == ESP | ({"site.yaml": site} if site else {})
    for label in ("rootA", "rootB", "cfg"):
        system = Ufs2(stick, small.layout.offset(label))
        assert system.complaints() == []
        system.close()
    at = small.layout.offset("rootA")
    with stick.open("rb") as file:
        slot = FFS(RangeStream(file, at, small.layout.length("rootA")))
        for path, entry in small.tree.items():
            if entry.kind is Kind.FILE:
                assert slot.get(f"/{path}").open().read() == entry.content.read()


def test_a_used_stick_gets_the_whole_image(small: Small, stick: Path) -> None:
    flashed(small.path, stick)
    judge(small, stick)


def test_an_empty_stick_becomes_the_same_as_with_dd(small: Small, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.touch()
    os.truncate(stick, 41 * MIB)
    data = flashed(small.path, stick)
    assert data == small.data + bytes(MIB)
    assert stick.stat().st_blocks * 512 < 12 * MIB


def test_a_stick_exactly_as_large_as_the_image_is_enough(small: Small, tmp_path: Path) -> None:
    stick = used_stick(tmp_path / "stick", 40 * MIB)
    data = flashed(small.path, stick)
    assert data[-MIB:] == small.data[-MIB:]


def test_a_stick_can_be_written_twice(small: Small, stick: Path) -> None:
    flashed(small.path, stick, "--site", SITE)
    flashed(small.path, stick)
    judge(small, stick)


def test_a_site_goes_to_the_fat_partition_of_the_stick_and_not_into_the_image(
    small: Small, stick: Path
) -> None:
    before = digest(small.path)
    result = flash(small.path, stick, "--site", SITE)
    assert result.returncode == 0, result.stderr
    assert "0 errors" in result.stdout
    judge(small, stick, SITE.read_bytes())
    assert digest(small.path) == before


def test_a_site_with_errors_is_refused_with_all_of_them(small: Small, stick: Path) -> None:
    site = stick.parent / "site.yaml"
    site.write_text(SITE.read_text().replace("asn: 64511", "asn: 23456", 1))
    result = flash(small.path, stick, "--site", site)
    assert f"{site}:15: asn: AS23456 is AS_TRANS" in result.stdout
    assert refused(small.path, stick, "--site", site).startswith(f"{site}: ")
    assert refused(small.path, stick, "--site", "none.yaml").startswith("none.yaml: ")


@pytest.mark.parametrize("typed", ["", "\n", "stic\n", "STICK\n", "y\n", "/dev/stick\n"])
def test_nothing_is_written_unless_the_sticks_name_is_typed(
    small: Small, stick: Path, typed: str
) -> None:
    assert "was typed and not stick" in refused(small.path, stick, typed=typed)


def compressed(small: Small, place: Path) -> Path:
    if place.suffix == ".xz":
        place.write_bytes(lzma.compress(small.data, preset=0))
    else:
        place.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(small.data))
    return place


@pytest.mark.parametrize("suffix", ["xz", "zst"])
def test_a_compressed_image_is_the_same_on_the_stick(
    small: Small, stick: Path, suffix: str
) -> None:
    flashed(compressed(small, stick.parent / f"exitisp.img.{suffix}"), stick)
    judge(small, stick)


@pytest.mark.parametrize("suffix", ["xz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "cut at the check sum", "a byte", "more"])
def test_a_damaged_compressed_image_is_refused(
    small: Small, stick: Path, suffix: str, damage: str
) -> None:
    image = compressed(small, stick.parent / f"exitisp.img.{suffix}")
    data = bytearray(image.read_bytes())
    if damage == "a byte":
        data[len(data) // 2] ^= 1
    image.write_bytes(
        {"cut": data[:-5000], "cut at the check sum": data[:-2], "a byte": data}.get(
            damage, data + b"more"
        )
    )
    assert "the compressed image is damaged" in refused(image, stick)


def test_an_image_of_another_size_than_its_table_is_refused(small: Small, stick: Path) -> None:
    image = stick.parent / "cut.img"
    image.write_bytes(small.data[:-512])
    assert "not a whole image made by ./exitisp build" in refused(image, stick)
    image.write_bytes(small.data + bytes(512))
    assert "not a whole image made by ./exitisp build" in refused(image, stick)


@pytest.mark.parametrize("what", [b"", b"x", bytes(MIB), b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"])
def test_what_is_no_image_is_refused(stick: Path, what: bytes) -> None:
    image = stick.parent / "image"
    image.write_bytes(what)
    refused(image, stick)


def test_an_image_that_is_missing_or_a_folder_is_refused(stick: Path) -> None:
    assert "Make one with ./exitisp build" in refused(Path("none.img"), stick)
    assert "this is not a file" in refused(stick.parent, stick)
    os.mkfifo(stick.parent / "pipe")
    assert "this is not a file" in refused(stick.parent / "pipe", stick)


def test_a_stick_that_is_too_small_or_missing_is_refused(small: Small, tmp_path: Path) -> None:
    stick = used_stick(tmp_path / "stick", 40 * MIB - 512)
    assert "the file has 41942528 bytes" in refused(small.path, stick)
    assert "No such file" in refused(small.path, tmp_path / "none")
    assert "this is a folder" in refused(small.path, tmp_path)


def test_an_image_is_not_written_onto_itself(small: Small, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    shutil.copyfile(small.path, stick)
    link = tmp_path / "image"
    link.symlink_to(stick)
    assert "this is the image itself" in refused(link, stick)


def test_a_stick_that_may_not_be_written_is_refused(small: Small, stick: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    stick.chmod(0o400)
    assert "setfacl" in refused(small.path, stick)


def test_no_room_to_decompress_is_told_before_the_stick_is_touched(
    small: Small, stick: Path
) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))

    told = refused(compressed(small, stick.parent / "exitisp.img.xz"), stick, before=limit)
    assert "room" in told


FULL = """\
place=$1 room=$2
shift 2
mount -t tmpfs -o "size=$room" none "$place" && truncate -s 45M "$place/stick" || exit 77
echo stick | "$@"
status=$?
cmp -n 4096 "$place/stick" /dev/zero || exit 99
exit $status
"""


@pytest.mark.parametrize("room", ["1536k", "3m", "5m"])
def test_after_a_write_error_the_disk_does_not_boot(
    small: Small, tmp_path: Path, room: str
) -> None:
    """A memory disk that is too small stands for it, in a mount namespace of the test."""
    place = tmp_path / "small"
    place.mkdir()
    arguments = command("flash", small.path, place / "stick")
    result = subprocess.run(
        ["unshare", "-rm", "sh", "-c", FULL, "sh", place, room, *arguments],
        cwd=tmp_path,
        env=environment(tmp_path / "cache"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    if "unshare" in result.stderr or result.returncode == 77:
        pytest.skip(f"no name spaces here: {result.stderr.strip()}")
    assert result.returncode == 1, result.stderr
    assert "The disk does not boot" in result.stderr
    assert "Traceback" not in result.stderr


def test_disks_are_listed_where_none_is_named(tmp_path: Path) -> None:
    result = subprocess.run(
        command("flash"),
        cwd=tmp_path,
        env=environment(tmp_path / "cache"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()


def test_the_map_leaves_out_the_free_blocks_of_the_slots_alone(small: Small) -> None:
    with source.open_image(small.path) as image:
        wanted = image.block_map()
    cared = sum(end - first for first, end in (*wanted.data, *wanted.zero))
    free = 40 * MIB - cared
    assert 12 * MIB < free < 24 * MIB
    slots = [
        (small.layout.offset(label), small.layout.offset(label) + small.layout.length(label))
        for label in ("rootA", "rootB")
    ]
    at = 0
    for first, end in sorted([*wanted.data, *wanted.zero]):
        assert at == first or any(one <= at < first <= other for one, other in slots)
        at = end
    assert at == wanted.size
