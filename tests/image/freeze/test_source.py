"""The bootloader's source: only the pinned file is used, whatever a package index sends."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.freeze import source


def sdist(**files: bytes) -> bytes:
    """Make a source distribution; `__` in a name stands for a slash."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"pyinstaller-1/{name.replace('__', '/')}.c")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()


GOOD = sdist(bootloader__src__main=b"int main;", bootloader__zlib__inflate=b"z", setup=b"")


@pytest.fixture(autouse=True)
def pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(GOOD).hexdigest()
    monkeypatch.setattr(source, "SHA256", {source.version(): digest})


def sending(data: bytes) -> source.Fetch:
    def fetch(version: str, sha256: str, folder: Path) -> None:
        (folder / f"pyinstaller-{version}.tar.gz").write_bytes(data)

    return fetch


def fetching_nothing(version: str, sha256: str, folder: Path) -> None:
    raise AssertionError("it was in the cache")


def test_it_is_fetched_once(tmp_path: Path) -> None:
    assert source.obtain(tmp_path / "cache", sending(GOOD)) == GOOD
    assert source.obtain(tmp_path / "cache", fetching_nothing) == GOOD


@pytest.mark.parametrize(
    "bad",
    [GOOD[:-1], GOOD + b"\0", b"", sdist(setup=b"")],
    ids=["cut short", "longer", "empty", "another"],
)
def test_a_file_with_another_hash_is_refused_and_not_cached(tmp_path: Path, bad: bytes) -> None:
    with pytest.raises(Refusal, match="the file has the SHA-256"):
        source.obtain(tmp_path, sending(bad))
    assert list(tmp_path.iterdir()) == []


def test_a_changed_file_in_the_cache_is_refused(tmp_path: Path) -> None:
    source.obtain(tmp_path, sending(GOOD))
    [place] = tmp_path.iterdir()
    place.write_bytes(GOOD.replace(GOOD[20:24], b"evil"))
    with pytest.raises(Refusal, match="the file has the SHA-256"):
        source.obtain(tmp_path, fetching_nothing)


def test_an_unknown_version_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(source, "SHA256", {"1.0": "00"})
    with pytest.raises(Refusal, match=r"pins 1\.0"):
        source.obtain(tmp_path, fetching_nothing)


def test_only_c_files_of_the_bootloader_are_taken() -> None:
    data = sdist(
        bootloader__src__main=b"main",
        bootloader__zlib__inflate=b"z",
        bootloader__src__x__y=b"deeper",
        PyInstaller__src__main=b"elsewhere",
        **{"bootloader__src__..__..__evil": b"escaping"},
    )
    assert source.c_files(data) == {"src/main.c": b"main", "zlib/inflate.c": b"z"}


@pytest.mark.parametrize(
    "data",
    [b"", b"\x1f\x8b nonsense", GOOD[:100], sdist(setup=b"")],
    ids=["empty", "nonsense", "cut short", "another"],
)
def test_another_archive_is_refused(data: bytes) -> None:
    with pytest.raises(Refusal, match="C files of the bootloader"):
        source.c_files(data)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only place where pip looks for packages."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


def offer(index: Path, requires: str = "", first: str = "") -> bytes:
    """Add a source distribution. Building its metadata leaves a trace."""
    version = source.version()
    about = f"Metadata-Version: 2.1\nName: pyinstaller\nVersion: {version}\n"
    backend = f"""
import pathlib
{first}
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    pathlib.Path({str(index)!r}, "was-run").touch()
    info = pathlib.Path(folder, "pyinstaller-{version}.dist-info")
    info.mkdir()
    (info / "METADATA").write_text({about!r})
    return info.name
def build_wheel(folder, config_settings=None, metadata_folder=None):
    raise SystemExit("nothing here builds")
"""
    made_by = 'build-backend = "backend"\nbackend-path = ["."]\n'
    project = f"[build-system]\nrequires = [{requires}]\n{made_by}"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in (
            ("backend.py", backend),
            ("pyproject.toml", project),
            ("PKG-INFO", about),
            (f"bootloader/{source.COMPILED}", "a program"),
        ):
            info = tarfile.TarInfo(f"pyinstaller-{version}/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    (index / f"pyinstaller-{version}.tar.gz").write_bytes(packed.getvalue())
    return packed.getvalue()


def test_pip_downloads_the_pinned_source(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = offer(index)
    digest = hashlib.sha256(data).hexdigest()
    monkeypatch.setattr(source, "SHA256", {source.version(): digest})
    assert source.obtain(tmp_path / "cache") == data
    assert (index / "was-run").exists()


def test_its_build_runs_with_what_is_locked_and_compiles_nothing(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PyInstaller's own does, it compiles unless there is a bootloader for the platform."""
    monkeypatch.delenv("PIP_NO_BUILD_ISOLATION")
    compiled = "import os, pathlib; pathlib.Path('bootloader', os.environ['PYI_PLATFORM']).resolve("
    data = offer(index, requires='"hatchling"', first=f"{compiled}strict=True)")
    digest = hashlib.sha256(data).hexdigest()
    monkeypatch.setattr(source, "SHA256", {source.version(): digest})
    assert source.obtain(tmp_path / "cache") == data


def test_pip_runs_nothing_from_another_source(index: Path, tmp_path: Path) -> None:
    offer(index)
    with pytest.raises(Refusal, match=r"pip download pyinstaller==.*HASH"):
        source.obtain(tmp_path / "cache")
    assert not (index / "was-run").exists()
    assert list((tmp_path / "cache").iterdir()) == []


def test_where_pip_finds_nothing_the_refusal_says_what_to_do(index: Path, tmp_path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        source.obtain(tmp_path / "cache")
    assert f"put pyinstaller-{source.version()}.tar.gz into" in caught.value.remedy
    assert list((tmp_path / "cache").iterdir()) == []
