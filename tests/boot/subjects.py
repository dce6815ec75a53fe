"""What the lab tries: images as they are built, of a rehearsal and of each folder of base sets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from firstboot.core.refusal import Refusal
from image.download.cache import cache_folder
from image.rehearsal import build as rehearsal
from qemu.lab.systems import HARDENEDBSD, REHEARSAL, System
from tests.base_sets import NONE, found
from tests.boot.conftest import PACKAGES, full, made, name_of
from tests.image.freeze.made import frozen_for_freebsd


@dataclass(frozen=True)
class Subject:
    """What an image is made of: a system, and the base sets of the real one."""

    system: System
    sets: Path | None = None

    def image(self, folder: Path) -> Path:
        """Build it into `folder`, with nothing in it for the test. Skips if this machine lacks
        something."""
        place = folder / Path(self.system.image).name
        if self.system == REHEARSAL:
            try:
                return rehearsal.build([], place, cache_folder().parent).image
            except Refusal as refusal:
                if refusal.where == "Debian's packages":
                    pytest.skip(str(refusal))
                raise
        if self.sets is None:
            pytest.skip(NONE)
        if PACKAGES is None:
            pytest.skip("no packages to run relays and BGP with")
        return made(self.sets, place, wizard=frozen_for_freebsd()).image


def subjects(group: str) -> tuple[Any, ...]:
    """All of them, as parameters of a fixture. The tests of one run on one worker, and those of
    `group` apart from those of other groups."""
    return (
        pytest.param(
            Subject(REHEARSAL), id="rehearsal", marks=pytest.mark.xdist_group(f"{group}-rehearsal")
        ),
        *(
            pytest.param(
                Subject(HARDENEDBSD, folder),
                id=name_of(folder),
                marks=[pytest.mark.xdist_group(f"{group}-{name_of(folder)}"), full],
            )
            for folder in found()
        ),
    )
