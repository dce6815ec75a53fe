"""Base sets on this machine, verified before they are unpacked.

The bytes that are unpacked must be those that were hashed: a verified set remembers the identity
of its file (device, inode, size, time of change of content and of inode), and `VerifiedSet.open`
refuses a file that has changed. An open descriptor would guarantee less, because the file behind
it can be overwritten. Neither protects against somebody who runs as the same user during a build.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from firstboot.core import limits
from firstboot.core.refusal import Refusal
from image import digest
from image.base import manifest
from image.lock import BASE_FILE, KERNEL_FILE, Base, Pin
from image.verified_file import Identity, open_regular, read_regular, reopen

SET_FILES = (BASE_FILE, KERNEL_FILE)
OF_ONE_BUILD = "Take the file from one build of the operating system"


class Trust(Enum):
    """Why a set is trusted; the value is the wording in the image's manifest."""

    SIGNED = "signed"
    PINNED_UNSIGNED = "pinned on first use, unsigned"
    LOCAL_UNSIGNED = "unsigned, given with --sets"


@dataclass(frozen=True, slots=True)
class VerifiedSet:
    """A set whose content is verified: `name` is such as base, `size` is in bytes.

    `signer` is the fingerprint of the key that signed it; None if it is not signed.
    """

    name: str
    path: Path
    sha256: str
    size: int
    trust: Trust
    signer: str | None
    identity: Identity

    @property
    def provenance(self) -> str:
        """For people and for the image's manifest: ``signed by SHA256:...``."""
        return f"signed by {self.signer}" if self.trust is Trust.SIGNED else self.trust.value

    def open(self) -> FileIO:
        """The file that was verified, at its beginning. Raises Refusal if it is another now."""
        return reopen(self.path, self.identity)


class BaseArchive(NamedTuple):
    """What the manifest and the bill of materials say of an archive; `size` is in bytes."""

    file: str
    sha256: str
    size: int
    provenance: str


@dataclass(frozen=True, slots=True)
class BaseSets:
    """A base system ready to be unpacked; `build` is its number, None if --sets gave it."""

    base: VerifiedSet
    kernel: VerifiedSet
    build: int | None

    @property
    def archives(self) -> tuple[BaseArchive, ...]:
        return tuple(
            BaseArchive(one.path.name, one.sha256, one.size, one.provenance)
            for one in (self.base, self.kernel)
        )


def open_local(folder: Path, known: Base) -> BaseSets:
    """Verify that the sets in `folder`, given with --sets, are complete and match their MANIFEST.

    Signatures beside them (``MANIFEST.sig``, ``base.txz.sig``, ...) are verified with the key in
    the lock, if it has one; a bad signature is refused. Sets that are the pinned ones are trusted
    as the lock says. Raises Refusal.
    """
    names = (manifest.NAME, *SET_FILES)
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise Refusal(
            folder,
            f"missing files: {', '.join(missing)}" if folder.is_dir() else "no such folder",
            f"Put {', '.join(names)} of one build of the operating system there",
        )
    text = read_regular(folder / manifest.NAME, limits.SMALL_FILE, OF_ONE_BUILD)
    listed = manifest.parse(text, str(folder / manifest.NAME))
    expected = {file: listed[file] for file in SET_FILES}
    signatures = {
        name: read_regular(folder / f"{name}.sig", limits.SMALL_FILE, OF_ONE_BUILD)
        for name in names
        if (folder / f"{name}.sig").exists()
    }
    if signatures and not known.signer:
        print(
            f"{folder}: {', '.join(f'{name}.sig' for name in signatures)} cannot be verified: "
            "the lock has no signer's key yet",
            file=sys.stderr,
        )
        signatures = {}
    if known.signer and manifest.NAME in signatures:
        known.signer.verify(text, signatures[manifest.NAME], listed.subject)
    with _hashed(folder) as found:
        verified = {}
        for file, hashed in found.items():
            path = folder / file
            if hashed.sha256 != expected[file].sha256:
                raise Refusal(
                    path,
                    f"its SHA-256 is {hashed.sha256} ({hashed.identity.size} bytes), but "
                    f"{manifest.NAME} beside it says {expected[file].sha256}",
                    "Copy or download it again: it is altered, cut short, or of another build",
                )
            if known.signer and file in signatures:
                known.signer.verify(hashed.file, signatures[file], str(path))
            if file in signatures or manifest.NAME in signatures:
                trust = Trust.SIGNED
            elif known.pin and known.pin.sets[file].sha256 == hashed.sha256:
                trust = _pinned_trust(known.pin, file)
            else:
                trust = Trust.LOCAL_UNSIGNED
            verified[file] = _verified(path, hashed, trust, known)
    return BaseSets(verified[BASE_FILE], verified[KERNEL_FILE], None)


def open_pinned(folder: Path, pin: Pin, known: Base) -> BaseSets | None:
    """Return the sets in `folder` if they are those of `pin`, else None.

    Standard error names a set that is there but differs. Raises Refusal for a file that cannot be
    read.
    """
    if not all((folder / file).exists() for file in SET_FILES):
        return None
    for file, pinned in pin.sets.items():
        if (folder / file).stat().st_size != pinned.size:
            _tell_unpinned(folder / file, pin)
            return None
    with _hashed(folder) as found:
        verified = {}
        for file, hashed in found.items():
            if hashed.sha256 != pin.sets[file].sha256:
                _tell_unpinned(folder / file, pin)
                return None
            trust = _pinned_trust(pin, file)
            verified[file] = _verified(folder / file, hashed, trust, known)
    return BaseSets(verified[BASE_FILE], verified[KERNEL_FILE], pin.build)


class _Hashed(NamedTuple):
    file: FileIO
    sha256: str
    identity: Identity


@contextmanager
def _hashed(folder: Path) -> Iterator[dict[str, _Hashed]]:
    """Both sets in `folder` by file name, open."""
    with ExitStack() as stack:
        files = {
            folder / file: stack.enter_context(open_regular(folder / file)) for file in SET_FILES
        }
        before = {path: Identity.of(file) for path, file in files.items()}
        digests = digest.sha256(files)
        for path, file in files.items():
            if Identity.of(file) != before[path]:
                raise Refusal(
                    path,
                    "the file changed while it was being verified",
                    "Wait until it is completely written, and start again",
                )
        yield {
            path.name: _Hashed(file, digests[path], before[path]) for path, file in files.items()
        }


def _verified(path: Path, hashed: _Hashed, trust: Trust, known: Base) -> VerifiedSet:
    signer = known.key.fingerprint if known.key and trust is Trust.SIGNED else None
    name = path.name.removesuffix(".txz")
    size = hashed.identity.size
    return VerifiedSet(name, path, hashed.sha256, size, trust, signer, hashed.identity)


def _pinned_trust(pin: Pin, file: str) -> Trust:
    return Trust.SIGNED if pin.sets[file].signed else Trust.PINNED_UNSIGNED


def _tell_unpinned(path: Path, pin: Pin) -> None:
    print(
        f"{path} is not that of build-{pin.build}, which is pinned, and is not used (sets of your "
        "own are named with --sets)",
        file=sys.stderr,
    )
