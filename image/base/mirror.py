"""HardenedBSD's mirror: the signer's key, the builds, and the files of a build.

A build is a folder ``build-N`` with MANIFEST, the sets, and perhaps an OpenSSH signature beside
any of them (``base.txz.sig``). A set counts as signed if its own signature verifies, or the
signature of the MANIFEST that has its hash; a signature that does not verify is refused in both
cases. No signature covers the number of the build, so whoever controls the mirror can offer an old
build under a new number: `image.base.build_identity` goes by what is inside of the sets.
"""

import html
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from firstboot.core.limits import BASE_SET, SMALL_FILE
from firstboot.core.refusal import Refusal
from image import atomic_files, digest, progress
from image.base import manifest
from image.base.sets import SET_FILES
from image.download.partial import forget
from image.download.url import Folder, Url
from image.lock import BASE_FILE, KERNEL_FILE, Natural, Pin, SetPin, Sha256
from image.ssh_signature import PublicKey, Signer

if TYPE_CHECKING:
    from image.download.client import Client

CANDIDATES = 10
"""How many of the newest builds are searched for a complete one."""


_LINK = re.compile(r"""<a(?=\s)[^<>]*?\shref=["']?([^"'<>\s]+)""", re.IGNORECASE)
"""A link of an autoindex page. A parser of HTML takes hours for some pages of a megabyte."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One build on the mirror. The signature of its MANIFEST, if any, has been verified."""

    build: int
    folder: Folder
    text: bytes
    signatures: Mapping[str, bytes]
    pin: Pin

    @property
    def signed_together(self) -> bool:
        """Whether one signature is over the hashes of both sets."""
        return manifest.NAME in self.signatures


def read_key(client: "Client", url: Url) -> PublicKey:
    """Read the signer's public key. Raises Refusal unless `url` has exactly one."""
    data = client.read(url, SMALL_FILE)
    text = (data or b"").decode("ascii", "replace")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        if len(lines) != 1:
            raise ValueError("one OpenSSH public key")
        return PublicKey.parse(lines[0])
    except ValueError as error:
        raise Refusal(
            url,
            "no such file (HTTP 404)"
            if data is None
            else f"this is not {error}: {len(lines)} lines in {len(data)} bytes",
            "Look up where the mirror publishes the signer's key, and put that address into "
            "the lock file",
        ) from error


def has_builds(client: "Client", location: Folder) -> bool:
    """Return whether the mirror has any build, complete or not. Raises Unreachable if no server
    answers, so that a mirror that is out of reach is not taken for an empty one."""
    listing = client.read(location, SMALL_FILE)
    return bool(list_builds((listing or b"").decode("utf-8", "replace"), location))


def find_newest(client: "Client", location: Folder, signer: Signer) -> Offer:
    """Return the complete build with the highest number. Raises Refusal if there is none."""
    listing = client.read(location, SMALL_FILE)
    builds = list_builds((listing or b"").decode("utf-8", "replace"), location)
    for build in builds[:CANDIDATES]:
        offer = inspect(client, location, build, signer)
        if offer:
            return offer
    raise Refusal(
        location,
        f"{len(builds)} builds are there, but none of the newest {CANDIDATES} has {manifest.NAME}, "
        f"{' and '.join(SET_FILES)}"
        if builds
        else "the listing has no folder build-N",
        "Try again later, or put the address of another mirror into the lock file",
    )


def list_builds(listing: str, location: Folder) -> list[int]:
    """Return the N of the folders ``build-N`` that an autoindex page links to, highest first."""
    found = set()
    for link in map(html.unescape, _LINK.findall(listing)):
        try:
            there = urllib.parse.urljoin(location, link)
        except ValueError:
            continue
        rest = there.removeprefix(location) if there.startswith(location) else ""
        if match := re.fullmatch(r"build-([1-9][0-9]{0,8})/?", rest):
            found.add(int(match[1]))
    return sorted(found, reverse=True)


