"""The pipeline: base sets, packages and overlays go in, a disk image comes out. Each step is a
function."""

import hashlib
import os
import platform
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
from image import disk, file_manifest, layout, minimum_versions, overlay, root
from image.atomic_files import settle, sync, writing
from image.base import build_identity, source
from image.base.source import BaseSource, UnpackedBase
from image.freeze import packaged
from image.freeze.freezing import freeze
from image.freeze.frozen import Frozen
from image.freeze.target import Target
from image.freeze.verify import base_libraries
from image.inputs.packages import Given, Obtained, Pinned, obtain
from image.kernel.lint import lint
from image.layout import Layout, lay_out
from image.minimum_versions import Installed
from image.overlay import Overlay
from image.packages import install
from image.packages.contents import unpack_all
from image.packages.repository import VerifiedPackage
from image.packages.reviewed import NOTHING, Reviewed
from image.packages.solver import base_shlibs
from image.progress import step
from image.release_stamp import UNRELEASED, Release, stamp_of
from image.root import Additions
from image.sbom import base_software
from image.sbom.base_software import BaseSoftware
from image.sbom.components import (
    AppliedOverlay,
    BaseFile,
    BaseSet,
    Sbom,
    Wizard,
    base_files,
    base_sets,
)
from image.store import Unpacked
from image.tree import Tree

NAMESPACE = uuid.UUID("0d5d0c5a-6a53-5c7e-9d0e-6f3f2b0f5a10")
"""Identifiers of disks are derived in this namespace."""

BESIDE = (".json", ".cdx.json")
"""Ends of the names of the files beside an image: its manifest and its bill of materials."""


@dataclass(frozen=True, slots=True)
class Built:
    """The result of a build: the image, its manifest, its bill of materials, the disk size in MiB,
    and the packages that went in."""

    image: Path
    manifest: Path
    sbom: Path
    size_mib: int
    obtained: Obtained


