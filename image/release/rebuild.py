"""Builds twice, in two places that have as little in common as one machine allows.

Each place has its own copy of the sources, home, cache, time zone, language, hash seed and umask.
Both share Python, and files that were downloaded and verified before.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.atomic_files import writing
from image.download.cache import cache_folder
from image.release import checkout, comparison

IMAGE = "dist/exitisp.img"

INHERITED = (
    "PATH", "SOURCE_DATE_EPOCH", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY",
    "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_CONFIG_FILE",
)  # fmt: skip
"""Environment variables that say how to reach the network, or that are meant to decide the
result."""


@dataclass(frozen=True, slots=True)
class Place:
    """One of the two places. `folder` is relative to the working folder."""

    name: str
    folder: str
    umask: int
    environment: Mapping[str, str]


PLACES = (
    Place(
        "first build",
        "a",
        0o022,
        {"TZ": "Asia/Kolkata", "LC_ALL": "C", "PYTHONHASHSEED": "1", "USER": "ann"},
    ),
    Place(
        "second build",
        "far away/b",
        0o077,
        {"TZ": "America/St_Johns", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2", "USER": "bob"},
    ),
)


def build_twice(root: Path, work: Path, arguments: Sequence[str]) -> Path:
    """Run `./exitisp build ARGUMENTS` for the clean checkout `root` in two places below the empty
    folder `work`. Return the first image, which is identical to the second. Raises Refusal."""
    first, second = (_build(place, root, work / place.folder, arguments) for place in PLACES)
    comparison.compare(first, second)
    return first


def build_once(
    root: Path, folder: Path, arguments: Sequence[str], environment: Mapping[str, str]
) -> Path:
    """Run `./exitisp build ARGUMENTS` for the clean checkout `root` below `folder`, with variables
    of the environment beside the inherited ones, and return the image. Raises Refusal."""
    return _build(Place("build", "", 0o022, environment), root, folder, arguments)


def _build(place: Place, root: Path, folder: Path, arguments: Sequence[str]) -> Path:
    sources, cache = folder / "exitisp", folder / "cache"
    with writing(folder):
        sources.mkdir(parents=True)
        (folder / "home").mkdir()
        _share_downloads(cache / "exitisp")
    checkout.write_out(root, sources)
    command = [sys.executable, str(sources / "tasks.py"), "build"]
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    own = {
        "HOME": str(folder / "home"),
        "XDG_CACHE_HOME": str(cache),
        "PYTHONPATH": str(sources),
        "PYTHONUNBUFFERED": "1",
    }
    problem = _run(place, [*command, *arguments], folder, {**inherited, **own, **place.environment})
    if problem is not None:
        raise Refusal(
            f"the {place.name}",
            f"it failed: {problem}",
            "Correct that, and run the same command again",
        )
    return folder / IMAGE


def _run(
    place: Place, command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> str | None:
    """Run a command and print its progress. Return its last line if it fails, else None."""
    last = ""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        umask=place.umask,
    ) as process:
        assert process.stderr
        try:
            for line in process.stderr:
                if last:
                    print(f"{place.name}: {last}", file=sys.stderr)
                last = line.strip()
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        return last.removeprefix("exitisp: ").rstrip(".") or f"exit status {process.returncode}"
    if last:
        print(f"{place.name}: {last}", file=sys.stderr)
    return None


def _share_downloads(cache: Path) -> None:
    """Link downloaded files into the empty cache of a place, but nothing that was made of them.
    Each build verifies them again."""
    shared = cache_folder().parent
    (cache / "freeze").mkdir(parents=True)
    for name in ("sets", "packages"):
        (shared / name).mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(shared / name)
    for archive in shared.glob("freeze/*.tar.gz"):
        (cache / "freeze" / archive.name).symlink_to(archive)
