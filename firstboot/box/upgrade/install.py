"""Another system into the idle slot, verified before and after, and tried once.

In this order: the signature, with the key in the running image; the hash of all that is compressed;
what the release says of itself; then the blocks go into the slot, whose superblock is missing until
their hash is right; then fsck_ffs(8) and every file of it, read through the kernel. Until all of
that is done nothing starts the slot, and the box runs as before.
"""

import contextlib
import fcntl
import hashlib
import itertools
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from firstboot.box.apply import site_of_running
from firstboot.box.machine import Machine, site_of
from firstboot.box.output import Say
from firstboot.box.upgrade.slots import Slot, forget, mount, slots, unmount
from firstboot.core import release_info, upgrade_file
from firstboot.core.durable import flush
from firstboot.core.refusal import Refusal
from firstboot.core.upgrade_file import FORM, LONGEST_HEAD, SUPERBLOCK, Manifest, Span
from firstboot.site.address_plan import allot
from firstboot.site.check import schema_of

CHUNK = 1 << 20
FETCHING = 4 * 3600.0
"""Seconds for a download; one that is cut off is taken up again."""

CHECKING = 1800.0
"""Seconds for fsck_ffs(8) on a slow disk."""

FETCHED = "upgrade"
"""Folder on /data for what is downloaded."""


@dataclass(frozen=True, slots=True)
class Verified:
    """An upgrade whose signature and hash are right. `file` stands where its content begins."""

    name: str
    file: IO[bytes]
    manifest: Manifest


def install(source: str, machine: Machine, say: Say) -> None:
    """Put the upgrade `source`, a file or an https address, into the idle slot. Raises Refusal, and
    then the box starts what it started before."""
    idle = slots(machine).idle
    ensure_keys(machine)
    path = fetch(source, machine, say) if "://" in source else Path(source)
    try:
        with verified(path, machine, say) as upgrade:
            judge(upgrade, machine)
            forget(idle, machine)
            say(f"Writing version {upgrade.manifest.stamp.version} into {idle.label}.")
            write(upgrade, idle, machine)
            say("Checking what was written.")
            check(upgrade.manifest, idle, machine)
    finally:
        if "://" in source:
            path.unlink(missing_ok=True)


def ensure_keys(machine: Machine) -> None:
    """Raises Refusal if the running image has no key that may sign an upgrade."""
    if not (machine.root / release_info.SIGNERS).is_file():
        raise Refusal(
            f"/{release_info.SIGNERS}",
            expected="the key that signs releases",
            found="none: this image was built without one",
            remedy="flash a release, or an image built with --release-key",
        )


def fetch(address: str, machine: Machine, say: Say) -> Path:
    """Download it to /data, on from where an earlier try ended. Raises Refusal."""
    name = address.rpartition("/")[2]
    if not address.startswith("https://") or not name or name.startswith("."):
        raise Refusal(
            address,
            expected="https:// and the name of a file",
            found="something else",
            remedy="correct the address, or copy the file to /data and name it",
        )
    folder = machine.root / "data" / FETCHED
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    for other in folder.iterdir():
        if other != path:
            other.unlink()
    say(f"Fetching {address}.")
    command = ("fetch", "-q", "-r", "-o", str(path), address)
    done = machine.run("env", *_from(machine), *command, patience=FETCHING)
    if done.status != 0:
        raise Refusal(
            address,
            expected="a file to download",
            found=" ".join(done.text.split()) or f"status {done.status}",
            remedy="run the same command again, which goes on from there",
        )
    return path


def _from(machine: Machine) -> tuple[str, ...]:
    """The address that downloads leave from, which is the router's (see pf.conf)."""
    if machine.running() is None:
        return ()
    router = allot(site_of_running(machine).value).router
    return (f"FETCH_BIND_ADDRESS={router.v4 or router.v6}",)


@contextlib.contextmanager
def verified(path: Path, machine: Machine, say: Say) -> Iterator[Verified]:
    """The upgrade at `path`. Raises Refusal unless its signature and its hash are right."""
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise Refusal(
            path,
            expected="an upgrade, exitisp-VERSION.upgrade of a release",
            found=error.strerror or str(error),
            remedy="name another file",
        ) from error
    with file:
        head = upgrade_file.read_head(_read(file, LONGEST_HEAD))
        if head is None:
            raise _no_upgrade(path, "an upgrade", "another file")
        if head.form != FORM:
            raise _no_upgrade(
                path, f"an upgrade of form {FORM}, which this image knows", f"form {head.form}"
            )
        file.seek(head.length)
        data, signature = _read(file, head.manifest), _read(file, head.signature)
        if len(data) != head.manifest or len(signature) != head.signature:
            raise _no_upgrade(path, "a whole file", "one that ends early")
        _verify(path, data, signature, machine)
        try:
            manifest = upgrade_file.parse(data)
        except (ValueError, RecursionError) as error:
            raise _no_upgrade(path, "a manifest that this image knows", str(error)) from error
        say(f"{path.name}: signed, version {manifest.stamp.version}, {manifest.stamp.base}.")
        start = file.tell()
        _hash(path, file, manifest)
        file.seek(start)
        yield Verified(path.name, file, manifest)


