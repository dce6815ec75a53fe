"""The images that builds make: their names, their base systems, and which one was built last."""

from enum import Enum
from pathlib import Path

from firstboot.core.refusal import Refusal


class Base(Enum):
    """A base system; the value is its name on the command line."""

    HARDENEDBSD = "hardenedbsd"
    REHEARSAL = "rehearsal"


IMAGE = "dist/exitisp.img"
SBOM = "dist/exitisp.cdx.json"
REHEARSAL = "dist/exitisp-rehearsal.img"

IMAGES = {Base.HARDENEDBSD: IMAGE, Base.REHEARSAL: REHEARSAL}
"""Where a build writes its image unless --output names another place."""

MARK = "rehearsal"
"""Part of the file name of every rehearsal."""


def base_of(image: Path) -> Base:
    """The base system of an image, which its file name tells: `check_name` sees to that."""
    return Base.REHEARSAL if MARK in image.name else Base.HARDENEDBSD


def last_built(base: Base | None = None) -> Path:
    """The image of the last build, or of the last one with this base.

    Raises Refusal if there is none. Images that were written elsewhere are not considered.
    """
    bases = IMAGES if base is None else [base]
    built = [image for image in (Path(IMAGES[one]) for one in bases) if image.exists()]
    if not built:
        kind = f" --base {base.value}" if base else ""
        name = IMAGES[base] if base else "dist"
        raise Refusal(name, "no image was built here", f"Make one: ./exitisp build{kind}")
    return max(built, key=_built_at)


def last_for_the_internet(instead: str) -> Path:
    """The image of the last build. Raises Refusal if that is a rehearsal; `instead` is what to type
    then."""
    image = last_built()
    if base_of(image) is Base.REHEARSAL:
        problem = "the last build made this rehearsal, which is not for the Internet"
        raise Refusal(image, problem, instead)
    return image


def next_steps(image: Path) -> str:
    """What to type after a build of `image`."""
    named = "" if str(image) in IMAGES.values() else f" {image}"
    boot = f"./exitisp boot{named} starts it in a virtual machine"
    if base_of(image) is Base.REHEARSAL:
        return f"Next: {boot}; ./exitisp lab{named} runs it in a simulated Internet."
    return f"Next: {boot}; ./exitisp flash{named} lists the disks to write it to."


def check_name(path: Path) -> None:
    """Raises Refusal if the file name of a rehearsal does not say that it is one."""
    if MARK not in path.name:
        raise Refusal(
            path,
            f"the file name of a rehearsal has to contain '{MARK}'",
            f"Name it as in {REHEARSAL}",
        )


def _built_at(image: Path) -> int:
    """When `image` was built, in nanoseconds. `boot --persistent` writes to the image, but never to
    its manifest."""
    manifest = image.with_suffix(".json")
    return (manifest if manifest.exists() else image).stat().st_mtime_ns
