"""Makes a release: from a clean checkout to a folder that can be published."""

import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from image.atomic_files import writing
from image.progress import step
from image.release import checkout, gates, signature
from image.release.assembly import assemble, check_output
from image.release.rebuild import build_twice
from image.release_stamp import check_version

LOCK = "image/hardenedbsd.lock.yaml"
CHANGES = "CHANGELOG.md"


def release(
    root: Path,
    version: str,
    output: Path,
    key: Path,
    previous: Path | None = None,
    arguments: Sequence[str] = (),
    *,
    signed: bool = True,
) -> list[str]:
    """Make the new folder `output` with the release `version` of the checkout `root`, and return
    the names of its files.

    `key` signs it: a private key with its public key beside it, or the public key of a key in an
    agent. Unless `signed`, the public key is enough, and `image.release.sign` signs later.
    `previous` is the manifest or image of the previous release. `arguments` are for
    `./exitisp build`. Raises Refusal; then there is no such folder.
    """
    check_version(version)
    check_output(output)
    commit = checkout.clean_commit(root)
    gates.check_lock(root / LOCK)
    signature.public_of(key)
    before, changes = release_before(previous), changes_at(root, version, commit)
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".release-", dir=output.parent.resolve()))
    try:
        trusted = work / "release.pub"
        trusted.write_text(f"{signature.public_of(key)}\n")
        named = ("--version", version, "--commit", commit, "--release-key", str(trusted))
        with step("Build twice, and compare"):
            image = build_twice(root, work, (*arguments, *named))
        gates.check_manifest(image.with_suffix(".json"))
        return assemble(image, version, output, key, before, changes, signed=signed)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def release_before(previous: Path | None) -> tuple[str, Path] | None:
    """Return the version of the previous release, and its manifest or image."""
    return (version_of(previous), previous) if previous else None


def changes_at(root: Path, version: str, commit: str) -> list[str]:
    """Return what the notes say first: the changelog's section, and the commit."""
    return [*changes_of((root / CHANGES).read_text(), version), f"Made of commit `{commit}`."]


def version_of(previous: Path) -> str:
    """Return the version in the name of a release's file, or the name of any other file."""
    found = re.fullmatch(r"exitisp-(.+?)(\.img(\.zst|\.xz)?|\.json)", previous.name)
    return found[1] if found else previous.name


def changes_of(text: str, version: str) -> list[str]:
    """Return what the section of `version` in a changelog says, if there is one."""
    section = re.search(rf"(?ms)^## {re.escape(version)}(?![\w.+-])[^\n]*\n(.*?)(?=^## |\Z)", text)
    said = section[1].strip() if section else ""
    return [said] if said else []
