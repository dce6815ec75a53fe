"""The FAT volume is judged by fsck.fat, and by dissect.fat reading back what was written."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from dissect.fat.fat import FATFS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image import fat
from image.fat import Volume
from image.tree import Content, Extent

MIB = 1 << 20
WHEN = 1_700_000_001
FAT16, FAT32 = Volume("EXITISP", 6 * MIB, 0xC0FFEE01, WHEN), Volume("EXITISP", 33 * MIB, 1, WHEN)
ESP = {
    "EFI/BOOT/BOOTX64.EFI": bytes(range(256)) * 1000,
    "README.txt": b"Edit site.yaml.\r\n",
    "site.yaml": b"version: 1\n",
}
SECTOR_COUNTS = st.integers(fat.SMALLEST + 1, 0xFFFFFFFF)

Files = Mapping[str, bytes | Content]


def written(folder: Path, volume: Volume, files: Files, at: int = 0) -> Path:
    path = folder / "volume"
    with path.open("wb") as file:
        fat.write(file.fileno(), at, volume, files)
    return path


def image_of(volume: Volume, files: Files) -> bytes:
    image = bytearray(volume.size)
    for at, data in fat.encode(volume, files):
        image[at : at + len(data)] = data
    return bytes(image)


def check(path: Path) -> None:
    program = shutil.which("fsck.fat", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        pytest.skip("fsck.fat is not installed (package dosfstools)")
    done = subprocess.run([program, "-n", path], capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout
    assert len(lines) == 2, done.stdout


def entries(directory: Any) -> list[Any]:
    return [
        one for one in directory.iterdir() if not one.is_volume_id() and one.name not in (".", "..")
    ]


def contents(directory: Any, above: str = "") -> dict[str, bytes]:
    """Every file below `directory`; no two 8.3 names in a directory may be the same."""
    found: dict[str, bytes] = {}
    listed = entries(directory)
    names = [name for one in listed for name in {one.name.upper(), one.short_name}]
    assert len(names) == len(set(names))
    for one in listed:
        if one.is_directory():
            found |= contents(one, f"{above}{one.name}/")
        else:
            found[above + one.name] = one.open().read() if one.size else b""
    return found


def judge(volume: Volume, files: Mapping[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), volume, files)
        assert path.stat().st_size == volume.size
        check(path)
        with path.open("rb") as file:
            assert contents(FATFS(file).root) == files


@pytest.mark.parametrize(("volume", "kind"), [(FAT16, "FAT16"), (FAT32, "FAT32")])
def test_an_esp_is_read_back(tmp_path: Path, volume: Volume, kind: str) -> None:
    judge(volume, ESP)
    with written(tmp_path, volume, ESP).open("rb") as file:
        system = FATFS(file)
        assert system.type.name.upper() == kind
        assert system.volume_label == "EXITISP"
        assert system.volume_id == f"{volume.serial:x}"
        assert bytes(system.bpb_ext.BS_FilSysType) == kind.encode().ljust(8)


@pytest.mark.parametrize("volume", [FAT16, FAT32])
def test_an_empty_volume_is_sound(volume: Volume) -> None:
    judge(volume, {})


good_names = st.text(
    st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]).filter(
        lambda one: one not in '"*/:<>?\\|\uffff'
    ),
    min_size=1,
    max_size=30,
).filter(lambda name: name[0] != " " and name[-1] not in " .")
short_names = st.from_regex(r"[A-Za-z0-9_~-]{1,9}(\.[A-Za-z]{1,4})?", fullmatch=True)
sizes = st.sampled_from([0, 1, 511, 512, 513, 1023, 1024, 2048, 4096, 5000])


@st.composite
def trees(draw: st.DrawFn) -> dict[str, bytes]:
    """Files at paths that agree on what is a directory and differs from it only in case."""
    names = st.one_of(good_names, short_names)
    known = draw(st.lists(names, min_size=1, max_size=12, unique_by=str.upper))
    paths = draw(st.lists(st.lists(st.sampled_from(known), min_size=1, max_size=4), max_size=20))
    files: dict[str, bytes] = {}
    for number, path in enumerate(paths):
        joined = "/".join(path)
        on_the_way = ["/".join(path[:depth]) for depth in range(1, len(path))]
        if not any(one in files for one in on_the_way) and not any(
            f"{other}/".startswith(f"{joined}/") for other in files
        ):
            size = draw(sizes)
            files[joined] = (b"%d of %d " % (number, size) * size)[:size]
    return files


@settings(max_examples=60)
@given(volume=st.sampled_from([FAT16, FAT32]), files=trees())
def test_any_tree_is_read_back(volume: Volume, files: dict[str, bytes]) -> None:
    judge(volume, files)


@settings(max_examples=50)
@given(st.lists(good_names, max_size=20, unique_by=str.upper))
def test_long_names_of_every_length_are_read_back(names: list[str]) -> None:
    longer = {(name * 12)[: 1 + 11 * at].rstrip(" .") or "x": b"" for at, name in enumerate(names)}
    unlike = {name.upper(): name for name in longer}
    judge(FAT32, dict.fromkeys(unlike.values(), b""))


@pytest.mark.parametrize("length", [12, 13, 14, 26, 254, 255])
def test_names_that_fill_their_entries_are_read_back(length: int) -> None:
    judge(FAT16, {"ü" * length: b"x"})


def test_characters_beyond_the_first_plane_are_read_back() -> None:
    judge(FAT16, {"\U0001f9c5 onion.txt": b"x"})


@pytest.mark.parametrize("volume", [FAT16, FAT32])
def test_a_directory_holds_hundreds_of_files_with_like_names(volume: Volume) -> None:
    judge(volume, {f"relays/relay number {n:04}.conf": b"%d" % n for n in range(700)})


def test_the_root_of_fat32_holds_hundreds_of_files() -> None:
    judge(FAT32, {f"a relay {n:04}": b"" for n in range(700)})


def test_an_alias_yields_to_a_file_that_has_its_name() -> None:
    judge(FAT16, {"README.markdown": b"1", "readme~1.mar": b"2", "README~2.MAR": b"3"})


def test_aliases_stay_apart_where_a_longer_number_leaves_less_of_the_name() -> None:
    judge(FAT16, {f"{stem} {n}": b"" for stem in ("abcdef", "abcdeg") for n in range(12)})


def test_capitals_that_fit_8_3_need_no_long_name(tmp_path: Path) -> None:
    with written(tmp_path, FAT32, ESP).open("rb") as file:
        root = FATFS(file).root
        loader = FATFS(file).get("EFI/BOOT/BOOTX64.EFI")
        long = {one.name for one in entries(root) if one.ldirents}
    assert not loader.ldirents
    assert long == {"README.txt", "site.yaml"}


def test_times_are_utc_and_keep_the_odd_second(tmp_path: Path) -> None:
    with written(tmp_path, FAT32, ESP).open("rb") as file:
        for path in ("site.yaml", "EFI", "EFI/BOOT/BOOTX64.EFI"):
            one = FATFS(file).get(path)
            assert one.mtime.isoformat() == "2023-11-14T22:13:20"
            assert one.ctime.isoformat() == "2023-11-14T22:13:21"
            assert one.atime.isoformat() == "2023-11-14T00:00:00"


@pytest.mark.parametrize(
    ("when", "held"),
    [(0, "1980-01-01T00:00:00"), (-1, "1980-01-01T00:00:00"), (1 << 60, "2107-12-31T23:59:58")],
)
def test_times_fat_cannot_hold_become_the_nearest(tmp_path: Path, when: int, held: str) -> None:
    volume = Volume("EXITISP", 6 * MIB, 1, when)
    with written(tmp_path, volume, ESP).open("rb") as file:
        assert FATFS(file).get("site.yaml").mtime.isoformat() == held


def test_equal_input_gives_equal_bytes_in_any_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    images = set()
    backwards = dict(reversed(ESP.items()))
    for zone, files in product(("UTC", "Pacific/Auckland", "America/New_York"), (ESP, backwards)):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        images.add(image_of(FAT32, files))
    monkeypatch.undo()
    time.tzset()
    assert len(images) == 1


def test_the_volume_lies_where_it_was_put_and_is_sparse(tmp_path: Path) -> None:
    path = written(tmp_path, FAT32, ESP, at=MIB)
    facts = path.stat()
    assert facts.st_size == 34 * MIB
    assert facts.st_blocks * 512 < MIB
    assert path.read_bytes() == bytes(MIB) + image_of(FAT32, ESP)


def test_what_surrounds_the_volume_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(b"\xaa" * MIB + bytes(6 * MIB) + b"\xbb" * MIB)
    with path.open("r+b") as file:
        fat.write(file.fileno(), MIB, FAT16, ESP)
    assert path.read_bytes() == b"\xaa" * MIB + image_of(FAT16, ESP) + b"\xbb" * MIB


def test_hidden_sectors_and_geometry_stand_in_the_boot_sector(tmp_path: Path) -> None:
    volume = Volume("EXITISP", 33 * MIB, 1, WHEN, hidden=2048)
    with written(tmp_path, volume, {}).open("rb") as file:
        bpb = FATFS(file).bpb
    assert bpb.BPB_HiddSec == 2048
    assert bpb.BPB_Media == 0xF8
    assert (bpb.BPB_NumHeads, bpb.BPB_SecPerTrk) == (255, 63)
    assert (bpb.BPB_TotSec16, bpb.BPB_TotSec32) == (0, 33 * 2048)


@pytest.mark.parametrize("sectors", [8401, 32680, 32681, 65535, 65536, 66600, 66601, 532481])
def test_volumes_at_the_limits_of_each_kind_are_sound(sectors: int) -> None:
    judge(Volume("EXITISP", sectors * 512, 1, WHEN), ESP)


@given(SECTOR_COUNTS)
@example(66600)
@example(66601)
@example(0xFFFFFFFF)
def test_every_size_stays_clear_of_the_cluster_counts_readers_get_wrong(sectors: int) -> None:
    """fatgen103 asks for a distance of 16 from the two limits."""
    shape = fat.geometry(sectors * 512)
    if shape.bits == 16:
        assert 4085 + 16 <= shape.clusters < 65525 - 16
    else:
        assert 65525 + 16 <= shape.clusters < 0x0FFFFFF5
    assert (shape.clusters + 2) * shape.bits // 8 <= shape.fat_sectors * 512


def test_the_esp_of_33_mib_is_fat32_with_clusters_of_a_sector() -> None:
    shape = fat.geometry(33 * MIB)
    assert (shape.bits, shape.cluster_sectors) == (32, 1)


@pytest.mark.parametrize("size", [0, 1, 8400 * 512, 33 * MIB + 1, 1 << 41])
def test_sizes_outside_fat16_and_fat32_are_refused(size: int) -> None:
    with pytest.raises(Refusal, match="is not a size for FAT"):
        fat.geometry(size)


def test_contents_come_from_files_and_holes_stay_holes(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_bytes(b"-" * 100 + b"x" * (fat.CHUNK + 5))
    holed = Content(
        60 * MIB, (Extent(10, 3, b"-abc", 1), Extent(50 * MIB, fat.CHUNK + 5, origin, 100))
    )
    path = written(tmp_path, Volume("EXITISP", 80 * MIB, 1, WHEN), {"big": holed, "last": b"end"})
    assert path.stat().st_blocks * 512 < 4 * MIB
    check(path)
    image = path.read_bytes()
    shape = fat.geometry(80 * MIB)
    first = shape.place(3)
    assert image[first : first + 60 * MIB] == holed.read()
    assert image[first + 60 * MIB :][:3] == b"end"


def test_a_file_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.write_bytes(b"short")
    with pytest.raises(EOFError, match="origin is shorter"):
        written(tmp_path, FAT16, {"a": Content(6, (Extent(0, 6, origin),))})


def test_a_volume_can_be_filled_to_the_last_cluster() -> None:
    shape = fat.geometry(FAT32.size)
    full = bytes((shape.clusters - 1) * 512)
    judge(FAT32, {"FULL": full})
    with pytest.raises(Refusal, match=f"there are {shape.clusters}"):
        fat.encode(FAT32, {"FULL": full, "MORE": b"x"})


@pytest.mark.parametrize(
    "name",
    [
        "a:b", "a*", "a?", 'a"b', "a<b", "a>b", "a|b", "a\\b", "tab\there", "del\x7f", "x\uffff",
        "trailing.", "trailing ", " leading", "a" * 256, "\U0001f9c5" * 128, "lone\ud800",
    ],
)  # fmt: skip
def test_names_fat_cannot_hold_are_refused(name: str) -> None:
    for path in (name, f"EFI/{name}", f"{name}/file"):
        with pytest.raises(Refusal) as refused:
            fat.encode(FAT32, {path: b""})
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("path", ["", "/abs", "a//b", "../up", "a/.", "a/"])
def test_paths_that_leave_the_volume_are_refused(path: str) -> None:
    with pytest.raises(Refusal):
        fat.encode(FAT32, {path: b""})


@pytest.mark.parametrize(
    "paths",
    [("Site.yaml", "site.yaml"), ("EFI/a", "efi/b"), ("EFI/BOOT/Ä", "EFI/BOOT/ä")],
)
def test_names_equal_but_for_case_are_refused(paths: tuple[str, str]) -> None:
    with pytest.raises(Refusal, match="differs from it only in case"):
        fat.encode(FAT32, dict.fromkeys(paths, b""))


def test_a_file_where_a_directory_is_needed_is_refused() -> None:
    with pytest.raises(Refusal, match="'EFI' in this path is a file, not a directory"):
        fat.encode(FAT32, {"EFI": b"", "EFI/BOOT": b""})


def test_a_file_of_4_gib_is_refused_and_one_byte_less_is_not() -> None:
    volume = Volume("EXITISP", 5 << 30, 1, WHEN)
    fat.encode(volume, {"big": Content((1 << 32) - 1)})
    with pytest.raises(Refusal, match="4294967296 bytes; a file of FAT has at most 4294967295"):
        fat.encode(volume, {"big": Content(1 << 32)})


def test_more_than_the_fixed_root_of_fat16_holds_is_refused() -> None:
    names = {f"{n:08}": b"" for n in range(511)}
    judge(FAT16, names)
    with pytest.raises(
        Refusal, match="513 entries, of which a long name takes several; at most 512 fit"
    ):
        fat.encode(FAT16, names | {"ONE.TOO": b""})


def test_a_directory_of_more_than_65536_entries_is_refused() -> None:
    with pytest.raises(
        Refusal, match="65537 entries, of which a long name takes several; at most 65536 fit"
    ):
        fat.encode(FAT32, {f"{n:08}": b"" for n in range(65536)})


@pytest.mark.parametrize("label", ["", "lower", "TWELVE CHARS", " X", "X ", "A.B", "É", "A/B"])
def test_labels_fat_cannot_hold_are_refused(label: str) -> None:
    with pytest.raises(Refusal, match="FAT label"):
        fat.encode(Volume(label, 33 * MIB, 1, WHEN), {})


def test_a_refusal_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "volume"
    with path.open("wb") as file, pytest.raises(Refusal):
        fat.write(file.fileno(), 0, FAT32, {"a": b"x", "b:": b""})
    assert path.stat().st_size == 0
