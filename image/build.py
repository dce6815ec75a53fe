"""The pipeline: base sets, packages and overlays in, a disk image out; a step a function."""

import hashlib
import os
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from image import disk, file_manifest, layout, overlay, root, store
from image.atomic_files import settle, sync, writing
from image.base.sets import BaseSets
from image.freeze import Frozen, Target, freeze, packaged
from image.freeze.verify import base_libraries
from image.inputs.packages import Given, Obtained, Pinned, obtain
from image.kernel.lint import lint
from image.layout import Layout, lay_out
from image.overlay import Overlay
from image.packages.contents import unpack_all
from image.packages.repository import VerifiedPackage
from image.packages.reviewed import NOTHING, Reviewed
from image.packages.solver import base_shlibs
from image.progress import step
from image.release_stamp import UNRELEASED, Release, stamp_of
from image.root import Additions
from image.sbom.components import AppliedOverlay, BaseSet, Sbom, Wizard, base_sets
from image.store import Unpacked
from image.tree import Tree

NAMESPACE = uuid.UUID("0d5d0c5a-6a53-5c7e-9d0e-6f3f2b0f5a10")
"""Under which the identifiers of disks are derived."""

BESIDE = (".json", ".cdx.json")
"""Ends of the names of what lies beside an image: its manifest, its bill of materials."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build made: the image, its manifest, its bill of materials, and the disk size in MiB;
    and of what packages."""

    image: Path
    manifest: Path
    sbom: Path
    size_mib: int
    obtained: Obtained


