"""Obtains and verifies the source distribution of the PyInstaller version that is installed."""

import hashlib
import importlib.metadata
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.atomic_files import settle, writing
from image.progress import step

SHA256 = {
    "6.22.3": "05eb2f5615503e72939a7224d68b4aff572c6b0438ee4a17d0a4b481f399362d",
}
"""Of `pyinstaller-VERSION.tar.gz` on the Python Package Index. pyproject.toml pins the version,
because bootloader and archive must be of one version."""

LARGEST = 64 << 20
"""Bytes, compressed or not. The real one has a tenth of that."""

C_SOURCE = re.compile(r"pyinstaller-[^/]+/bootloader/((?:src|zlib)/[A-Za-z0-9_]+\.[ch])")

COMPILED = "Darwin-64bit"
"""A platform whose bootloader is in the source distribution, compiled."""

Fetch = Callable[[str, str, Path], None]


def version() -> str:
    """Return the installed version of PyInstaller. Raises Refusal if the hash of its source is not
    known."""
    installed = importlib.metadata.version("pyinstaller")
    if installed not in SHA256:
        raise Refusal(
            "PyInstaller",
            f"version {installed} is installed, and pyproject.toml pins {' or '.join(SHA256)}",
            "Remove .venv and run the same command again",
        )
    return installed


def fetch(version: str, sha256: str, folder: Path) -> None:
    """Download the source distribution into `folder`, with pip's own configuration. Raises
    Refusal.

    pip verifies the hash, and then asks the archive's own build for the dependencies. That build
    runs with what is installed here, which is locked: pip would fetch the newest tools for it. And
    it would compile a bootloader for this host, unless the one for another platform counts.
    """
    wanted = folder / "requirements.txt"
    wanted.write_text(f"pyinstaller=={version} --hash=sha256:{sha256}\n")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--no-deps", "--no-binary", "pyinstaller", "--require-hashes"]
    command += ["--no-build-isolation"]
    command += ["--dest", str(folder), "--requirement", str(wanted)]
    environment = {**os.environ, "PYI_PLATFORM": COMPILED}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "ERROR" in line] or [done.stderr]
        raise Refusal(
            f"pip download pyinstaller=={version}",
            "pip could not download the source distribution: "
            + (said[0].strip()[:200] or f"exit status {done.returncode}"),
            "Check that pip reaches a package index, or put "
            f"pyinstaller-{version}.tar.gz into the cache's folder 'freeze' yourself",
        )


def obtain(cache: Path, fetch: Fetch = fetch) -> bytes:
    """Return the source distribution, from the folder `cache` or fetched into it.

    Raises Refusal if it does not have the hash in `SHA256`. A wrong file in the cache is not
    removed.
    """
    wanted = version()
    sha256 = SHA256[wanted]
    place = cache / f"pyinstaller-{wanted}.tar.gz"
    if not place.exists():
        with writing(cache):
            cache.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=cache))
        try:
            with step(f"Fetch the source of PyInstaller {wanted}"):
                fetch(wanted, sha256, work)
            _verified(work / place.name, sha256)
            settle(work / place.name, place)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return _verified(place, sha256)


def c_files(sdist: bytes) -> dict[str, bytes]:
    """Return the C sources of the bootloader and of its zlib, by path such as ``src/main.c``.

    Raises Refusal for anything but such an archive.
    """
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(sdist), mode="r:gz") as archive:
            for member in archive:
                name = C_SOURCE.fullmatch(member.name)
                if name and member.isreg() and member.size <= LARGEST:
                    content = archive.extractfile(member)
                    assert content is not None
                    files[name[1]] = content.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _no_source(str(error)) from error
    if not {"src/main.c", "zlib/inflate.c"} <= files.keys():
        raise _no_source("src/main.c or zlib/inflate.c is missing")
    return files


def _verified(place: Path, sha256: str) -> bytes:
    with writing(place):
        if not place.exists():
            raise _no_source(f"pip fetched no {place.name}")
        if place.stat().st_size > LARGEST:
            raise _no_source(f"it has {place.stat().st_size} bytes")
        data = place.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise Refusal(
            place,
            f"the file has the SHA-256 {found} and not {sha256}",
            "Remove the file and run the same command again",
        )
    return data


def _no_source(problem: str) -> Refusal:
    return Refusal(
        "the source of PyInstaller",
        f"this is not an archive with the C files of the bootloader: {problem}",
        "Remove it from the cache and run the same command again",
    )
