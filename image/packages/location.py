"""The location of a package repository: a folder of this machine, or one on a server."""

import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from firstboot.core.refusal import Refusal
from image.download.connect import connect
from image.download.timeouts import PATIENCE, Patience
from image.download.url import Folder, Url
from image.progress import Advance
from image.verified_file import read_regular

if TYPE_CHECKING:
    from image.download.client import Client

ABI = "FreeBSD:15:amd64"
"""pkg's name of the target system; ``${ABI}`` in the address of a repository."""


class RepositoryUrl(str):
    """The address of a package repository; `folder` has the ABI in place of ``${ABI}``."""

    @classmethod
    def parse(cls, text: str) -> "RepositoryUrl":
        cls(text).folder  # noqa: B018
        return cls(text)

    @property
    def folder(self) -> Folder:
        return Folder.parse(self.replace("${ABI}", ABI))


_INSTEAD = "name a folder that holds the repository: ./exitisp build --packages DIR"


@dataclass(frozen=True, slots=True)
class Local:
    """A repository in a folder; its files are used in place."""

    folder: Path

    def where(self, path: str) -> str:
        """What refusals call the file at `path` below the repository."""
        return str(self.folder / path)

    def read(self, path: str, limit: int) -> bytes | None:
        """The file at `path`, of at most `limit` bytes; None if there is none. Raises Refusal."""
        if not (self.folder / path).exists():
            return None
        return read_regular(self.folder / path, limit, "Use another repository")


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository on a server; its packages are downloaded into the cache."""

    folder: Folder
    patience: Patience = PATIENCE

    def where(self, path: str) -> str:
        """What refusals call the file at `path` below the repository."""
        return self._url(path)

    def read(self, path: str, limit: int) -> bytes | None:
        """The file at `path`, of at most `limit` bytes; None if there is none. Raises Refusal."""
        return self._client().read(self._url(path), limit)

    def size(self, path: str) -> int | None:
        """The size in bytes of the file at `path`; None if there is none. Raises Refusal."""
        return self._client().length(self._url(path))

    def download(self, path: str, part: Path, size: int, advance: Advance) -> None:
        """Download the file at `path` into `part`, as `Client.download` does."""
        self._client().download(self._url(path), part, size, advance)

    def _client(self) -> "Client":
        """Make a client for each use, because packages are downloaded in several threads."""
        return connect(_INSTEAD, self.patience)

    def _url(self, path: str) -> Url:
        return Url(self.folder + urllib.parse.quote(path, safe="/+,:~"))


def place(text: str, patience: Patience = PATIENCE) -> Local | Remote:
    """Parse a folder, or an address that may contain ``${ABI}``.

    Raises Refusal.
    """
    if not re.match(r"[a-z0-9+]+://", text):
        folder = Path(text)
        if not folder.is_dir():
            raise Refusal(
                text,
                "no such folder" if not folder.exists() else "not a folder",
                "Give the folder or the address of a package repository with --packages",
            )
        return Local(folder)
    try:
        return Remote(RepositoryUrl.parse(f"{text.removesuffix('/')}/").folder, patience)
    except ValueError as error:
        raise Refusal(
            text,
            f"this is not {error}",
            f"Correct --packages. ${{ABI}} in it stands for {ABI}",
        ) from error
