"""The pipeline of the rehearsal: Debian's packages and the wizard go in, a disk image comes out."""

import hashlib
import os
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstboot.site import services
from image import file_manifest, overlay
from image.artifacts import check_name
from image.atomic_files import settle, sync, writing
from image.build import NAMESPACE, check_place, uninterrupted
from image.freeze.freezing import freeze
from image.freeze.frozen import Frozen
from image.freeze.program import ROOT, Program
from image.freeze.target import Target
from image.layout import Layout
from image.overlay import Overlay
from image.progress import step
from image.rehearsal import apt, cpio, disk, grub, modules, tools, unpacked
from image.rehearsal.root import assemble
from image.rehearsal.selection import PACKAGES, TOOLS
from image.tree import Content

FOLDER = ROOT / "image" / "rehearsal" / "overlay"
"""The overlay that turns Debian's programs into this box."""

SYSTEM = "Debian's packages on Linux"


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The result of a build: the image, its manifest, the disk size in MiB, and the packages that
    went in."""

    image: Path
    manifest: Path
    size_mib: int
    packages: Sequence[apt.Package]

    def __str__(self) -> str:
        return (
            f"{len(self.packages)} packages of Debian, with signatures verified by apt\n"
            f"{self.image}: a REHEARSAL, for disks of {self.size_mib} MiB and more"
        )


def build(
    overlays: Sequence[Overlay],
    output: Path,
    cache: Path,
    *,
    size_mib: int = 0,
    time: int | None = None,
) -> Rehearsed:
    """Build the rehearsal's image `output`, with its manifest (`.json`) beside it.

    `overlays` are applied after the rehearsal's own. `time`, in seconds since 1970, is the
    modification time of all new files; None takes that of the youngest file in the packages.
    `size_mib` is 0 for the smallest size. The same packages give the same bytes. Raises Refusal;
    `output` then is what it was before.
    """
    check_name(output)
    manifest = output.with_suffix(".json")
    check_place(output, [manifest])
    packages = apt.obtain(PACKAGES, cache / "debian")
    debs = unpacked.unpack(packages, cache)
    for deb in debs:
        if not deb.fresh:
            deb.verify()
    size_mib = size_mib or disk.SMALLEST_MIB
    if time is None:
        time = max(member.mtime for deb in debs for member in deb.members)
    debian = unpacked.tree_of(debs)
    wizard = freeze(Target.LINUX, cache / "freeze", program=program())
    all_overlays = [overlay.load(FOLDER), *overlays]
    tree = assemble(debian, packages, wizard, all_overlays, ROOT, time)
    plan = disk.lay_out(
        size_mib, uuid.uuid5(NAMESPACE, identity(packages, wizard, all_overlays, time, size_mib))
    )
    with step("Pack the root"):
        root = cpio.compressed(tree, time)
    version = modules.kernel(debian)
    files: Mapping[str, bytes | Content] = {
        grub.KERNEL: debian[f"boot/vmlinuz-{version}"].content,
        grub.ROOT: root,
    }
    parts = [path.with_name(f".{path.name}.{os.getpid()}") for path in (output, manifest)]
    with (
        writing(output),
        tools.unpacked(debian, TOOLS, grub.FOLDERS) as programs,
        ThreadPoolExecutor(1) as thread,
    ):
        listed = thread.submit(file_manifest.describe, tree)
        try:
            disk.write(parts[0], plan, programs, files, time)
            facts = describe(packages, version, wizard, all_overlays, plan, time) | listed.result()
            parts[1].write_text(file_manifest.render(facts), encoding="utf-8")
            for part in parts:
                sync(part)
            with uninterrupted():
                settle(parts[0], output)
                settle(parts[1], manifest)
        finally:
            for part in parts:
                part.unlink(missing_ok=True)
    return Rehearsed(output, manifest, size_mib, packages)


def program() -> Program:
    """Return the wizard with the overlays, and the templates and services of the rehearsal."""
    own = Program.read()
    paths = [*sorted((FOLDER / "templates").iterdir()), FOLDER / services.FILE]
    added = {f"overlays/rehearsal/{one.relative_to(FOLDER)}": one.read_bytes() for one in paths}
    return Program({**own.files, **added})


def identity(
    packages: Sequence[apt.Package],
    wizard: Frozen,
    overlays: Sequence[Overlay],
    time: int,
    size_mib: int,
) -> str:
    """Return a text that changes whenever any input of the image changes."""
    hashes = hashlib.sha256("\n".join(one.chosen.sha256 for one in packages).encode())
    parts = (hashes.hexdigest(), overlay.digest(overlays), wizard.sha256, time, size_mib)
    return " ".join(map(str, ("rehearsal", *parts)))


def describe(
    packages: Sequence[apt.Package],
    kernel: str,
    wizard: Frozen,
    overlays: Sequence[Overlay],
    plan: Layout,
    time: int,
) -> dict[str, Any]:
    """Return the manifest without its list of files."""
    return {
        "time": time,
        "base": {"rehearsal": True, "system": SYSTEM, "kernel": kernel},
        "packages": [
            {
                "name": one.chosen.name,
                "version": one.chosen.version,
                "size": one.chosen.size,
                "sha256": one.chosen.sha256,
                "trust": "signed by the archive, as apt verifies it",
            }
            for one in packages
        ],
        "wizard": {
            "sha256": wizard.sha256,
            "modules": [one._asdict() for one in wizard.modules],
        },
        "overlays": [one.name for one in overlays],
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
