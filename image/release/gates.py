"""Conditions that an image must meet to be a release."""

import json
from pathlib import Path

from firstboot.core.refusal import Refusal
from image import lock
from image.base.sets import Trust


def check_lock(path: Path) -> None:
    """Raises Refusal unless the lock file pins a signed base system, and packages."""
    locked = lock.load(path)
    pin, as_packages = locked.base.pin, locked.base.packages.pins
    if (pin is None and as_packages is None) or locked.packages.pins is None:
        raise Refusal(
            path,
            f"it pins {'no packages' if pin or as_packages else 'no base system'}, and a release "
            "needs both",
            "Pin what there is with ./exitisp lock --update, and commit the file",
        )
    for file, one in pin.sets.items() if pin else ():
        if not one.signed:
            raise _unsigned(path, f"{file} has no signature")


def check_manifest(path: Path) -> None:
    """Raises Refusal if the manifest at `path` is that of a rehearsal, or names a base set that was
    not signed."""
    base = json.loads(path.read_bytes())["base"]
    if base.get("rehearsal"):
        raise Refusal(
            path,
            "a rehearsal cannot be a release",
            "Check that the build can reach the base sets that the lock file pins",
        )
    for one in base["sets"]:
        if not one["trust"].startswith(Trust.SIGNED.value):
            raise _unsigned(path, f"{one['name']} is {one['trust']}")


def _unsigned(path: Path, problem: str) -> Refusal:
    return Refusal(
        path,
        f"{problem}, and a release needs base sets signed by their builder",
        "Take a signed build with ./exitisp lock --update",
    )
