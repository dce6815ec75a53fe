"""Downloads and verifies Debian's packages with apt, without root and apart from the host's own
apt.

apt.conf(5) lets every file that apt writes be in another place. The sources and the trusted keys
are those of the host. With an empty dpkg status apt also downloads dependencies that the host has
installed.
"""

import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.atomic_files import replace, writing
from image.download.cache import alone_in
from image.progress import step

FRESH_DAYS = 7
"""A choice of packages is used for this long before the archive is asked again."""

PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A package of the archive. `file` is its name in apt's folder of archives, `size` is in bytes,
    and `sha256` comes from the index that the archive's keys have signed."""

    name: str
    version: str
    file: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Package:
    """A chosen package, and the path of its verified file."""

    chosen: Chosen
    path: Path


def obtain(names: Sequence[str], cache: Path) -> list[Package]:
    """Return the packages `names` and all their dependencies, from the folder `cache` or downloaded
    into it, and verified.

    A choice that is less than `FRESH_DAYS` old is used again. So is an older one if the archive
    cannot be reached. Raises Refusal.
    """
    with alone_in(cache):
        plan = _cached_choice(names, cache)
        if plan is None:
            plan = _choose(names, cache)
        packages = [Package(one, _folder(cache) / one.file) for one in plan]
        if missing := [one for one in packages if not _verified(one)]:
            with step("Download Debian's packages", sum(one.chosen.size for one in missing)):
                _apt(cache, "install", "--download-only", "--quiet=2", *_with_versions(plan))
            for one in packages:
                if not _verified(one):
                    raise _damaged(one)
        return packages


def parse_plan(text: str) -> list[Chosen]:
    """Parse the output of ``apt-get install --print-uris`` with SHA-256 forced: one line for each
    package, ``'URI' FILE SIZE SHA256:HASH``.

    Raises Refusal for a line without that hash.
    """
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) != 4 or not words[0].startswith("'"):
            continue
        file, size, digest = words[1:]
        kind, _, sha256 = digest.partition(":")
        parts = file.removesuffix(".deb").split("_")
        whole = re.fullmatch("[0-9]{1,15}", size) and "/" not in file
        if kind != "SHA256" or len(parts) != 3 or not whole:
            raise Refusal(
                "apt-get --print-uris",
                "a package is without its SHA-256: " + line.partition("' ")[2],
                "Use the apt of Debian 12 or newer",
            )
        found.append(Chosen(parts[0], parts[1].replace("%3a", ":"), file, int(size), sha256))
    return sorted(found, key=lambda one: one.name)


def _cached_choice(names: Sequence[str], cache: Path) -> list[Chosen] | None:
    """Return the choice for `names` that is in the cache, or a new one if that is old and the
    archive can be reached. None if there is no choice."""
    try:
        told = json.loads((cache / PLAN).read_text())
        if told["names"] != list(names):
            return None
        plan = [Chosen(**one) for one in told["packages"]]
        old = time.time() - (cache / PLAN).stat().st_mtime > FRESH_DAYS * 86400
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if old:
        try:
            return _choose(names, cache)
        except Refusal:
            pass
    return plan


def _choose(names: Sequence[str], cache: Path) -> list[Chosen]:
    with step("Choose packages from Debian's archive"):
        for folder in ("state/lists/partial", "cache/archives/partial", "nothing/partial"):
            with writing(cache):
                (cache / folder).mkdir(parents=True, exist_ok=True)
        replace(cache / "status", b"")
        _apt(cache, "update", "--quiet=2")
        # apt-get does not print packages that are already in its folder of archives.
        elsewhere = f"Dir::Cache::archives={cache / 'nothing'}"
        said = _apt(cache, "install", "--print-uris", "--quiet=2", "-o", elsewhere, *names)
    plan = parse_plan(said)
    if not plan:
        raise _unreachable("it would install none of them")
    text = json.dumps({"names": list(names), "packages": [asdict(one) for one in plan]}, indent=1)
    replace(cache / PLAN, text.encode())
    return plan


def _with_versions(plan: Sequence[Chosen]) -> list[str]:
    return [f"{one.name}={one.version}" for one in plan]


def _folder(cache: Path) -> Path:
    return cache / "cache" / "archives"


def _verified(package: Package) -> bool:
    try:
        with package.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return False
    return digest == package.chosen.sha256


def _apt(cache: Path, *arguments: str) -> str:
    """Run apt-get with its state in `cache` and return its output. Raises Refusal."""
    options = {
        "Dir::State": cache / "state",
        "Dir::State::status": cache / "status",
        "Dir::Cache": cache / "cache",
        "Dir::Log": cache / "log",
        "APT::Architecture": "amd64",
        "APT::Architectures::": "amd64",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
        "APT::Get::Assume-Yes": "true",
        "APT::Keep-Downloaded-Packages": "true",
        "Acquire::Languages": "none",
        "Acquire::ForceHash": "SHA256",
        "Acquire::Retries": "2",
        "Debug::NoLocking": "true",
    }
    command = ["apt-get", *(f"-o{name}={value}" for name, value in options.items()), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
        )
    except OSError as error:
        raise _unreachable(error.strerror or str(error)) from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
        raise _unreachable((said or [f"exit status {done.returncode}"])[0].removeprefix("E: "))
    return done.stdout


def _unreachable(problem: str) -> Refusal:
    return Refusal(
        "Debian's packages",
        f"apt could not find or download them: {problem[:300]}",
        "Build on Debian, and check that apt-get update works there",
    )


def _damaged(package: Package) -> Refusal:
    return Refusal(
        package.path,
        f"the file is missing or its SHA-256 is not {package.chosen.sha256}",
        "Remove the file and run the same command again",
    )
