"""The folders of real base sets on this machine: MANIFEST, base.txz and kernel.txz of a build."""

import os
from pathlib import Path

from image.download.cache import cache_folder

NONE = (
    "there are no base sets here: put MANIFEST, base.txz and kernel.txz of a HardenedBSD or "
    "FreeBSD 15 build into a folder, and name it in EXITISP_SETS (several with colons)"
)
"""Why a test that needs them is skipped."""


def found() -> list[Path | None]:
    """The folders that EXITISP_SETS names, separated by colons; without it `sets-hardenedbsd` and
    `sets` in the cache. A folder without MANIFEST is left out. If none is left, the list is [None],
    so that tests can be parametrised with it and skipped with NONE as the reason."""
    named = os.environ.get("EXITISP_SETS", "")
    cached = [cache_folder().with_name("sets-hardenedbsd"), cache_folder()]
    folders = [Path(one) for one in named.split(":") if one] if named else cached
    return [folder for folder in folders if (folder / "MANIFEST").exists()] or [None]
