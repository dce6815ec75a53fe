"""The names of images, unless a person gives others."""

from pathlib import Path

from firstboot.core.refusal import Refusal

IMAGE = "dist/exitisp.img"
BILL = "dist/exitisp.cdx.json"
REHEARSAL = "dist/exitisp-rehearsal.img"

MARK = "rehearsal"
"""What the file name of a rehearsal has in it."""


def newest() -> Path:
    """The image that was made last, of both kinds; the real one's name if there is none."""
    found = [path for path in map(Path, (IMAGE, REHEARSAL)) if path.exists()]
    return max(found, key=lambda path: path.stat().st_mtime, default=Path(IMAGE))


def check_name(path: Path) -> None:
    """Raises Refusal if the file name of a rehearsal does not say that it is one."""
    if MARK not in path.name:
        raise Refusal(
            path,
            expected=f"a file name with '{MARK}' in it, for what is one",
            found="none",
            remedy=f"name it as in {REHEARSAL}",
        )
