"""Signs a release that was built without its key, with Python's standard library and ssh-keygen
alone:

    python3 -S -m image.release.sign FOLDER KEY SHA256

FOLDER is what `./exitisp release --unsigned` made, and SHA256 is that of the SHA256SUMS in it, told
by whoever built it. Nothing that was installed from outside runs where the key is.
"""

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from firstboot.core import release_info, upgrade_file
from firstboot.core.limits import UPGRADE_MANIFEST
from firstboot.core.refusal import Refusal
from firstboot.core.upgrade_file import LONGEST_HEAD, Head, begin, read_head
from image.atomic_files import settle
from image.release import checksums, signature

UPGRADE = ".upgrade"
"""End of the name of the file that boxes upgrade with, see `firstboot.core.upgrade_file`."""

CHUNK = 1 << 20


def sign_release(folder: Path, key: Path) -> None:
    """Sign the upgrade in `folder`, and the hashes of all files there. `key` is a private key, or
    the public one of a key in an agent. Raises Refusal."""
    for path in sorted(folder.glob(f"*{UPGRADE}")):
        sign_upgrade(path, key)
    names = sorted(path.name for path in folder.iterdir() if path.name != checksums.NAME)
    signature.sign(checksums.write(folder, names), key)
    signature.verify(folder, signature.public_of(key))


def sign_built(folder: Path, key: Path, built: str) -> None:
    """Sign the release in `folder`, whose SHA256SUMS must have the SHA-256 `built`, and whose image
    must take upgrades that this key signs. Raises Refusal, also for anything else in the folder."""
    listed = folder / checksums.NAME
    data = listed.read_bytes() if listed.is_file() else b""
    found = hashlib.sha256(data).hexdigest()
    if found != built:
        raise Refusal(
            listed,
            f"its SHA-256 is {found}, but the build made {built}",
            "Do not sign it. Find out where the files were changed since the build",
        )
    sums = checksums.parse(data, str(listed))
    if others := {path.name for path in folder.iterdir()} - {checksums.NAME, *sums}:
        raise Refusal(
            folder / min(others), "the build did not make this file", "Do not sign this folder"
        )
    checksums.verify(folder, sums)
    _check_trust(folder, key)
    sign_release(folder, key)


def sign_upgrade(path: Path, key: Path) -> None:
    """Sign the manifest of the upgrade file at `path`, in the file. Raises Refusal; then the file
    stays as it was."""
    part = path.with_name(f".{path.name}.new")
    try:
        head, manifest = read_upgrade(path)
        with path.open("rb") as old, tempfile.TemporaryDirectory() as work:
            message = Path(work) / "manifest"
            message.write_bytes(manifest)
            signed = signature.sign(message, key, release_info.NAMESPACE)
            with part.open("wb") as new:
                new.write(begin(manifest, signed.read_bytes()))
                old.seek(head.content)
                shutil.copyfileobj(old, new, CHUNK)
        settle(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_upgrade(path: Path) -> tuple[Head, bytes]:
    """Return the head and the manifest of the upgrade file at `path`. Raises Refusal."""
    with path.open("rb") as file:
        data = file.read(LONGEST_HEAD + UPGRADE_MANIFEST.size)
    head = read_head(data[:LONGEST_HEAD])
    if head is None or head.length + head.manifest > len(data):
        raise Refusal(path, "this is not a whole upgrade", "Make the release again")
    return head, data[head.length : head.length + head.manifest]


def _check_trust(folder: Path, key: Path) -> None:
    """Raise Refusal if boxes with this image would take no upgrade that `key` signs."""
    trusted = release_info.allowed_signers([str(signature.public_of(key))])
    wanted = hashlib.sha256(trusted).hexdigest()
    upgrades = sorted(folder.glob(f"*{UPGRADE}"))
    if not upgrades:
        raise Refusal(
            folder,
            "there is no upgrade in it, which would tell whose upgrades its image takes",
            "Do not sign it. Make the release again",
        )
    for path in upgrades:
        _, manifest = read_upgrade(path)
        try:
            files = upgrade_file.parse(manifest).files
        except ValueError as error:
            raise Refusal(path, f"its manifest is damaged: {error}", "Do not sign it") from error
        if files.get(f"/{release_info.SIGNERS}") != wanted:
            raise Refusal(
                path,
                f"its image takes no upgrades that {key} signs",
                "Sign with the key whose public half the image was built with",
            )


if __name__ == "__main__":
    try:
        if len(sys.argv) != 4:
            raise Refusal("sign", "it takes a FOLDER, a KEY and a SHA256", "Read .ci/sign.sh")
        sign_built(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    except Refusal as refusal:
        sys.exit(f"exitisp: {refusal}")
