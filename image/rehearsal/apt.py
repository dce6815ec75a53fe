"""Debian's packages, by apt's own verified download, without root and beside the host's apt.

apt.conf(5) lets everything that apt writes be elsewhere; the sources and the keys that it trusts
are the host's. An empty dpkg status makes it bring dependencies that the host has, too.
"""

import hashlib
import json
import os
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
"""What was chosen from the archive is used for so long before the archive is asked again."""

PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A package that the archive has: `file` is its name in apt's folder of archives, `sha256` from
    the index that the archive's keys have signed, `size` in bytes."""

    name: str
    version: str
    file: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Package:
    """A chosen package whose file at `path` was verified."""

    chosen: Chosen
    path: Path


def obtain(names: Sequence[str], cache: Path) -> list[Package]:
    """The packages `names` with all that they depend on, out of the folder `cache` or downloaded
    into it, verified.

    What was chosen less than `FRESH_DAYS` ago is chosen again, and so is what was chosen before
    when the archive cannot be reached. Raises Refusal.
    """
    with alone_in(cache):
        plan = _kept(names, cache)
        if plan is None:
            plan = _ask(names, cache)
        packages = [Package(one, _folder(cache) / one.file) for one in plan]
        if missing := [one for one in packages if not _verified(one)]:
            with step("Download Debian's packages", sum(one.chosen.size for one in missing)):
                _apt(cache, "install", "--download-only", "--quiet=2", *_exactly(plan))
            for one in packages:
                if not _verified(one):
                    raise _damaged(one)
        return packages


def parse_plan(text: str) -> list[Chosen]:
    """What ``apt-get install --print-uris`` prints, with SHA-256 forced: a line a package,
    ``'URI' FILE SIZE SHA256:HASH``. Raises Refusal for a line without that hash."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) != 4 or not words[0].startswith("'"):
            continue
        file, size, digest = words[1:]
        kind, _, sha256 = digest.partition(":")
        parts = file.removesuffix(".deb").split("_")
        if kind != "SHA256" or len(parts) != 3 or not size.isdecimal() or "/" in file:
            raise Refusal(
                "apt-get --print-uris",
                expected="a package with its SHA-256",
                found=line.partition("' ")[2],
                remedy="use the apt of Debian 12 or newer",
            )
        found.append(Chosen(parts[0], parts[1].replace("%3a", ":"), file, int(size), sha256))
    return sorted(found, key=lambda one: one.name)


def _kept(names: Sequence[str], cache: Path) -> list[Chosen] | None:
    """What was chosen for `names` not long ago."""
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
            return _ask(names, cache)
        except Refusal:
            pass
    return plan


def _ask(names: Sequence[str], cache: Path) -> list[Chosen]:
    with step("Ask Debian's archive for packages"):
        for folder in ("state/lists/partial", "cache/archives/partial", "nothing/partial"):
            with writing(cache):
                (cache / folder).mkdir(parents=True, exist_ok=True)
        replace(cache / "status", b"")
        _apt(cache, "update", "--quiet=2")
        # What is in the folder of archives would not be among what it prints.
        elsewhere = f"Dir::Cache::archives={cache / 'nothing'}"
        said = _apt(cache, "install", "--print-uris", "--quiet=2", "-o", elsewhere, *names)
    plan = parse_plan(said)
    if not plan:
        raise _unreachable("none that apt would install")
    text = json.dumps({"names": list(names), "packages": [asdict(one) for one in plan]}, indent=1)
    replace(cache / PLAN, text.encode())
    return plan


def _exactly(plan: Sequence[Chosen]) -> list[str]:
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
    """The output of apt-get with its state in `cache`. Raises Refusal."""
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


def _unreachable(found: str) -> Refusal:
    return Refusal(
        "Debian's packages",
        expected="apt to find and download them",
        found=found[:300],
        remedy="build on Debian, and check that apt-get update works there",
    )


def _damaged(package: Package) -> Refusal:
    return Refusal(
        package.path,
        expected=f"the SHA-256 {package.chosen.sha256}",
        found="another one, or no file",
        remedy="remove the file and run the same command again",
    )
