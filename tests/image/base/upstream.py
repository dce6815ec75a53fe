"""A mirror on the loopback interface that offers what HardenedBSD's offers, or misbehaves."""

import hashlib
import random
import re
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from image import lock
from image.download.timeouts import Patience
from image.download.url import Folder, Url
from image.lock import Base, BaseRepository, Lock, Pin, Schema
from image.packages.location import ABI, RepositoryUrl
from image.ssh_signature import Principal, PublicKey
from tests.image.kernel import objects
from tests.image.kernel.objects import Plan
from tests.sets import NUMBER, RELEASE, Item, archive, shell, version_script

HASTY = Patience(connect=5.0, answer=10.0, silence=10.0, pauses=(0.0, 0.0, 0.0))
PRINCIPAL = Principal("hbsd-os-build-01")
INSTALLER = "/pub/15-stable/amd64/amd64/installer/"
KEY = "/pub/keys/ssh.pub.txt"

BUILT = 1_790_000_000
"""When the usual build was made, in seconds since 1970."""

DAY = 24 * 3600


def base_set(built: int = BUILT, number: int = NUMBER, release: str = RELEASE) -> bytes:
    """A base set in the least that tells which build it is, and 600 KB of noise."""
    said = (
        Item("./bin/freebsd-version", version_script(release), 0o555),
        Item("./bin/sh", shell(number), 0o555),
    )
    return archive((*said, Item("./noise", random.Random(built).randbytes(600_000))), built)


def kernel_set(built: int = BUILT, number: int = NUMBER, release: str = RELEASE) -> bytes:
    """The same of a kernel, with 150 KB of noise."""
    kernel = objects.kernel(Plan(release=release, number=number))
    noise = Item("./boot/kernel/noise", random.Random(built + 1).randbytes(150_000))
    return archive((Item("./boot/kernel/kernel", kernel, 0o555), noise), built)


BASE, KERNEL = base_set(), kernel_set()


@dataclass(frozen=True)
class Keys:
    """A key pair that ssh-keygen made; `private` is its path."""

    private: Path
    public: PublicKey

    @classmethod
    def make(cls, path: Path) -> "Keys":
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f", path],
            check=True,
        )
        return cls(path, PublicKey.parse(path.with_name(f"{path.name}.pub").read_text()))

    def sign(self, data: bytes, namespace: str = "file") -> bytes:
        command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(self.private), "-n", namespace]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def manifest_of(files: Mapping[str, bytes]) -> bytes:
    lines = (
        f'{file}\t{hashlib.sha256(data).hexdigest()}\t7\t{file[:-4]}\t"A set (MANDATORY)"\ton\n'
        for file, data in files.items()
    )
    return "".join(lines).encode()


@dataclass
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    sent: int = 0


