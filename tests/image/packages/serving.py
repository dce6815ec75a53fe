"""A package repository on a server of the loopback interface, which may misbehave."""

import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.image.base.upstream import Mirror, Quirk, Request
from tests.image.packages.repository import ABI

PREFIX = f"/pkg/{ABI}/"


@dataclass
class Server:
    """What a server offers below PREFIX."""

    mirror: Mirror

    @property
    def template(self) -> str:
        """The repository's address as pkg.conf(5) would have it."""
        return f"http://127.0.0.1:{self.mirror.server_port}/pkg/${{ABI}}/"

    def offer(self, folder: Path) -> None:
        """Offer the repository in `folder`, and nothing else."""
        self.mirror.files = {
            self.path(str(path.relative_to(folder))): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    def path(self, path: str) -> str:
        """How a client asks for the file at `path` of the repository."""
        return PREFIX + urllib.parse.quote(path, safe="/+,:~")

    def misbehave(self, path: str, *quirks: Quirk) -> None:
        """Answer the next requests for `path` so, and then honestly again."""
        self.mirror.quirks["GET", self.path(path)] += quirks

    def requests(self, path: str) -> list[Request]:
        return [
            seen
            for seen in self.mirror.requests
            if (seen.method, seen.path) == ("GET", self.path(path))
        ]


@contextmanager
def serving() -> Iterator[Server]:
    mirror = Mirror()
    thread = threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Server(mirror)
    finally:
        mirror.closing.set()
        mirror.shutdown()
        thread.join()
        mirror.server_close()