def _read(file: IO[bytes], length: int) -> bytes:
    """`length` bytes, or as many as there are."""
    data = b""
    while len(data) < length and (more := file.read(length - len(data))):
        data += more
    return data


def _verify(path: Path, data: bytes, signature: bytes, machine: Machine) -> None:
    machine.state.mkdir(parents=True, exist_ok=True)
    beside = machine.state / "upgrade.sig"
    beside.write_bytes(signature)
    signers = machine.root / release_info.SIGNERS
    who = (
        "-f",
        str(signers),
        "-I",
        release_info.PRINCIPAL,
        "-n",
        release_info.NAMESPACE,
        "-s",
        str(beside),
    )
    done = machine.run(
        "ssh-keygen", "-Y", "verify", *who, given=data.decode("ascii", "backslashreplace")
    )
    beside.unlink()
    if done.status != 0:
        raise Refusal(
            path,
            expected="a signature by the key in this image",
            found=" ".join(done.text.split()).rstrip(".") or "none",
            remedy="do not use it; fetch it again, and see with which key releases are signed",
        )


def _hash(path: Path, file: IO[bytes], manifest: Manifest) -> None:
    state, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        state.update(chunk)
        size += len(chunk)
    if size != manifest.packed.size:
        raise _no_upgrade(path, f"{manifest.packed.size} bytes of content", f"{size}")
    if state.hexdigest() != manifest.packed.sha256:
        raise _no_upgrade(path, f"SHA-256 {manifest.packed.sha256}", state.hexdigest())


def _no_upgrade(path: Path, expected: str, found: str) -> Refusal:
    return Refusal(path, expected=expected, found=found, remedy="fetch it again, or another one")


def judge(upgrade: Verified, machine: Machine) -> None:
    """Raises Refusal for a release that is not for this box."""
    new = upgrade.manifest.stamp
    now = release_info.read(machine.root)
    if now is None:
        raise Refusal(
            f"/{release_info.PLACE}",
            expected="the version of this image",
            found="none",
            remedy="flash a release",
        )
    if new.system != now.system:
        raise Refusal(
            upgrade.name,
            expected=f"a release with {now.system}, as on this box",
            found=new.base,
            remedy="fetch the one for this base",
        )
    if new.order < now.order:
        raise Refusal(
            upgrade.name,
            expected=f"version {now.version} or a later one",
            found=new.version,
            remedy="the way back is exitisp rollback --slot; else flash the older image",
        )
    ensure_knows(new, upgrade.name, machine)


def ensure_knows(system: release_info.Stamp, name: str, machine: Machine) -> None:
    """Raises Refusal if the program in a system cannot read the site of this box."""
    running = machine.running()
    schema = schema_of(site_of(running)) if running is not None else None
    if schema is not None and schema > system.schema:
        raise Refusal(
            name,
            expected=f"a system that knows site files of version {schema}, as this box has one",
            found=f"one that knows those up to version {system.schema}",
            remedy="take a later one",
        )


def write(upgrade: Verified, slot: Slot, machine: Machine) -> None:
    """Write the slot, its superblock last. Raises Refusal, and then the slot holds no system."""
    device = machine.root / slot.device.lstrip("/")
    manifest = upgrade.manifest
    try:
        target = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise _unwritten(slot, error.strerror or str(error)) from error
    try:
        size = os.lseek(target, 0, os.SEEK_END) or _media_size(target)
        if size != manifest.slot:
            raise Refusal(
                upgrade.name,
                expected=f"a system for a slot of {size} bytes, as on this disk",
                found=f"one for {manifest.slot}",
                remedy="flash the image; this disk was partitioned by another version",
            )
        first, end = SUPERBLOCK
        _place(target, first, bytes(end - first))
        _settle(target)
        kept = _fill(target, upgrade, machine)
        _settle(target)
        _place(target, first, kept)
        _settle(target)
    except OSError as error:
        raise _unwritten(slot, error.strerror or str(error)) from error
    finally:
        os.close(target)


