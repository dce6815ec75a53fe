"""What must hold before an image may be called a release."""

import json
from pathlib import Path

from firstboot.core.refusal import Refusal
from image import lock
from image.base.sets import Trust


def check_lock(path: Path) -> None:
    """Raises Refusal unless the lock file pins a base system that is signed, and packages."""
    locked = lock.load(path)
    pin = locked.base.pin
    if pin is None or locked.packages.pins is None:
        raise Refusal(
            path,
            expected="a pinned base system and pinned packages",
            found="no packages" if pin else "no base system",
            remedy="pin what there is with ./exitisp lock --update, and commit it",
        )
    for file, one in pin.sets.items():
        if not one.signed:
            raise _unsigned(path, f"{file} without a signature")


def check_manifest(path: Path) -> None:
    """Raises Refusal if the manifest at `path` says that its image is a rehearsal, or that
    something in it was not signed."""
    base = json.loads(path.read_bytes())["base"]
    if base.get("rehearsal"):
        raise Refusal(
            path,
            expected="an image of HardenedBSD",
            found="a rehearsal",
            remedy="see that the build can reach the base sets that the lock file pins",
        )
    for one in base["sets"]:
        if not one["trust"].startswith(Trust.SIGNED.value):
            raise _unsigned(path, f"{one['name']} that is {one['trust']}")


def _unsigned(path: Path, found: str) -> Refusal:
    return Refusal(
        path,
        expected="base sets that their builder has signed",
        found=found,
        remedy="take a build that is signed: ./exitisp lock --update",
    )
