"""Builds a release again, and compares it with the one that was published."""

import platform
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from firstboot.core import bounded_json, release_info
from firstboot.core.limits import IMAGE_MANIFEST, RELEASE_TEXT
from firstboot.core.refusal import Refusal
from firstboot.core.release_info import Stamp
from image import diff
from image.atomic_files import writing
from image.flash.source import Image, open_image
from image.progress import step
from image.release import bmap, checkout, comparison, notes, signature, upgrade
from image.release.assembly import BLOCK_MAP, ENDS, NOTES, SBOM, named
from image.release.compression import Kind
from image.release.rebuild import IMAGE, build_once
from image.release.release import changes_at, release_before
from image.release.sign import UPGRADE, read_upgrade
from image.ssh_signature import PublicKey, Signer
from image.verified_file import read_regular

CHUNK = 1 << 20


def verify(
    root: Path,
    folder: Path,
    key: Path,
    previous: Path | None = None,
    arguments: Sequence[str] = (),
) -> list[str]:
    """Build the commit of the release in `folder` from the checkout `root`, compare every file with
    what follows from the build, and return the names of the files, which are the same.

    `key` is the public key of the releases; the signatures are verified first. `previous` is the
    manifest or image of the release that the notes compare with. `arguments` are for `./exitisp
    build`. Raises Refusal for a difference, and for a checkout of another commit.
    """
    trusted = signature.read_key(key)
    sums = signature.verify(folder, trusted)
    manifest = next((name for name in sums if name.endswith(".json") and SBOM not in name), None)
    if manifest is None:
        raise Refusal(
            folder, "the release has no manifest", "Fetch it again, with all of its files"
        )
    stamp, time, compiler = made(folder / manifest)
    base = folder / f"exitisp-{stamp.version}"
    check_files(folder, sums, base.name)
    check_previous(named(base, NOTES), previous)
    commit = checkout.clean_commit(root)
    if commit != stamp.commit:
        raise Refusal(
            root,
            f"the checkout is at {commit}, and the release is made of {stamp.commit or 'none'}",
            f"Take that commit: git checkout {stamp.commit}",
        )
    check_python(compiler)
    work = Path(tempfile.mkdtemp(prefix="exitisp-verify-"))
    try:
        with writing(work):
            public = work / "release.pub"
            shutil.copyfile(key, public)
        asked = ("--version", stamp.version, "--commit", commit, "--release-key", str(public))
        with step("Build the release again"):
            build_once(root, work, (*arguments, *asked), {"SOURCE_DATE_EPOCH": str(time)})
        changes = changes_at(root, stamp.version, commit)
        return list(same_files(base, work / IMAGE, trusted, stamp.version, changes, previous))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check_files(folder: Path, names: Iterable[str], base: str) -> None:
    """Raise Refusal unless `names` are those of the files of a release, all of which are called
    `base` with an end of their own."""
    wanted = {f"{base}{end}" for end in ENDS}
    if other := sorted(wanted.symmetric_difference(names)):
        what = "is missing" if other[0] in wanted else "is no file of a release"
        raise Refusal(
            folder / other[0],
            f"it {what}, as SHA256SUMS lists them",
            "Fetch the release again, with all of its files",
        )


def check_previous(path: Path, previous: Path | None) -> None:
    """Raise Refusal unless the notes at `path` compare with the release `previous`, or with none if
    it is None."""
    said = re.search(r"(?m)^## What changed since (.+)$", _text(path))
    found, given = said[1] if said else "", release_before(previous)
    if found != (given[0] if given else ""):
        raise Refusal(
            path,
            f"the notes compare with the release {found}, which has to be named"
            if found
            else "the notes compare with no other release",
            f"Add --previous exitisp-{found}.json" if found else "Leave --previous out",
        )