class Freezing(Enum):
    """How a build freezes the wizard itself."""

    PACKAGED = "with the Python that the package repository has"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an image is made of: the base system; overlays in the order in which they are applied;
    where packages come from (None for none) and which of them were reviewed; the wizard, if there
    is to be one; and the release."""

    sets: BaseSource
    overlays: list[Overlay]
    packages: Given | Pinned | None = None
    reviewed: Document[Reviewed] = NOTHING
    wizard: Frozen | Freezing | None = None
    release: Release = UNRELEASED
    accepted_versions: tuple[str, ...] = ()


def build(
    sets: BaseSource,
    overlays: list[Overlay],
    output: Path,
    cache: Path,
    *,
    packages: Given | Pinned | None = None,
    reviewed: Document[Reviewed] = NOTHING,
    wizard: Frozen | Freezing | None = None,
    release: Release = UNRELEASED,
    accepted_versions: tuple[str, ...] = (),
    size_mib: int = layout.SMALLEST_MIB,
    time: int | None = None,
) -> Built:
    """Build the image `output`, with its manifest (`.json`) and its bill of materials (`.cdx.json`,
    CycloneDX) beside it.

    `Inputs` explains what goes in. `time`, in seconds since 1970, is the modification time of all
    new files; None takes that of the youngest file in the sets. The same input gives the same
    bytes. Raises Refusal; an older `output` then stays.
    """
    places = [output, *(output.with_suffix(one) if output.name else output for one in BESIDE)]
    check_place(output, places[1:])
    layout.check_size(size_mib)
    inputs = Inputs(sets, overlays, packages, reviewed, wizard, release, accepted_versions)
    with assembling(inputs, cache, time) as made:
        plan = lay_out(size_mib, uuid.uuid5(NAMESPACE, identity(inputs, made, size_mib)))
        parts = [path.with_name(f".{path.name}.{os.getpid()}") for path in places]
        with writing(output), ThreadPoolExecutor(1) as thread:
            listed = thread.submit(file_manifest.describe, made.tree)
            sbom = thread.submit(render_sbom, inputs, made, output)
            try:
                disk.write(parts[0], plan, made.tree, made.time)
                made.check_contents()
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
    """The tree of a slot, and the modification time of its new files in seconds since 1970.
    `frozen_with` are the packages that the wizard was made of. The files that the tree is written
    from may turn out to be damaged: `check_contents` then raises the Refusal. `left_out` are
    services of packages that no overlay lists: package and name of each."""

    tree: Tree
    time: int
    base: tuple[BaseSet, ...]
    software: tuple[BaseSoftware, ...]
    obtained: Obtained
    wizard: Frozen | None
    frozen_with: tuple[VerifiedPackage, ...]
    files: tuple[BaseFile, ...]
    check_contents: Callable[[], object]
    left_out: tuple[tuple[str, str], ...] = ()


@contextmanager
def assembling(inputs: Inputs, cache: Path, time: int | None) -> Iterator[Assembled]:
    """Assemble the tree. Contents that come from the `cache` are verified meanwhile."""
    base = unpack(inputs.sets, inputs.overlays, cache)
    with verifying(*base.stored) as check_sets:
        if time is None:
            time = base.time
        tree, accounts = root.plant_base(base, inputs.reviewed)
        _, kernel = build_identity.of_tree(tree)
        files = base_files(tree, kernel.release)
        facts, software = base_sets(inputs.sets, tree), base_software.read(tree)
        obtained, wizard, frozen_with = provide(inputs, tree, cache)
        check_versions(software, obtained.packages, inputs.accepted_versions)
        packages = unpack_all(obtained.packages, cache)
        with verifying(*(one.unpacked for one in packages)) as check_packages:
            additions = Additions(packages, inputs.reviewed, wizard, inputs.release)
            root.finish(tree, accounts, inputs.overlays, time, additions)
            check_names(tree, inputs.overlays)

            def check_contents() -> None:
                check_sets()
                check_packages()

            absent = install.left_out(packages, tree, install.detours(inputs.overlays))
            yield Assembled(
                tree,
                time,
                facts,
                software,
                obtained,
                wizard,
                frozen_with,
                files,
                check_contents,
                absent,
            )


def provide(
    inputs: Inputs, base: Tree, cache: Path
) -> tuple[Obtained, Frozen | None, tuple[VerifiedPackage, ...]]:
    """Return the packages to install, the wizard, and the packages that it was frozen with. `base`
    is the tree of the base system."""
    place = cache / "packages"
    if inputs.wizard is not Freezing.PACKAGED:
        return obtain(inputs.packages, inputs.overlays, base, place), inputs.wizard, ()
    obtained = obtain(inputs.packages, [*inputs.overlays, packaged.python_overlay()], base, place)
    installed, python = packaged.divide(obtained.packages, inputs.overlays, base_shlibs(base))
    libraries = base_libraries(base)
    wizard = freeze(Target.FREEBSD, cache / "freeze", python=python, base=libraries)
    frozen_with = tuple(one for one in obtained.packages if one in python.archives)
    return replace(obtained, packages=installed), wizard, frozen_with


def check_versions(
    software: Sequence[BaseSoftware],
    packages: Sequence[VerifiedPackage],
    accepted: Sequence[str],
) -> None:
    """Print which software of the base does not tell its version. Raises Refusal for daemons that
    are older than their minimum, unless these versions are `accepted`."""
    for one in software:
        if not one.version:
            print(f"{one}: it is not compared with known vulnerabilities", file=sys.stderr)
    minimum_versions.check(
        [
            *(Installed(one.listed.package.name, one.listed.package.version) for one in packages),
            *(Installed(one.name, one.version, from_base=True) for one in software),
        ],
        accepted,
    )


def check_names(tree: Tree, overlays: list[Overlay]) -> None:
    """Check the kernel's names in the overlays against the kernel in `tree`, and print which of
    those that are on some kernels it lacks. Raises Refusal for other unknown names."""
    with step("Check the names of the kernel"):
        checked = lint(tree, overlays)
    lacking = [one.mention.name for one in checked if one.certainty is None]
    if lacking:
        names = ", ".join(lacking)
        print(f"The kernel lacks, and ignores: {names}", file=sys.stderr)


def identity(inputs: Inputs, made: Assembled, size_mib: int) -> str:
    """Return a text that changes whenever any input of the image changes."""
    reviewed = hashlib.sha256(repr(inputs.reviewed.value).encode()).hexdigest()
    parts = (
        *(one.sha256 for one in inputs.sets.archives),
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
    """Raises Refusal, before any long step, if the image or a file `beside` it cannot be written
    there."""
    with writing(output):
        problem = ""
        if not output.name or any(
            path.exists() and not path.is_file() for path in (output, *beside)
        ):
            problem = "something there is not a file"
        elif output in beside:
            problem = "its manifest has that name"
        if problem:
            raise Refusal(
                output,
                f"the image cannot have this name: {problem}",
                "Give another one, such as dist/exitisp.img",
            )
        output.parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C for a moment, so that files that belong together change together."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def unpack(sets: BaseSource, overlays: list[Overlay], cache: Path) -> UnpackedBase:
    """Unpack the base system without what the overlays drop."""
    return source.unpack(sets, *overlay.dropping(overlays), cache)


@contextmanager
def verifying(*parts: Unpacked) -> Iterator[Callable[[], object]]:
    """Hash contents that come from the cache while the image is made.

    Yields a function to call before the image is used, which raises Refusal if they are damaged. If
    anything else goes wrong meanwhile, damage is reported instead, because it may be the cause.
    """
    with ThreadPoolExecutor(1) as thread:
        checks = [thread.submit(part.verify) for part in parts if not part.fresh]

        def check_contents() -> None:
            for check in checks:
                check.result()

        try:
            yield check_contents
        except (Refusal, OSError):
            check_contents()
            raise


def render_sbom(inputs: Inputs, made: Assembled, output: Path) -> str:
    """Return the bill of materials. The module is imported here, because its libraries take long to
    import."""
    from image.sbom import cyclonedx

    return cyclonedx.render(
        Sbom(
            output.stem,
            made.time,
            made.base,
            made.software,
            made.obtained.packages,
            tuple(AppliedOverlay(one.name, overlay.digest([one])) for one in inputs.overlays),
            Wizard(made.wizard.sha256, made.wizard.modules, made.frozen_with)
            if made.wizard
            else None,
            made.files,
        )
    )


def describe(inputs: Inputs, made: Assembled, plan: Layout) -> dict[str, Any]:
    """Return the manifest without its list of files: what the image was made of."""
    return {
        "time": made.time,
        "release": stamp_of(inputs.release, made.tree).facts,
        "base": {
            "build": inputs.sets.build,
            "sets": [
                {
                    "name": one.file,
                    "size": one.size,
                    "sha256": one.sha256,
                    "trust": one.provenance,
                }
                for one in inputs.sets.archives
            ],
            "software": [
                {"name": one.name, "version": one.version, "file": f"/{one.path}"}
                for one in made.software
            ],
        },
        "accepted_versions": list(inputs.accepted_versions),
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
        "services_left_out": [
            {"package": package, "service": service} for package, service in made.left_out
        ],
        "wizard": made.wizard
        and {
            "sha256": made.wizard.sha256,
            "compiled_by": platform.python_version(),
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