class Freezing(Enum):
    """How a build may freeze the wizard itself."""

    PACKAGED = "with the Python that the package repository has"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an image is made of: the base system, the overlays in their order, where packages come
    from (none without) and what of them was reviewed, and the wizard, if there is to be one; and
    which release it is."""

    sets: BaseSets
    overlays: list[Overlay]
    packages: Given | Pinned | None = None
    reviewed: Document[Reviewed] = NOTHING
    wizard: Frozen | Freezing | None = None
    release: Release = UNRELEASED


def build(
    sets: BaseSets,
    overlays: list[Overlay],
    output: Path,
    cache: Path,
    *,
    packages: Given | Pinned | None = None,
    reviewed: Document[Reviewed] = NOTHING,
    wizard: Frozen | Freezing | None = None,
    release: Release = UNRELEASED,
    size_mib: int = layout.SMALLEST_MIB,
    time: int | None = None,
) -> Built:
    """Make the image `output`, and beside it its manifest (`.json`) and its bill of materials
    (`.cdx.json`, CycloneDX).

    What goes in is explained at `Inputs`. `time`, in seconds since 1970, is the age of all that is
    new in the image; None takes that of the youngest file of the sets. Same input, same bytes.
    Raises Refusal, and then `output` is what it was.
    """
    places = [output, *(output.with_suffix(one) if output.name else output for one in BESIDE)]
    check_place(output, places[1:])
    layout.check_size(size_mib)
    inputs = Inputs(sets, overlays, packages, reviewed, wizard, release)
    with assembling(inputs, cache, time) as made:
        plan = lay_out(size_mib, uuid.uuid5(NAMESPACE, identity(inputs, made, size_mib)))
        parts = [path.with_name(f".{path.name}.{os.getpid()}") for path in places]
        with writing(output), ThreadPoolExecutor(1) as thread:
            listed = thread.submit(file_manifest.describe, made.tree)
            sbom = thread.submit(render_sbom, inputs, made, output)
            try:
                disk.write(parts[0], plan, made.tree, made.time)
                made.settle_doubts()
                facts = describe(inputs, made, plan) | listed.result()
                parts[1].write_text(file_manifest.render(facts), encoding="utf-8")
                parts[2].write_text(sbom.result(), encoding="utf-8")
                with step("Settle the image on the disk"):
                    for part in parts:
                        sync(part)
                    with uninterrupted():
                        for part, place in zip(parts, places, strict=True):
                            settle(part, place)
            finally:
                for part in parts:
                    part.unlink(missing_ok=True)
    return Built(places[0], places[1], places[2], size_mib, made.obtained)


@dataclass(frozen=True, slots=True)
class Assembled:
    """The tree of a slot, and how old its new files are in seconds since 1970. `frozen_with` are
    the packages that the wizard was made of. What is read to write the tree may turn out to be
    damaged, of which `settle_doubts` raises the Refusal."""

    tree: Tree
    time: int
    base: tuple[BaseSet, ...]
    obtained: Obtained
    wizard: Frozen | None
    frozen_with: tuple[VerifiedPackage, ...]
    settle_doubts: Callable[[], object]


@contextmanager
def assembling(inputs: Inputs, cache: Path, time: int | None) -> Iterator[Assembled]:
    """The tree that `inputs` make, while contents that come out of `cache` are verified."""
    base, kernel = unpack(inputs.sets, inputs.overlays, cache)
    with verifying(base, kernel) as settle_sets:
        if time is None:
            time = youngest(base, kernel)
        tree, accounts = root.plant_sets(base, kernel)
        facts = base_sets(inputs.sets, tree)
        obtained, wizard, frozen_with = provide(inputs, tree, cache)
        packages = unpack_all(obtained.packages, cache)
        with verifying(*(one.unpacked for one in packages)) as settle_packages:
            additions = Additions(packages, inputs.reviewed, wizard, inputs.release)
            root.finish(tree, accounts, inputs.overlays, time, additions)
            check_names(tree, inputs.overlays)

            def settle_doubts() -> None:
                settle_sets()
                settle_packages()

            yield Assembled(tree, time, facts, obtained, wizard, frozen_with, settle_doubts)


def provide(
    inputs: Inputs, base: Tree, cache: Path
) -> tuple[Obtained, Frozen | None, tuple[VerifiedPackage, ...]]:
    """The packages to install; the wizard, frozen if need be, and the packages that it was then
    made of. `base` is the base's tree."""
    place = cache / "packages"
    if inputs.wizard is not Freezing.PACKAGED:
        return obtain(inputs.packages, inputs.overlays, base, place), inputs.wizard, ()
    obtained = obtain(inputs.packages, [*inputs.overlays, packaged.python_overlay()], base, place)
    installed, python = packaged.divide(obtained.packages, inputs.overlays, base_shlibs(base))
    libraries = base_libraries(base)
    wizard = freeze(Target.FREEBSD, cache / "freeze", python=python, base=libraries)
    frozen_with = tuple(one for one in obtained.packages if one in python.archives)
    return replace(obtained, packages=installed), wizard, frozen_with


def check_names(tree: Tree, overlays: list[Overlay]) -> None:
    """Hold what the overlays name of the kernel against the one in `tree`; tell which settings of
    HardenedBSD's it lacks. Raises Refusal for other names that it does not know."""
    with step("Check the names of the kernel"):
        checked = lint(tree, overlays)
    lacking = [one.mention.name for one in checked if one.certainty is None]
    if lacking:
        names = ", ".join(lacking)
        print(f"The kernel is not HardenedBSD's and takes no notice of {names}", file=sys.stderr)


def identity(inputs: Inputs, made: Assembled, size_mib: int) -> str:
    """Stands for all that decides what an image is."""
    reviewed = hashlib.sha256(repr(inputs.reviewed.value).encode()).hexdigest()
    parts = (
        inputs.sets.base.sha256,
        inputs.sets.kernel.sha256,
        overlay.digest(inputs.overlays),
        *(one.sha256 for one in made.obtained.packages),
        reviewed,
        made.wizard.sha256 if made.wizard else "-",
        inputs.release,
        made.time,
        size_mib,
    )
    return " ".join(map(str, parts))


