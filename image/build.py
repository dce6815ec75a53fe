"""The pipeline: base sets and overlays in, a disk image out; a step a function."""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from image import disk, layout, overlay, root, store
from image.base.sets import BaseSets
from image.base.writing import settle, writing
from image.layout import Layout, lay_out
from image.overlay import Overlay
from image.progress import step
from image.store import Unpacked

NAMESPACE = uuid.UUID("0d5d0c5a-6a53-5c7e-9d0e-6f3f2b0f5a10")
"""Under which the identifiers of disks are derived."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build made: the image and its manifest, and the disk size in MiB."""

    image: Path
    manifest: Path
    size_mib: int


def build(
    sets: BaseSets,
    overlays: list[Overlay],
    output: Path,
    cache: Path,
    *,
    size_mib: int = layout.SMALLEST_MIB,
    time: int | None = None,
) -> Built:
    """Make the image `output`, and its manifest beside it (`.json`).

    `time`, in seconds since 1970, is the age of all that is new in the image; None takes that of
    the youngest file of the sets. Same input, same bytes. Raises Refusal, and then `output` is
    what it was.
    """
    identifier = uuid.uuid5(NAMESPACE, f"{sets.base.sha256} {sets.kernel.sha256} {size_mib}")
    plan = lay_out(size_mib, identifier)
    base, kernel = unpack(sets, overlays, cache)
    with verifying(base, kernel) as settle_doubts:
        if time is None:
            time = max(member.mtime for part in (base, kernel) for member in part.members)
        tree = root.make_tree(base, kernel, overlays, time)
        with writing(output):
            output.parent.mkdir(parents=True, exist_ok=True)
            part = output.with_name(f".{output.name}.{os.getpid()}")
            try:
                disk.write(part, plan, tree, time)
                settle_doubts()
                with step("Settle the image on the disk"):
                    settle(part, output)
            finally:
                part.unlink(missing_ok=True)
        manifest = output.with_suffix(".json")
        write_manifest(manifest, sets, overlays, plan, time)
    return Built(output, manifest, size_mib)


def unpack(sets: BaseSets, overlays: list[Overlay], cache: Path) -> tuple[Unpacked, Unpacked]:
    """Both sets, unpacked without what the overlays drop; at once, for xz is slow."""
    drop, drop_key = overlay.dropping(overlays)
    total = sets.base.size + sets.kernel.size
    with (
        writing(cache),
        step("Unpack base.txz and kernel.txz", total) as advance,
        ThreadPoolExecutor(2) as threads,
    ):
        base, kernel = threads.map(
            lambda one: store.unpack(one, one.sha256, drop, drop_key, cache, advance),
            (sets.base, sets.kernel),
        )
    return base, kernel


@contextmanager
def verifying(*parts: Unpacked) -> Iterator[Callable[[], object]]:
    """Hash contents that come out of the cache while the image is made; yields what to call
    before the image is used, which raises Refusal if they are damaged."""
    with ThreadPoolExecutor(1) as thread:
        checks = [thread.submit(part.verify) for part in parts if not part.fresh]
        yield lambda: [check.result() for check in checks]


def write_manifest(
    path: Path, sets: BaseSets, overlays: list[Overlay], plan: Layout, time: int
) -> None:
    """What the image was made of, as JSON."""
    facts = {
        "time": time,
        "base": {
            "build": sets.build,
            "sets": [
                {
                    "name": one.path.name,
                    "size": one.size,
                    "sha256": one.sha256,
                    "trust": one.provenance,
                }
                for one in (sets.base, sets.kernel)
            ],
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
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        try:
            part.write_text(json.dumps(facts, indent=2) + "\n")
            settle(part, path)
        finally:
            part.unlink(missing_ok=True)