def check_python(compiler: str) -> None:
    """Raise Refusal unless this is the Python that compiled a wizard, or there is no wizard."""
    here = platform.python_version()
    if compiler not in ("", here):
        raise Refusal(
            f"Python {here}",
            f"the wizard of the release was compiled by {compiler}, and others make other bytes",
            f"Use that one: remove .venv, and set EXITISP_PYTHON to a Python {compiler}",
        )


def made(manifest: Path) -> tuple[Stamp, int, str]:
    """Return the release that a manifest is of, its time in seconds since 1970, and the version of
    the Python that compiled its wizard; "" without a wizard."""
    try:
        facts = bounded_json.read(read_regular(manifest, IMAGE_MANIFEST.size), IMAGE_MANIFEST)
        wizard = facts["wizard"]
        compiler = str(wizard["compiled_by"]) if wizard else ""
        return Stamp.parse(facts["release"]), int(facts["time"]), compiler
    except (ValueError, LookupError, TypeError) as error:
        raise Refusal(
            manifest, f"this is not the manifest of a release ({error})", "Fetch the release again"
        ) from error


def same_files(
    base: Path,
    image: Path,
    key: PublicKey,
    version: str,
    changes: Sequence[str],
    previous: Path | None,
) -> Iterator[str]:
    """Yield the name of each file of the release `base` once it is seen to be what follows from
    `image`, which was built here. Raises Refusal for one that is not."""
    yield from _compare_image(base, image)
    yield _compare_upgrade(named(base, UPGRADE), image, key)
    before = release_before(previous)
    old = (before[0], diff.load(before[1])) if before else None
    if notes.render(version, diff.load(image), old, changes) != _text(named(base, NOTES)):
        raise comparison.differ(named(base, NOTES), "its text")
    yield named(base, NOTES).name


def _compare_image(base: Path, image: Path) -> Iterator[str]:
    """Yield the names of the files of the release `base` that are as `image`, which was built here,
    makes them. Raises Refusal for another one."""
    for end in (".json", SBOM):
        comparison.compare_files(named(base, end), image.with_suffix(end))
        yield f"{base.name}{end}"
    with open_image(image) as ours:
        for kind in Kind:
            path = named(base, f".img{kind.value}")
            with open_image(path) as theirs, step(f"Compare {path.name}", ours.size) as tell:
                if ours.size != theirs.size:
                    raise comparison.differ(path, f"its size, {theirs.size} and not {ours.size}")
                for at in range(0, ours.size, CHUNK):
                    length = min(CHUNK, ours.size - at)
                    if ours.read(at, length) != theirs.read(at, length):
                        raise comparison.differ(path, f"the {CHUNK} bytes from byte {at} on")
                    tell(length)
            yield path.name
        yield _compare_map(named(base, BLOCK_MAP), ours)


def _compare_map(path: Path, image: Image) -> str:
    if bmap.render(image.block_map(), image.read) != _text(path):
        raise comparison.differ(path, "its ranges")
    return path.name


def _compare_upgrade(path: Path, image: Path, key: PublicKey) -> str:
    """Raise Refusal unless the upgrade is to `image`, and signed by `key`. All but the signature is
    compared: a key may sign in many ways."""
    again = image.with_suffix(UPGRADE)
    upgrade.write(image, again)
    (head, manifest), (our_head, ours) = read_upgrade(path), read_upgrade(again)
    if manifest != ours:
        raise comparison.differ(path, "its manifest")
    with path.open("rb") as file:
        file.seek(head.content - head.signature)
        said = file.read(head.signature)
    signer = Signer(signature.PRINCIPAL, key, release_info.NAMESPACE, "Do not install it")
    signer.verify(manifest, said, str(path))
    comparison.compare_files(path, again, (head.content, our_head.content))
    return path.name


def _text(path: Path) -> str:
    """Return the text of the notes or block map at `path`. Bytes that are not UTF-8 stay other than
    any text that is made here. Raises Refusal."""
    return read_regular(path, RELEASE_TEXT).decode("utf-8", "surrogateescape")
