"""Makes all files of a release from an image and its manifest."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from firstboot.core.refusal import Refusal
from image import diff
from image.atomic_files import sync, writing
from image.flash import source
from image.progress import step
from image.release import bmap, checksums, notes, upgrade
from image.release.compression import Kind, compress
from image.release.sign import UPGRADE, sign_release
from image.release_stamp import check_version

SBOM = ".cdx.json"
"""End of the name of an image's bill of materials."""

NOTES, BLOCK_MAP = ".md", ".bmap"

ENDS = (".json", SBOM, *(f".img{kind.value}" for kind in Kind), BLOCK_MAP, UPGRADE, NOTES)
"""The ends of the names of all that SHA256SUMS lists; before them stands ``exitisp-VERSION``."""


def assemble(
    image: Path,
    version: str,
    output: Path,
    key: Path,
    previous: tuple[str, Path] | None = None,
    changes: Sequence[str] = (),
    *,
    signed: bool = True,
) -> list[str]:
    """Make the new folder `output` with the release `version` of `image`, and return the names of
    its files.

    `key` signs it, see `image.release.signature`; unless `signed`, `image.release.sign` does so
    later, elsewhere. `previous` is the previous release: its version, and its image or manifest.
    `changes` go into the notes. Raises Refusal; then there is no such folder.
    """
    check_version(version)
    check_output(output)
    part = output.with_name(f".{output.name}.new")
    with writing(output):
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            _fill(part, image, version, previous, changes)
            if signed:
                sign_release(part, key)
            names = sorted(path.name for path in part.iterdir())
            for name in names:
                sync(part / name)
            sync(part)
            part.rename(output)
            sync(output.parent)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return names


def check_output(output: Path) -> None:
    """Raises Refusal if something is already where the release is to go."""
    if output.exists():
        raise Refusal(
            output,
            "there is already something of that name",
            "Remove it, or name another folder",
        )


def _fill(
    folder: Path,
    image: Path,
    version: str,
    previous: tuple[str, Path] | None,
    changes: Sequence[str],
) -> None:
    contents = diff.load(image)
    before = (previous[0], diff.load(previous[1])) if previous else None
    base = folder / f"exitisp-{version}"
    with source.open_image(image) as opened:
        wanted = opened.block_map()
        with step("Hash the blocks of the image", wanted.size) as tell:
            named(base, BLOCK_MAP).write_text(bmap.render(wanted, opened.read, tell))
    upgrade.write(image, named(base, UPGRADE))
    for kind in Kind:
        compress(image, named(base, f".img{kind.value}"))
    shutil.copyfile(diff.beside(image), named(base, ".json"))
    sbom = image.with_suffix(SBOM)
    if sbom.exists():
        shutil.copyfile(sbom, named(base, SBOM))
    named(base, NOTES).write_text(notes.render(version, contents, before, changes))
    checksums.write(folder, sorted(path.name for path in folder.iterdir()))


def named(base: Path, end: str) -> Path:
    """Return `base` with `end` appended. `base` contains dots, so Path.with_suffix would cut it."""
    return base.with_name(base.name + end)