DIOCGMEDIASIZE = 0x40086481
"""_IOR('d', 129, off_t) in sys/disk.h: how many bytes a disk has, which seeking does not tell."""


def _media_size(target: int) -> int:
    return int.from_bytes(fcntl.ioctl(target, DIOCGMEDIASIZE, bytes(8)), "little")


def _fill(target: int, upgrade: Verified, machine: Machine) -> bytes:
    """Write all but the superblock, which is returned once all was as it had to be."""
    manifest, state, kept = upgrade.manifest, hashlib.sha256(), bytearray()
    command = ["zstd", "-d", "-c", "-q"]
    with subprocess.Popen(
        command, stdin=upgrade.file, stdout=subprocess.PIPE, env={"PATH": machine.search}
    ) as unpacking:
        assert unpacking.stdout is not None
        for first, end in pieces(manifest.spans):
            data = _read(unpacking.stdout, end - first)
            state.update(data)
            if (first, end) == SUPERBLOCK:
                kept += data
            else:
                _place(target, first, data)
        more = unpacking.stdout.read(1)
    if unpacking.returncode != 0 or more or state.hexdigest() != manifest.content.sha256:
        raise Refusal(
            upgrade.name,
            expected=f"what is compressed to have SHA-256 {manifest.content.sha256}",
            found=state.hexdigest(),
            remedy="check the memory and the disk of this box, then try again",
        )
    return bytes(kept)


def pieces(spans: tuple[Span, ...]) -> Iterator[Span]:
    """The same, none longer than a chunk, and the superblock as one of them."""
    for first, end in spans:
        cuts = sorted({first, *(cut for cut in SUPERBLOCK if first < cut < end), end})
        for low, high in itertools.pairwise(cuts):
            for at in range(low, high, CHUNK):
                yield at, min(at + CHUNK, high)


def _place(target: int, offset: int, data: bytes) -> None:
    while data:
        written = os.pwrite(target, data, offset)
        data, offset = data[written:], offset + written


def _settle(target: int) -> None:
    # FreeBSD writes to a disk at once; whatever its cache holds is written down by flush().
    with contextlib.suppress(OSError):
        os.fsync(target)
    flush()


def _unwritten(slot: Slot, found: str) -> Refusal:
    return Refusal(
        slot.device,
        expected="a slot that can be written",
        found=found,
        remedy="check the disk; the running system is as it was",
    )


def check(manifest: Manifest, slot: Slot, machine: Machine) -> None:
    """Hold what the disk has against the manifest. Raises Refusal, and then the slot holds no
    system."""
    try:
        _check_structure(slot, machine)
        _check_files(manifest, slot, machine)
    except Refusal:
        with contextlib.suppress(OSError):
            void(slot, machine)
        raise


def void(slot: Slot, machine: Machine) -> None:
    """Make the slot one that nothing can start."""
    target = os.open(machine.root / slot.device.lstrip("/"), os.O_RDWR | os.O_CLOEXEC)
    try:
        _place(target, SUPERBLOCK[0], bytes(SUPERBLOCK[1] - SUPERBLOCK[0]))
        _settle(target)
    finally:
        os.close(target)


def _check_structure(slot: Slot, machine: Machine) -> None:
    done = machine.run("fsck_ffs", "-n", slot.device, patience=CHECKING)
    remarks = [
        line
        for line in done.text.splitlines()
        if line.strip() and not line.startswith("** ") and not line.endswith("fragmentation)")
    ]
    if done.status != 0 or remarks:
        raise _damaged(slot, remarks[0] if remarks else f"status {done.status} of fsck_ffs")


def _check_files(manifest: Manifest, slot: Slot, machine: Machine) -> None:
    folder = machine.state / "slot"
    if not mount(slot, folder, machine):
        raise _damaged(slot, "no file system that can be mounted")
    try:
        found = dict(_digests(folder))
    except OSError as error:
        raise _damaged(slot, str(error)) from error
    finally:
        unmount(folder, machine)
    for path in sorted({*found, *manifest.files}):
        if found.get(path) != manifest.files.get(path):
            raise _damaged(slot, f"{path} that is {'other' if path in found else 'missing'}")


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    for above, _, names in os.walk(folder):
        for name in names:
            path = Path(above, name)
            if path.is_symlink() or not path.is_file():
                continue
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            inside = b"/" + os.fsencode(path.relative_to(folder))
            yield inside.decode("utf-8", "backslashreplace"), digest


def _damaged(slot: Slot, found: str) -> Refusal:
    return Refusal(
        f"what was written to {slot.label}",
        expected="the system that the upgrade holds",
        found=found,
        remedy="check the disk; the running system is as it was",
    )
