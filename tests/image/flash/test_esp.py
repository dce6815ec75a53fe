"""A file is added to a FAT volume; fsck.fat and two independent readers judge the result."""

import shutil
import subprocess
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from dissect.fat.fat import FATFS
from hypothesis import given, settings
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image import fat
from image.fat import Volume
from image.flash import esp
from tests.image.test_fat import ESP, FAT16, FAT32, check, contents, good_names, image_of

MIB = 1 << 20
WHEN = 1_700_000_001
SITE = b"schema: 1\n" + b"# a comment\n" * 400
BOTH = pytest.mark.parametrize("volume", [FAT16, FAT32])


def after(image: bytes, name: str, content: bytes) -> bytes:
    """Return the volume `image` with the file in it. Checks that nothing else changed without
    need."""

    def read(at: int, length: int) -> bytes:
        return image[at : at + length]

    changed = bytearray(image)
    for at, piece in esp.add_file(read, len(image), name, content, WHEN):
        assert at % 512 == 0
        assert len(piece) % 512 == 0
        changed[at : at + len(piece)] = piece
    return bytes(changed)


def judge(image: bytes, files: Mapping[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "volume"
        path.write_bytes(image)
        check(path)
        with path.open("rb") as file:
            assert contents(FATFS(file).root) == files


@BOTH
def test_a_site_is_added_beside_the_boot_program(volume: Volume) -> None:
    files = {"EFI/BOOT/BOOTX64.EFI": ESP["EFI/BOOT/BOOTX64.EFI"]}
    judge(after(image_of(volume, files), "site.yaml", SITE), {**files, "site.yaml": SITE})


@BOTH
def test_a_site_that_is_there_is_replaced(volume: Volume) -> None:
    for content in (b"", b"x", SITE):
        image = after(image_of(volume, ESP), "site.yaml", content)
        judge(image, {**ESP, "site.yaml": content})
        judge(after(image, "site.yaml", SITE), {**ESP, "site.yaml": SITE})


def test_an_existing_file_is_found_in_any_case_and_by_its_8_3_name() -> None:
    files = {"SITE.YAML": b"old", "README.txt": b""}
    judge(after(image_of(FAT32, files), "site.yaml", SITE), {**files, "SITE.YAML": SITE})
    files = {"site.yml": b"old"}
    judge(after(image_of(FAT32, files), "SITE.YML", SITE), {"site.yml": SITE})


@BOTH
def test_unrelated_bytes_stay(volume: Volume) -> None:
    image = image_of(volume, ESP)
    shape = fat.geometry(volume.size)
    loader = shape.place(4)
    changed = after(image, "site.yaml", SITE)
    differing = {at // 512 for at in range(len(image)) if image[at] != changed[at]}
    data = {sector for sector in differing if sector >= shape.root}
    assert differing
    assert len(data) <= 2 + -(-len(SITE) // 512)
    assert image[loader : loader + 512] == changed[loader : loader + 512]
    assert image[:512] == changed[:512]


def test_mtools_reads_it(tmp_path: Path) -> None:
    if shutil.which("mcopy") is None:
        pytest.skip("mcopy is not installed (package mtools)")
    path = tmp_path / "volume"
    path.write_bytes(after(image_of(FAT32, ESP), "site.yaml", SITE))
    copy = tmp_path / "copy"
    subprocess.run(["mcopy", "-i", path, "::site.yaml", copy], check=True)
    assert copy.read_bytes() == SITE


def test_a_volume_changed_by_mtools_is_accepted(tmp_path: Path) -> None:
    if shutil.which("mcopy") is None:
        pytest.skip("mcopy is not installed (package mtools)")
    path, note = tmp_path / "volume", tmp_path / "A note of mine.txt"
    path.write_bytes(image_of(FAT32, ESP))
    note.write_bytes(b"mine")
    subprocess.run(["mcopy", "-i", path, note, "::"], check=True)
    subprocess.run(["mdel", "-i", path, "::README.txt"], check=True)
    changed = after(path.read_bytes(), "site.yaml", SITE)
    judge(
        changed,
        {
            "EFI/BOOT/BOOTX64.EFI": ESP["EFI/BOOT/BOOTX64.EFI"],
            "A note of mine.txt": b"mine",
            "site.yaml": SITE,
        },
    )


@BOTH
@settings(max_examples=20)
@given(
    names=st.lists(good_names, min_size=1, max_size=12, unique_by=str.upper),
    sizes=st.lists(st.integers(0, 5000), min_size=1, max_size=12),
)
def test_any_files_one_after_the_other(volume: Volume, names: list[str], sizes: list[int]) -> None:
    image = image_of(volume, ESP)
    wanted: dict[str, bytes] = dict(ESP)
    for name, size in zip(names, sizes, strict=False):
        same = next((one for one in wanted if one.upper() == name.upper()), None)
        if same is None and any(
            one.is_directory() and one.name.upper() == name.upper()
            for one in FATFS(BytesIO(image)).root.iterdir()
        ):
            continue
        content = (name.encode("utf-8", "replace") * size)[:size]
        image = after(image, name, content)
        short = {one.short_name: one.name for one in FATFS(BytesIO(image)).root.iterdir()}
        wanted[same or short.get(name.upper(), name)] = content
    judge(image, wanted)


def test_old_entries_behind_the_end_of_the_root_folder_stay_hidden() -> None:
    image = image_of(FAT16, {"NOTE.TXT": b"x"})
    root = fat.geometry(FAT16.size).root * 512
    end = next(at for at in range(root, root + 16384, 32) if not image[at])
    image = break_at(image, end + 32, b"STALE   TXT\x20".ljust(32, b"\0") * 4)
    assert contents(FATFS(BytesIO(image)).root) == {"NOTE.TXT": b"x"}
    changed = after(image, "site.yaml", SITE)
    assert contents(FATFS(BytesIO(changed)).root) == {"NOTE.TXT": b"x", "site.yaml": SITE}


def test_a_full_root_folder_of_fat32_grows() -> None:
    files = {f"{number:08}": b"" for number in range(15)}
    judge(after(image_of(FAT32, files), "site.yaml", SITE), {**files, "site.yaml": SITE})


def test_a_full_root_folder_of_fat16_is_refused() -> None:
    files = {f"{number:08}": b"" for number in range(510)}
    with pytest.raises(Refusal, match="entries of its root folder are taken"):
        after(image_of(FAT16, files), "site.yaml", SITE)


def test_a_volume_without_room_is_refused() -> None:
    shape = fat.geometry(FAT32.size)
    full = image_of(FAT32, {"FULL": bytes((shape.clusters - 3) * 512)})
    judge(
        after(full, "site.yaml", bytes(1024)),
        {
            "FULL": bytes((shape.clusters - 3) * 512),
            "site.yaml": bytes(1024),
        },
    )
    with pytest.raises(Refusal, match="and 2 are free"):
        after(full, "site.yaml", bytes(1025))


def test_a_folder_of_that_name_is_refused() -> None:
    with pytest.raises(Refusal, match="it has a folder called"):
        after(image_of(FAT32, {"site.yaml/x": b""}), "site.yaml", SITE)


def break_at(image: bytes, at: int, data: bytes) -> bytes:
    return image[:at] + data + image[at + len(data) :]


@pytest.mark.parametrize(
    ("at", "data", "found"),
    [
        (510, b"\0\0", "not a FAT volume"),
        (11, b"\0\x10", "not a FAT volume"),
        (13, b"\0", "not a FAT volume"),
        (14, b"\x21", "its geometry is not"),
        (32, b"\xff\xff\xff\x7f", "its geometry is not"),
        (36, b"\x01\0\0\0", "its geometry is not"),
        (32 * 512 + 8, b"\x02\0\0\0", "copies of its allocation table differ"),
    ],
)
def test_a_damaged_volume_is_refused(at: int, data: bytes, found: str) -> None:
    with pytest.raises(Refusal, match=found):
        after(break_at(image_of(FAT32, ESP), at, data), "site.yaml", SITE)


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (b"\x02\0\0\0", "a ring"),
        (b"\0\0\0\0", "leads to 0"),
        (b"\xff\xff\xff\0", "leads to 16777215"),
    ],
)
def test_a_root_folder_without_an_end_is_refused(entry: bytes, found: str) -> None:
    image = image_of(FAT32, ESP)
    length = fat.geometry(FAT32.size).fat_sectors * 512
    for copy in range(2):
        image = break_at(image, 32 * 512 + copy * length + 8, entry)
    with pytest.raises(Refusal, match=found):
        after(image, "site.yaml", SITE)


@settings(max_examples=150)
@given(at=st.integers(0, 10 * 512), data=st.binary(min_size=1, max_size=8))
def test_damage_is_refused_or_does_no_harm(at: int, data: bytes) -> None:
    head = bytearray(SMALL[: 64 * 512])
    head[at : at + len(data)] = data

    def read(offset: int, length: int) -> bytes:
        return bytes(head[offset : offset + length]).ljust(length, b"\0")

    try:
        pieces = esp.add_file(read, FAT16.size, "site.yaml", b"x", WHEN)
    except Refusal:
        return
    assert all(0 <= place <= FAT16.size - len(piece) for place, piece in pieces)


SMALL = image_of(FAT16, {})