class Answer(BaseHTTPRequestHandler):
    """One request. A quirk calls the methods below; without one, the file is sent honestly."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Mirror"

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        self.request_seen = Request(self.command, self.path, dict(self.headers.items()))
        self.server.requests.append(self.request_seen)
        quirks = self.server.quirks[self.command, self.path]
        try:
            quirks.pop(0)(self) if quirks else self.honest()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    @property
    def file(self) -> bytes | None:
        return self.server.files.get(self.path)

    def honest(self, *, ranges: bool = True, most: int | None = None) -> None:
        """Send the file, or its end; `most` bytes of it, and then hang up."""
        data = self.file
        if data is None:
            self.status(404)
            return
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and ranges else 0
        if self.headers.get("If-Range", tag) != tag:
            start = 0
        if start >= len(data) > 0:
            self.status(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if self.command == "GET":
            self.write(data[start:][:most])
        if most is not None:
            self.close_connection = True

    def write(self, data: bytes) -> None:
        self.request_seen.sent += len(data)
        self.wfile.write(data)

    def status(self, code: int, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


Quirk = Callable[[Answer], None]


def status(code: int, **headers: str) -> Quirk:
    return lambda answer: answer.status(code, **headers)


def drop_after(count: int) -> Quirk:
    return lambda answer: answer.honest(most=count)


def ignore_range(answer: Answer) -> None:
    answer.honest(ranges=False)


def stall(answer: Answer) -> None:
    """Send nothing until the server is shut down."""
    answer.server.closing.wait()


def stall_in_body(answer: Answer) -> None:
    answer.honest(most=1000)
    answer.wfile.flush()
    answer.server.closing.wait()


def endless(answer: Answer) -> None:
    """A body without a length that never ends."""
    answer.send_response(200)
    answer.end_headers()
    answer.close_connection = True
    while not answer.server.closing.is_set():
        answer.write(bytes(1 << 16))


def instead(data: bytes) -> Quirk:
    """Other bytes, and no length."""

    def send(answer: Answer) -> None:
        answer.send_response(200)
        answer.end_headers()
        answer.write(data)
        answer.close_connection = True

    return send


class Mirror(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.quirks: defaultdict[tuple[str, str], list[Quirk]] = defaultdict(list)
        self.requests: list[Request] = []
        self.closing = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


@dataclass
class Upstream:
    """The mirror's content: what an operating system's project publishes, and its key."""

    server: Mirror
    keys: Keys
    folders: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def location(self) -> Folder:
        return Folder.parse(f"{self.address}{INSTALLER}")

    @property
    def key_location(self) -> Url:
        return Url.parse(f"{self.address}{KEY}")

    def url(self, build: int, file: str) -> Url:
        return Url.parse(f"{self.location}build-{build}/{file}")

    def path(self, build: int, file: str) -> str:
        return f"{INSTALLER}build-{build}/{file}"

    def publish(
        self,
        build: int,
        *,
        base: bytes = BASE,
        kernel: bytes = KERNEL,
        signed: tuple[str, ...] = ("MANIFEST", "base.txz", "kernel.txz"),
        by: Keys | None = None,
    ) -> None:
        files = {"base.txz": base, "kernel.txz": kernel}
        files["MANIFEST"] = manifest_of(files)
        for name in signed:
            files[f"{name}.sig"] = (by or self.keys).sign(files[name])
        for name, data in files.items():
            self.server.files[self.path(build, name)] = data
        self.link(f"build-{build}/")

    def link(self, target: str) -> None:
        """Put `target` on the autoindex page."""
        self.folders.append(target)
        rows = "".join(f'<a href="{name}">{name}</a>\n' for name in ("../", *self.folders))
        self.server.files[INSTALLER] = f"<html><body><pre>{rows}</pre></body></html>".encode()

    def remove(self, build: int, file: str) -> None:
        del self.server.files[self.path(build, file)]

    def offer_key(self, key: PublicKey) -> None:
        self.server.files[KEY] = f"{key} root@build\n".encode()

    def misbehave(self, path: str, *quirks: Quirk, method: str = "GET") -> None:
        """Answer the next requests for `path` so, and then honestly again."""
        self.server.quirks[method, path] += quirks

    def requests(self, path: str, method: str = "GET") -> list[Request]:
        return [seen for seen in self.server.requests if (seen.method, seen.path) == (method, path)]

    def offer_packages(self, folder: Path) -> None:
        """Offer the repository in `folder` as that of the base's packages."""
        for path in filter(Path.is_file, folder.rglob("*")):
            self.server.files[f"/pkgbase/{ABI}/{path.relative_to(folder)}"] = path.read_bytes()

    def write_lock(
        self, path: Path, *, key: PublicKey | None = None, pin: Pin | None = None
    ) -> Path:
        packages = BaseRepository(RepositoryUrl(f"{self.address}/pkgbase/${{ABI}}/"))
        base = Base(self.location, self.key_location, PRINCIPAL, key, pin, packages)
        lock.write(path, Lock(Schema(1), base))
        return path


@contextmanager
def serving(keys: Keys) -> Iterator[Upstream]:
    server = Mirror()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        upstream = Upstream(server, keys)
        upstream.offer_key(keys.public)
        yield upstream
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
