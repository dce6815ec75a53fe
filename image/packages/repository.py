"""A package repository: a catalogue, trusted for its signature, and packages, trusted for the
checksums of the catalogue or the lock file.

As with sets, the bytes that are unpacked must be those that were hashed: a verified package
remembers the identity of its file, and `VerifiedPackage.open` refuses a file that has changed.
"""

import fnmatch
import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

from firstboot.core.limits import COMPRESSED_CATALOGUE, UCL
from firstboot.core.refusal import Refusal
from image import atomic_files, progress
from image.download.cache import alone_in
from image.download.partial import forget
from image.packages import meta, signed, trust
from image.packages.catalogue import Catalogue, Listed, parse_data, parse_packagesite
from image.packages.checksum import Checksum
from image.packages.location import ABI, Local, Remote
from image.packages.meta import Meta
from image.packages.trust import Keys
from image.progress import Advance
from image.verified_file import Identity, open_regular, reopen

AT_ONCE = 4
"""Packages that are downloaded or verified at the same time."""

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class VerifiedPackage:
    """A verified package file; `size` in bytes, `sha256` in hexadecimal.

    `provenance` says, for people and for the image's manifest, why the package is trusted.
    """

    listed: Listed
    path: Path
    sha256: str
    size: int
    provenance: str
    identity: Identity

    def open(self) -> FileIO:
        """Open the verified file at its beginning. Raises Refusal if it has changed."""
        return reopen(self.path, self.identity)


