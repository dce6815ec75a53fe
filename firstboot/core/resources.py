"""Where the files are that belong to the program: the templates."""

import sys
from pathlib import Path


def overlays() -> Path:
    """The folder of the overlays, with at least their templates.

    In the frozen program it lies among the program's own files (PyInstaller names their folder in
    ``sys._MEIPASS``), otherwise in the repository.
    """
    frozen = getattr(sys, "_MEIPASS", None)
    return Path(frozen or Path(__file__).resolve().parents[2]) / "overlays"
