"""The source files that are frozen, as they are in the repository at one moment."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firstboot.site.services import FILE
from image.atomic_files import writing

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = "firstboot/__main__.py"

DESK = (
    "firstboot/site/abuse",
    "firstboot/site/paper",
    "firstboot/site/peering",
    "firstboot/site/published",
)
"""What runs at a desk alone, and may need packages that must not be in the program."""


@dataclass(frozen=True, slots=True)
class Program:
    """The files of `firstboot` but for `DESK`, and the templates, profiles and services of the
    overlays, by their paths in the repository. `SCRIPT` is the one that is run."""

    files: Mapping[str, bytes]

    @classmethod
    def read(cls, root: Path = ROOT) -> "Program":
        paths = (
            *root.glob("firstboot/**/*.py"),
            *root.glob("overlays/*/templates/*"),
            *root.glob("overlays/*/profiles/*"),
            *root.glob(f"overlays/*/{FILE}"),
        )
        with writing(root):
            return cls(
                {
                    str(path.relative_to(root)): path.read_bytes()
                    for path in paths
                    if path.is_file() and not _at_desk(path.relative_to(root))
                }
            )

    @property
    def digest(self) -> str:
        digest = hashlib.sha256()
        for path, data in sorted(self.files.items()):
            digest.update(f"{path}\0{len(data)}\0".encode() + data)
        return digest.hexdigest()

    @property
    def modules(self) -> list[str]:
        """The names of its modules, without the one that is run."""
        paths = (path for path in self.files if path.endswith(".py") and path != SCRIPT)
        names = (path.removesuffix(".py").removesuffix("/__init__") for path in paths)
        return sorted(name.replace("/", ".") for name in names)

    def write(self, folder: Path) -> None:
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _at_desk(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in DESK)