def check_place(output: Path, beside: Sequence[Path]) -> None:
    """Raises Refusal, before any long step, if the image or what goes `beside` it cannot be put
    there."""
    with writing(output):
        found = ""
        if not output.name or any(
            path.exists() and not path.is_file() for path in (output, *beside)
        ):
            found = "something there that is no file"
        elif output in beside:
            found = "the name that its manifest has"
        if found:
            raise Refusal(
                output,
                expected="a name for the image, such as dist/exitisp.img",
                found=found,
                remedy="give another one",
            )
        output.parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C for a moment, so that what belongs together changes together."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def youngest(*parts: Unpacked) -> int:
    """When the youngest file of the sets was made, in seconds since 1970."""
    return max((member.mtime for part in parts for member in part.members), default=0)


def unpack(sets: BaseSets, overlays: list[Overlay], cache: Path) -> tuple[Unpacked, Unpacked]:
    """Both sets, unpacked without what the overlays drop; at once, for xz is slow."""
    drop, drop_key = overlay.dropping(overlays)
    total = sets.base.size + sets.kernel.size
    given_up = threading.Event()

    with (
        writing(cache),
        step("Unpack base.txz and kernel.txz", total) as tell,
        ThreadPoolExecutor(2) as threads,
    ):

        def advance(amount: int) -> None:
            if given_up.is_set():
                raise EOFError("the other set is of no use")
            tell(amount)

        try:
            base, kernel = threads.map(
                lambda one: store.unpack(one, one.sha256, drop, drop_key, cache, advance),
                (sets.base, sets.kernel),
            )
        except BaseException:
            given_up.set()
            raise
    return base, kernel


@contextmanager
def verifying(*parts: Unpacked) -> Iterator[Callable[[], object]]:
    """Hash contents that come out of the cache while the image is made; yields what to call
    before the image is used, which raises Refusal if they are damaged. Damage is also told in
    place of whatever else goes wrong, which may have come of it."""
    with ThreadPoolExecutor(1) as thread:
        checks = [thread.submit(part.verify) for part in parts if not part.fresh]

        def settle_doubts() -> None:
            for check in checks:
                check.result()

        try:
            yield settle_doubts
        except (Refusal, OSError):
            settle_doubts()
            raise


def render_sbom(inputs: Inputs, made: Assembled, output: Path) -> str:
    """The bill of materials. What writes it takes long to import, so that is done here."""
    from image.sbom import cyclonedx

    return cyclonedx.render(
        Sbom(
            output.stem,
            made.time,
            made.base,
            made.obtained.packages,
            tuple(AppliedOverlay(one.name, overlay.digest([one])) for one in inputs.overlays),
            Wizard(made.wizard.sha256, made.wizard.modules, made.frozen_with)
            if made.wizard
            else None,
        )
    )


def describe(inputs: Inputs, made: Assembled, plan: Layout) -> dict[str, Any]:
    """The manifest but for its list of files: what the image was made of."""
    return {
        "time": made.time,
        "release": stamp_of(inputs.release, made.tree).facts,
        "base": {
            "build": inputs.sets.build,
            "sets": [
                {
                    "name": one.path.name,
                    "size": one.size,
                    "sha256": one.sha256,
                    "trust": one.provenance,
                }
                for one in (inputs.sets.base, inputs.sets.kernel)
            ],
        },
        "packages": [
            {
                "name": one.listed.package.name,
                "version": one.listed.package.version,
                "size": one.size,
                "sha256": one.sha256,
                "trust": one.provenance,
            }
            for one in made.obtained.packages
        ],
        "missing_packages": [
            {"names": one.names, "overlay": one.overlay, "reason": one.reason}
            for one in made.obtained.missing
        ],
        "wizard": made.wizard
        and {
            "sha256": made.wizard.sha256,
            "modules": [one._asdict() for one in made.wizard.modules],
        },
        "overlays": [one.name for one in inputs.overlays],
        "disk": {
            "bytes": plan.size,
            "identifier": str(plan.table.identifier),
            "partitions": [
                {
                    "label": one.label,
                    "first_block": one.first_lba,
                    "blocks": one.blocks,
                    "identifier": str(one.identifier),
                }
                for one in plan.table.partitions
            ],
        },
    }