@dataclass(frozen=True, slots=True)
class Word:
    """Why packages are trusted.

    `whose` is the subject of "... says" in a refusal. `gone` is the remedy for a package that the
    repository does not have.
    """

    provenance: str
    whose: str
    gone: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository and its catalogue; `signer` is the fingerprint of the trusted key that signs
    the catalogue, `signer_name` what those who trust it call it."""

    place: Local | Remote
    catalogue: Catalogue
    signer: str
    signer_name: str


def open_repository(place: Local | Remote, keys: Keys | None) -> Repository:
    """Read the catalogue at `place`, signed by one of `keys`; without `keys`, by any key, for a
    caller who has another reason to trust `place`. Raises Refusal."""
    with progress.step(f"Read the catalogue at {place.where('')}"):
        described = place.read(meta.NAME, UCL)
        facts = Meta() if described is None else meta.parse(described, place.where(meta.NAME))
        for archive, member, parse in (
            (facts.manifests_archive, facts.manifests, parse_packagesite),
            (facts.data_archive, facts.data, parse_data),
        ):
            for path in (f"{archive}.pkg", f"{archive}.{facts.packing}"):
                data = place.read(path, COMPRESSED_CATALOGUE)
                if data is not None:
                    where = place.where(path)
                    content = signed.read(data, member, where)
                    known = Keys.of_signatures(content.signatures) if keys is None else keys
                    signer = trust.verify(content.data, content.signatures, known, where)
                    catalogue = parse(content.data, f"{where}: {member}")
                    return Repository(place, catalogue, signer, known.trusted[signer])
        raise Refusal(
            place.where(""),
            f"no package repository: neither {facts.manifests_archive}.pkg nor "
            f"{facts.data_archive}.pkg is there",
            "Correct --packages, or the repository's address in the lock file",
        )


def check_abi(packages: Sequence[Listed]) -> None:
    """Raise Refusal unless all `packages` are for the target system."""
    for one in packages:
        abi = one.package.abi
        if not fnmatch.fnmatchcase(ABI.lower(), abi.lower()):
            raise Refusal(
                one.package.full_name,
                f"the package is for '{abi}', not for {ABI}",
                "Use the repository of that system",
            )


def bring(
    place: Local | Remote, listed: Sequence[Listed], word: Word, cache: Path
) -> tuple[VerifiedPackage, ...]:
    """Return the packages `listed`, in their order, verified by size and checksum.

    Those of a server are taken from the folder `cache`, or else downloaded into it, several at
    once; after an interruption the next call resumes the downloads. Raises Refusal.
    """
    if not listed:
        return ()
    if isinstance(place, Remote):
        with alone_in(cache):
            return _bring(place, listed, word, cache)
    return _bring(place, listed, word, cache)


def _bring(
    place: Local | Remote, listed: Sequence[Listed], word: Word, cache: Path
) -> tuple[VerifiedPackage, ...]:
    given_up = threading.Event()
    counting = threading.Lock()
    title = f"Bring and verify {len(listed)} packages"
    with (
        progress.step(title, sum(one.size for one in listed)) as tell,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):

        def advance(amount: int) -> None:
            if given_up.is_set():
                raise _GivenUp
            with counting:
                tell(amount)

        def bring_one(one: Listed) -> VerifiedPackage:
            if isinstance(place, Local):
                return _in_folder(one, place.folder / one.path, word, advance)
            return _in_cache(one, word, cache, advance) or _downloaded(
                place, one, word, cache, advance
            )

        work = [threads.submit(bring_one, one) for one in listed]
        try:
            for one in wait(work, return_when=FIRST_EXCEPTION).done:
                one.result()
            return tuple(one.result() for one in work)
        except BaseException:
            given_up.set()
            for one in work:
                one.cancel()
            raise


class _GivenUp(Exception):
    """Another package has failed, or the user has interrupted the command."""


def _in_folder(one: Listed, path: Path, word: Word, advance: Advance) -> VerifiedPackage:
    if not path.exists():
        raise Refusal(path, f"no package {one.package.full_name}", word.gone)
    hashed = _hash(path, one, advance)
    for fact, found, said in (
        ("size in bytes", hashed.identity.size, one.size),
        ("checksum", hashed.checksum, one.sum),
    ):
        if found != said:
            raise Refusal(
                path,
                f"its {fact} is {found}, but {word.whose} says {said}",
                "Copy it again: it is altered, cut short, or not of this repository",
            )
    advance(one.size)
    return hashed.verified(one, path, word)


def _in_cache(one: Listed, word: Word, cache: Path, advance: Advance) -> VerifiedPackage | None:
    """Return the package from the cache, if it is there and its checksum is the listed one."""
    for path in sorted(cache.glob(f"{one.package.full_name}~{'[0-9a-f]' * 16}.pkg")):
        if path.stat().st_size == one.size:
            hashed = _hash(path, one, advance)
            if hashed.checksum == one.sum:
                advance(one.size)
                return hashed.verified(one, path, word)
    return None


def _downloaded(
    place: Remote, one: Listed, word: Word, cache: Path, advance: Advance
) -> VerifiedPackage:
    """Download the package into the cache under a name that has its SHA-256."""
    name, where = one.package.full_name, place.where(one.path)
    if place.size(one.path) is None:
        raise Refusal(where, f"no package {name} (HTTP 404)", word.gone)
    part = cache / f".{name}~{one.sum.digest.hex()[:16]}.part"
    place.download(one.path, part, one.size, advance)
    hashed = _hash(part, one, advance)
    if hashed.checksum != one.sum:
        forget(part)
        raise Refusal(
            where,
            f"the checksum is {hashed.checksum}, but {word.whose} says {one.sum}",
            "Run the same command again: it downloads the file afresh. If that does not "
            "help, the file is altered, or the repository is being renewed",
        )
    path = cache / f"{name}~{hashed.sha256[:16]}.pkg"
    atomic_files.settle(part, path)
    forget(part)
    with open_regular(path) as file:
        return replace(hashed, identity=Identity.of(file)).verified(one, path, word)


@dataclass(frozen=True, slots=True)
class _Hashed:
    """The hashes of a file, and its identity."""

    sha256: str
    checksum: Checksum
    identity: Identity

    def verified(self, one: Listed, path: Path, word: Word) -> VerifiedPackage:
        return VerifiedPackage(
            one, path, self.sha256, self.identity.size, word.provenance, self.identity
        )


def _hash(path: Path, one: Listed, advance: Advance) -> _Hashed:
    """Hash the whole file. Raises Refusal if it changes meanwhile, and what `advance` raises."""
    sha256, listed = hashlib.sha256(), one.sum.kind.new()
    with open_regular(path) as file:
        before = Identity.of(file)
        while data := file.read(CHUNK):
            advance(0)
            sha256.update(data)
            listed.update(data)
        if Identity.of(file) != before:
            raise Refusal(
                path,
                "the file changed while it was being verified",
                "Wait until it is completely written, and start again",
            )
    return _Hashed(sha256.hexdigest(), Checksum(one.sum.kind, listed.digest()), before)
