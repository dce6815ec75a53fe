"""Downloads that are not complete yet: a file, and beside it a note of what it is a part of."""

from pathlib import Path

from image import atomic_files
from image.download.url import Url


def resumable(part: Path, url: Url) -> tuple[int, str]:
    """How many bytes of `url` are in `part`, and the validator for If-Range (RFC 9110, 13.1.5)."""
    try:
        noted, validator = note(part).read_text()[:4096].splitlines()
        return (part.stat().st_size, validator) if noted == url and validator else (0, "")
    except (OSError, ValueError):
        return 0, ""


def note(part: Path) -> Path:
    return part.with_name(f"{part.name}.from")


def forget(part: Path) -> None:
    """Remove a partial file and the note of what it is a part of."""
    with atomic_files.writing(part):
        note(part).unlink(missing_ok=True)
        part.unlink(missing_ok=True)
