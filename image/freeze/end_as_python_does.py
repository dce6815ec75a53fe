"""Runs in the frozen program before anything else, and makes an uncaught exception end the program.

PyInstaller's bootloader would go on and unload libpython. On FreeBSD that ends in a segmentation
fault instead of exit status 1.
"""

import sys
import traceback
from types import TracebackType


def tell_and_end(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    traceback.print_exception(kind, error, trace)
    raise SystemExit(1)


sys.excepthook = tell_and_end
