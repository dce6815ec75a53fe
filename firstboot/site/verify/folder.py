"""Rendered files as they lie in a folder: whatever cannot be read as text is a flaw."""

import os
import stat
from pathlib import Path

from firstboot.core.refusal import Refusal
from firstboot.site.render import Rendered
from firstboot.site.verify.context import Flaw

LARGEST = 4 << 20
"""Bytes of a file that are read. What is rendered for hundreds of peers has a tenth of that."""


def read_folder(folder: Path) -> tuple[list[Rendered], list[Flaw]]:
    """All files below `folder`, with their modes, and what is no file that can be judged. Their
    owners are taken for root: on a host, whoever rendered them owns them. Raises Refusal."""
    if not folder.is_dir():
        raise Refusal(folder, "is no folder", "Name the folder that ./exitisp render wrote with -o")
    files: list[Rendered] = []
    flaws: list[Flaw] = []
    for top, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if (Path(top) / name).is_symlink()]
        for name in sorted([*names, *links]):
            place = Path(top) / name
            path = _printable(place.relative_to(folder).as_posix())
            text = _text(place)
            if isinstance(text, str):
                mode = stat.S_IMODE(place.stat().st_mode)
                files.append(Rendered(path, text, mode, "root", "wheel"))
            else:
                flaws.append(Flaw(path, 1, text.reason))
    return files, flaws


def _printable(path: str) -> str:
    """A path as it can be told on a line: bytes and characters that nobody sees are escaped."""
    return path if path.isascii() and path.isprintable() else ascii(path)[1:-1]


class _Unreadable:
    def __init__(self, reason: str) -> None:
        self.reason = reason


def _text(place: Path) -> str | _Unreadable:
    try:
        if not stat.S_ISREG(place.lstat().st_mode):
            return _Unreadable("is no regular file")
        with place.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        return _Unreadable(f"cannot be read: {error.strerror}")
    if len(data) > LARGEST:
        return _Unreadable(f"is larger than {LARGEST} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _Unreadable("is not text in UTF-8")
