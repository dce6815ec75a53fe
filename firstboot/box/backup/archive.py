"""The archive in a backup: the site, root's password, host keys and relays' keys.

It is a tar archive (POSIX.1-1988, ustar) of regular files. The first file is the manifest: a line
`exitisp-backup 1`, then for each file its SHA-256, its mode in octal and its name. Names have one
of a few known forms; files with other names are neither packed nor unpacked.
"""

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from firstboot.box.machine import Machine, ensure_storage, site_of
from firstboot.core import tar
from firstboot.core.durable import keep
from firstboot.core.limits import BACKUP_ARCHIVE, KEPT_FILE
from firstboot.core.refusal import Refusal

MANIFEST = "manifest"
MAGIC = "exitisp-backup 1"
SITE = "site.yaml"
PASSWORD = "accounts/root"  # noqa: S105
_NAME = re.compile(
    r"site\.yaml|accounts/root|ssh/ssh_host_ed25519_key(\.pub)?"
    r"|tor/relay[0-9]{1,3}/keys/[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?"
    r"|tor/family/[A-Za-z0-9_-]+(\.[A-Za-z0-9_]+)?"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of a backup."""

    name: str
    mode: int
    data: bytes


def gather(machine: Machine) -> tuple[Kept, ...]:
    """The files of this box to back up. Raises Refusal if it is not configured."""
    running = machine.running()
    if running is None:
        raise Refusal(
            "this box",
            "it is not configured, so there is nothing to keep",
            "Answer the questions of exitisp setup",
        )
    ensure_storage(machine)
    found = [Kept(SITE, 0o600, site_of(running))]
    for top in (machine.cfg, machine.root / "data"):
        for path in _files(top):
            name = path.relative_to(top).as_posix()
            if _NAME.fullmatch(name):
                found.append(_read(path, name))
    return tuple(found)


def _files(top: Path) -> Iterator[Path]:
    """Regular files in the folders `accounts`, `ssh` and `tor` of `top`. Symbolic links are not
    followed, because relays own their folders."""
    for name in ("accounts", "ssh", "tor"):
        for path in sorted((top / name).rglob("*")):
            inside = (one for one in (path, *path.parents) if one.is_relative_to(top))
            if path.is_file() and not any(one.is_symlink() for one in inside):
                yield path


def _read(path: Path, name: str) -> Kept:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            mode, data = os.fstat(descriptor).st_mode & 0o777, file.read(KEPT_FILE + 1)
    except OSError as error:
        raise Refusal(
            path,
            f"the file cannot be read: {error.strerror or error}",
            "Look at the file systems /cfg and /data",
        ) from error
    if not data or len(data) > KEPT_FILE:
        size = f"it has more than {KEPT_FILE} bytes" if data else "it is empty"
        raise Refusal(
            path, f"{size}, so it is no key", "Restore it from an earlier backup, or remove it"
        )
    return Kept(name, mode, data)


def pack(files: Iterable[Kept]) -> bytes:
    """Pack `files` into an archive."""
    files = tuple(files)
    lines = [MAGIC]
    for one in files:
        assert _NAME.fullmatch(one.name), one.name
        lines.append(f"{hashlib.sha256(one.data).hexdigest()} {one.mode:04o} {one.name}")
    manifest = Kept(MANIFEST, 0o600, "".join(f"{line}\n" for line in lines).encode())
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for one in (manifest, *files):
            member = tarfile.TarInfo(one.name)
            member.size, member.mode = len(one.data), one.mode
            archive.addfile(member, io.BytesIO(one.data))
    return target.getvalue()


def unpack(data: bytes, where: str) -> tuple[Kept, ...]:
    """The files of an archive, the site first. Raises Refusal if `pack` did not make it."""
    try:
        found = list(_members(data))
        manifest = found.pop(0)
        magic, *lines = manifest.data.decode("ascii").splitlines()
        if manifest.name != MANIFEST or magic != MAGIC:
            raise ValueError(f"its manifest does not begin with {MAGIC}")
        told = [line.split(" ") for line in lines]
        names = [one.name for one in found]
        if [name for _, _, name in told] != names or len(set(names)) != len(names):
            raise ValueError("it has other files than its manifest says")
        if names[:1] != [SITE]:
            raise ValueError("it has no site")
        for (digest, mode, name), one in zip(told, found, strict=True):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name} is not a file of a box")
            if (digest, int(mode, 8)) != (hashlib.sha256(one.data).hexdigest(), one.mode):
                raise ValueError(f"{name} is not as it was packed")
    except (ValueError, LookupError) as error:
        raise Refusal(
            where, f"this is not a backup of a box: {error}", "Take one that exitisp backup wrote"
        ) from error
    return tuple(found)


def _members(data: bytes) -> Iterator[Kept]:
    for header, content in tar.members(io.BytesIO(data), BACKUP_ARCHIVE):
        if header.type != tar.FILE or header.mode & ~0o777 or header.size > KEPT_FILE:
            raise ValueError(f"{header.name} is not a regular file")
        yield Kept(header.name, header.mode, tar.whole(content))


def lay(files: Iterable[Kept], machine: Machine) -> None:
    """Write all files but the site and the password to where the box has them.

    Raises Refusal if other files are there, in which case nothing has changed, or if a file cannot
    be written.
    """
    places = [(_place(one.name, machine), one) for one in files if one.name not in (SITE, PASSWORD)]
    for path, one in places:
        if path.exists() and path.read_bytes() != one.data:
            raise Refusal(
                path,
                "this box has another key there than the backup",
                "Take a freshly flashed box, or remove the key if nobody needs it any more",
            )
    try:
        for path, one in places:
            tor = one.name.startswith("tor/")
            owner = machine.owner(*(("_tor", "_tor") if tor else ("root", "wheel")))
            for folder in _made(path.parent):
                folder.chmod(0o700)
                os.chown(folder, *owner)
            keep(path, one.data, one.mode)
            os.chown(path, *owner)
    except OSError as error:
        raise Refusal(
            error.filename or machine.cfg,
            f"the file of the backup cannot be written: {error.strerror or error}",
            "Look at the file systems /cfg and /data",
        ) from error


def _made(folder: Path) -> list[Path]:
    """Make `folder`, and return it with those above it that were missing, from the inside out."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return missing


def _place(name: str, machine: Machine) -> Path:
    top = machine.root / "data" if name.startswith("tor/") else machine.cfg
    return top / name