def inspect(client: "Client", location: Folder, build: int, signer: Signer) -> Offer | None:
    """Return what the mirror has of `build`; None if its MANIFEST or one of its sets is missing.

    Raises Refusal for a MANIFEST that is malformed, or altered after it was signed.
    """
    folder = Folder(f"{location}build-{build}/")
    subject = f"{folder}{manifest.NAME}"
    text = client.read(Url(subject), SMALL_FILE)
    if text is None:
        return None
    signatures = {}
    for name in (manifest.NAME, *SET_FILES):
        signature = client.read(Url(f"{folder}{name}.sig"), SMALL_FILE)
        if signature is not None:
            signatures[name] = signature
    if manifest.NAME in signatures:
        signer.verify(text, signatures[manifest.NAME], subject)
    listed = manifest.parse(text, subject)
    pins = {}
    for file in SET_FILES:
        size = client.length(Url(folder + file))
        if size is None:
            return None
        if not 0 < size <= BASE_SET:
            raise Refusal(
                folder + file,
                f"the set has {size} bytes; at most {BASE_SET} are accepted",
                "Do not use it. Try again later, or use another mirror",
            )
        signed = manifest.NAME in signatures or file in signatures
        pins[file] = SetPin(Sha256(listed[file].sha256), Natural(size), signed)
    pin = Pin(Natural(build), pins[BASE_FILE], pins[KERNEL_FILE])
    return Offer(build, folder, text, signatures, pin)


@dataclass(frozen=True, slots=True)
class Brought:
    """A set that was brought and verified, at `path`."""

    path: Path

    def open(self) -> IO[bytes]:
        return self.path.open("rb")


Check = Callable[[Brought, Brought], object]
"""Judges base and kernel once they are verified; raises Refusal."""


def fetch(
    client: "Client",
    offer: Offer,
    signer: Signer,
    cache: Path,
    check: Check = lambda base, kernel: None,
) -> None:
    """Download the build into the folder `cache`, verify it, and have it judged by `check`; a
    failure leaves `cache` as it was.

    Sets that are already in `cache` are not downloaded again; interrupted downloads (the files
    ``.base.txz.part`` and so on) are resumed. Raises Refusal.
    """
    brought: dict[str, Path] = {}
    places: dict[str, Path] = {}
    for file, pin in offer.pin.sets.items():
        path = cache / file
        url = Url(offer.folder + file)
        if not _is_pinned(path, pin):
            path = brought[file] = cache / f".{file}.part"
            with progress.step(f"download {file} of build-{offer.build}", pin.size) as advance:
                client.download(url, path, pin.size, advance)
            found = _sha256(path)
            if found != pin.sha256:
                forget(path)
                raise Refusal(
                    url,
                    f"its SHA-256 is {found}, but {manifest.NAME} says {pin.sha256}",
                    "Run the same command again: it downloads the file afresh. If that does "
                    "not help, the mirror's copy is altered",
                )
        if file in offer.signatures:
            with path.open("rb", buffering=0) as opened:
                signer.verify(opened, offer.signatures[file], url)
        places[file] = path
    try:
        check(Brought(places[BASE_FILE]), Brought(places[KERNEL_FILE]))
    except Refusal:
        for part in brought.values():
            forget(part)
        raise
    for file, part in brought.items():
        atomic_files.settle(part, cache / file)
        forget(part)
    atomic_files.replace(cache / manifest.NAME, offer.text)
    for name in (manifest.NAME, *SET_FILES):
        signature = cache / f"{name}.sig"
        if name in offer.signatures:
            atomic_files.replace(signature, offer.signatures[name])
        else:
            signature.unlink(missing_ok=True)


def _is_pinned(path: Path, pin: SetPin) -> bool:
    return path.is_file() and path.stat().st_size == pin.size and _sha256(path) == pin.sha256


def _sha256(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        return digest.sha256({path: file})[path]
