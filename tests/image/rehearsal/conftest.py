"""An image of a rehearsal that has a root shell on its second serial port."""

from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import overlay
from image.download.cache import cache_folder
from image.rehearsal.build import Rehearsed, build

SHELL = Path(__file__).parent / "shell"


@pytest.fixture(scope="session")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsed:
    """Build the image. Skips where there is no apt, or no archive that it can reach."""
    image = tmp_path_factory.mktemp("rehearsal") / "rehearsal.img"
    try:
        return build([overlay.load(SHELL)], image, cache_folder().parent)
    except Refusal as refusal:
        if refusal.where == "Debian's packages":
            pytest.skip(str(refusal))
        raise
