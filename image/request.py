"""A build as the command line asks for it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.refusal import Refusal
from image import layout
from image.artifacts import IMAGE, REHEARSAL, Base, next_steps
from image.base.packages import BasePackages
from image.base.source import BaseSource
from image.build import Freezing, build
from image.download.cache import cache_folder
from image.inputs.choice import choose
from image.inputs.packages import source
from image.overlay import load, load_all
from image.packages.reviewed import load as load_reviewed
from image.rehearsal.build import build as build_rehearsal
from image.release_stamp import release


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `./exitisp build`, in which None, zero and the empty text mean the default.

    `lock` is the lock file and `overlays` the folder of the project's own overlays.
    """

    lock: Path
    overlays: Path
    base: Base | None = None
    sets: Path | None = None
    packages: str = ""
    package_keys: str = ""
    wizard: bool = True
    output: Path | None = None
    more_overlays: Sequence[Path] = ()
    size_mib: int = 0
    version: str = ""
    commit: str = ""
    release_key: Path | None = None
    accepted_versions: Sequence[str] = ()


def build_requested(request: Request) -> None:
    """Build the image, and print what it was made of and what to type next.

    Whatever can be refused is looked at before anything is downloaded. Raises Refusal.
    """
    time = source_date_epoch()
    named = release(request.version, request.commit, request.release_key)
    more = [load(folder) for folder in request.more_overlays]
    first = request.sets is None
    packages = source(request.packages, request.package_keys, request.lock, first=first)
    cache = cache_folder()
    sets = choose(request.base, request.sets, request.lock, cache)
    if sets is None:
        image = request.output or Path(REHEARSAL)
        print(build_rehearsal(more, image, cache.parent, size_mib=request.size_mib, time=time))
        print(next_steps(image))
        return
    built = build(
        sets,
        [*load_all(request.overlays), *more],
        request.output or Path(IMAGE),
        cache.parent,
        packages=packages,
        reviewed=load_reviewed(request.overlays / "packages.yaml"),
        wizard=Freezing.PACKAGED if request.wizard and packages else None,
        release=named,
        accepted_versions=tuple(request.accepted_versions),
        size_mib=request.size_mib or layout.SMALLEST_MIB,
        time=time,
    )
    print(told(sets))
    for package in built.obtained.packages:
        print(f"{package.listed.package.full_name}: {package.provenance}")
    if not built.obtained.packages:
        print("no packages: the image has no relays, no BGP and no wizard")
    print(f"{built.image}: for disks of {built.size_mib} MiB and more")
    print(next_steps(built.image))


def told(base: BaseSource) -> str:
    """Say why the base system is trusted: a line for each of its sets, or one for all of its
    packages."""
    if isinstance(base, BasePackages):
        return f"{len(base.archives)} packages of the base system: {base.archives[0].provenance}"
    return "\n".join(f"{one.file}: {one.provenance}" for one in base.archives)


def source_date_epoch() -> int | None:
    """The age of what is new in an image, in seconds since 1970; None if it is not set.

    reproducible-builds.org specifies the environment variable SOURCE_DATE_EPOCH. Raises Refusal.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 10:
        raise Refusal(
            "SOURCE_DATE_EPOCH",
            f"{text!r} is not a number of seconds since 1970",
            "Correct it, or unset it",
        )
    return int(text)
