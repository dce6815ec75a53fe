"""Programs of the base that scripts of the box run, where Debian has them under another name.

FreeBSD's awk(1) is the one true awk, in Debian's package `original-awk`. It is stricter than mawk:
it ends over a variable of `-v` that has more than one line.
"""

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

AWK = shutil.which("original-awk", path=os.defpath)


@cache
def search() -> str:
    """PATH for scripts of the box: the programs of this machine, and BSD's awk if it is here."""
    if AWK is None:
        return os.defpath
    folder = tempfile.mkdtemp(prefix="box-programs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (Path(folder) / "awk").symlink_to(AWK)
    return f"{folder}:{os.defpath}"
