"""Installs another system into the idle slot, and verifies it before and after writing.

The order is: the signature, by the key in the running image; the hash of the compressed content;
whether the release is for this box; then the blocks are written, without the superblock until their
hash is right; then fsck_ffs(8); then the hash of every file, read through the kernel. Until all of
that is done, nothing can start the slot, and the box runs as before.
"""

import contextlib
import hashlib
import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from firstboot.box.apply import site_of_running
from firstboot.box.host import Ran
from firstboot.box.machine import Machine, site_of
from firstboot.box.output import Say
from firstboot.box.upgrade import device
from firstboot.box.upgrade.slots import Slot, forget, mount, slots, unmount
from firstboot.core import release_info, upgrade_file
from firstboot.core.limits import UPGRADE_MANIFEST, ZSTD_MEMORY
from firstboot.core.refusal import Refusal
from firstboot.core.upgrade_file import FORM, LONGEST_HEAD, SUPERBLOCK, Manifest, Span
from firstboot.site.address_plan import allot
from firstboot.site.check import schema_of

CHUNK = 1 << 20
FETCHING = 4 * 3600.0
"""Seconds for a download. One that is cut off goes on at the next try."""

CHECKING = 1800.0
"""Seconds for fsck_ffs(8), on a slow disk."""

FETCHED = "upgrade"
"""The folder on /data that downloads go to."""


@dataclass(frozen=True, slots=True)
class Verified:
    """An upgrade whose signature and hash are right. `file` is positioned at its content."""

    name: str
    file: IO[bytes]
    manifest: Manifest


def install(source: str, machine: Machine, say: Say) -> None:
    """Install the upgrade `source`, a file or an https address, into the idle slot.

    Raises Refusal; the box starts the same system as before then.
    """
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
            "this image has no key that signs releases, so it takes no upgrades",
            "Flash a release, or an image built with --release-key",
        )


def fetch(address: str, machine: Machine, say: Say) -> Path:
    """Download `address` to /data, from where an earlier try ended. Raises Refusal."""
    name = address.rpartition("/")[2]
    if not address.startswith("https://") or not name or name.startswith("."):
        raise Refusal(
            address,
            "this is not https:// and the name of a file",
            "Correct the address, or copy the file to /data and name that",
        )
    path = machine.root / "data" / FETCHED / name
    _clear_for(path)
    say(f"Fetching {address}.")
    command = ("fetch", "-q", "-r", "-o", str(path), address)
    done = machine.run("env", *_from(machine), *command, patience=FETCHING)
    if done.status != 0:
        raise Refusal(
            address,
            f"it cannot be downloaded: {_said(done) or f'status {done.status} of fetch'}",
            "Run the same command again, which goes on where this one ended",
        )
    return path


def _clear_for(path: Path) -> None:
    """Make the folder of the download `path`, and remove all else in it. Raises Refusal."""
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for other in folder.iterdir():
            if other.is_dir() and not other.is_symlink():
                shutil.rmtree(other)
            elif other != path:
                other.unlink()
    except OSError as error:
        raise Refusal(
            error.filename or folder,
            f"downloads cannot be kept there: {error.strerror or error}",
            "See that /data is mounted and that /data/upgrade is a folder, or name a file",
        ) from error


def _from(machine: Machine) -> tuple[str, ...]:
    """The variable that makes fetch(3) send from the router's address, as pf.conf wants."""
    if machine.running() is None:
        return ()
    router = allot(site_of_running(machine).value).router
    return (f"FETCH_BIND_ADDRESS={router.v4 or router.v6}",)


@contextlib.contextmanager
def verified(path: Path, machine: Machine, say: Say) -> Iterator[Verified]:
    """Open the upgrade at `path`. Raises Refusal unless its signature and its hash are right."""
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise Refusal(
            path,
            f"the upgrade cannot be read: {error.strerror or error}",
            "Name exitisp-VERSION.upgrade of a release",
        ) from error
    with file:
        head = upgrade_file.read_head(_read(file, LONGEST_HEAD))
        if head is None:
            raise _unusable(path, "it is not an upgrade")
        if head.form != FORM:
            raise _unusable(path, f"it has form {head.form}, and this image knows form {FORM}")
        if head.manifest > UPGRADE_MANIFEST.size:
            raise _unusable(path, f"its manifest has {head.manifest} bytes, as none of ours has")
        file.seek(head.length)
        data, signature = _read(file, head.manifest), _read(file, head.signature)
        if len(data) != head.manifest or len(signature) != head.signature:
            raise _unusable(path, "the file ends early")
        if not data.isascii():
            raise _unusable(path, "its manifest is not ASCII")
        _verify(path, data, signature, machine)
        try:
            manifest = upgrade_file.parse(data)
        except (ValueError, RecursionError) as error:
            raise _unusable(path, f"its manifest cannot be read: {error}") from error
        say(f"{path.name}: signed, version {manifest.stamp.version}, {manifest.stamp.base}.")
        start = file.tell()
        _hash(path, file, manifest)
        file.seek(start)
        yield Verified(path.name, file, manifest)


def _said(ran: Ran) -> str:
    return " ".join(ran.text.split())


def _read(file: IO[bytes], length: int) -> bytes:
    """Read `length` bytes, or as many as there are."""
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
    done = machine.run("ssh-keygen", "-Y", "verify", *who, given=data.decode("ascii"))
    beside.unlink()
    if done.status != 0:
        raise Refusal(
            path,
            f"no key of this image has signed it: {_said(done).rstrip('.') or 'no signature'}",
            "Do not use it. Fetch it again, and see with which key releases are signed",
        )


def _hash(path: Path, file: IO[bytes], manifest: Manifest) -> None:
    state, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        state.update(chunk)
        size += len(chunk)
    if size != manifest.packed.size:
        raise _unusable(path, f"it has {size} bytes of content, not {manifest.packed.size}")
    if state.hexdigest() != manifest.packed.sha256:
        digest = state.hexdigest()
        raise _unusable(path, f"its content has SHA-256 {digest}, not {manifest.packed.sha256}")


def _unusable(path: Path, problem: str) -> Refusal:
    return Refusal(path, problem, "Fetch it again, or another one")


def judge(upgrade: Verified, machine: Machine) -> None:
    """Raises Refusal for a release that is not for this box."""
    new = upgrade.manifest.stamp
    now = release_info.read(machine.root)
    if now is None:
        raise Refusal(
            f"/{release_info.PLACE}",
            "the image does not say which version it is",
            "Flash a release",
        )
    if new.system != now.system:
        raise Refusal(
            upgrade.name,
            f"it is a release with {new.base}, and this box runs {now.system}",
            "Fetch the one for this base",
        )
    if new.order < now.order:
        raise Refusal(
            upgrade.name,
            f"version {new.version} is older than this one, {now.version}",
            "Go back with exitisp rollback --slot, or flash the older image",
        )
    ensure_knows(new, upgrade.name, machine)


def ensure_knows(system: release_info.Stamp, name: str, machine: Machine) -> None:
    """Raises Refusal if the program in a system cannot read the site of this box."""
    running = machine.running()
    schema = schema_of(site_of(running)) if running is not None else None
    if schema is not None and schema > system.schema:
        raise Refusal(
            name,
            f"it knows site files up to version {system.schema}, and this box has version {schema}",
            "Take a later release",
        )


def write(upgrade: Verified, slot: Slot, machine: Machine) -> None:
    """Write the slot, its superblock last. Raises Refusal; the slot holds no system then."""
    path = machine.root / slot.device.lstrip("/")
    manifest = upgrade.manifest
    try:
        target = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise _unwritten(slot, error.strerror or str(error)) from error
    try:
        size = device.size(target)
        if size != manifest.slot:
            raise Refusal(
                upgrade.name,
                f"it is for slots of {manifest.slot} bytes, and this disk has slots of {size}",
                "Flash the image: this disk was partitioned by another version",
            )
        first, end = SUPERBLOCK
        device.place(target, first, bytes(end - first))
        device.settle(target)
        kept = _fill(target, upgrade, machine)
        device.settle(target)
        device.place(target, first, kept)
        device.settle(target)
    except OSError as error:
        raise _unwritten(slot, error.strerror or str(error)) from error
    finally:
        os.close(target)


def _fill(target: int, upgrade: Verified, machine: Machine) -> bytes:
    """Write all but the superblock, and return that. Raises Refusal for content that is not as
    signed."""
    manifest, state, kept = upgrade.manifest, hashlib.sha256(), bytearray()
    command = ["zstd", "-d", "-c", "-q", f"--memory={ZSTD_MEMORY >> 20}MB"]
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
                device.place(target, first, data)
        more = unpacking.stdout.read(1)
    if unpacking.returncode != 0 or more or state.hexdigest() != manifest.content.sha256:
        raise Refusal(
            upgrade.name,
            f"unpacked, its content has SHA-256 {state.hexdigest()}, not {manifest.content.sha256}",
            "Check the memory and the disk of this box, then try again",
        )
    return bytes(kept)


def pieces(spans: tuple[Span, ...]) -> Iterator[Span]:
    """`spans` in pieces of at most `CHUNK` bytes, with the superblock as a piece of its own."""
    for first, end in spans:
        cuts = sorted({first, *(cut for cut in SUPERBLOCK if first < cut < end), end})
        for low, high in itertools.pairwise(cuts):
            for at in range(low, high, CHUNK):
                yield at, min(at + CHUNK, high)


def _unwritten(slot: Slot, found: str) -> Refusal:
    return Refusal(
        slot.device,
        f"the slot cannot be written: {found}",
        "Check the disk. The running system is as it was",
    )


def check(manifest: Manifest, slot: Slot, machine: Machine) -> None:
    """Compare the slot with the manifest. Raises Refusal; the slot holds no system then."""
    try:
        _check_structure(slot, machine)
        _check_files(manifest, slot, machine)
    except Refusal:
        with contextlib.suppress(OSError):
            void(slot, machine)
        raise


def void(slot: Slot, machine: Machine) -> None:
    """Erase the superblock, so that nothing can start the slot."""
    target = os.open(machine.root / slot.device.lstrip("/"), os.O_RDWR | os.O_CLOEXEC)
    try:
        device.place(target, SUPERBLOCK[0], bytes(SUPERBLOCK[1] - SUPERBLOCK[0]))
        device.settle(target)
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
        raise _damaged(slot, "it cannot be mounted")
    try:
        found = dict(_digests(folder))
    except OSError as error:
        raise _damaged(slot, str(error)) from error
    finally:
        unmount(folder, machine)
    for path in sorted({*found, *manifest.files}):
        if found.get(path) != manifest.files.get(path):
            raise _damaged(slot, f"{path} {'differs' if path in found else 'is missing'}")


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
        f"it is not what the upgrade holds: {found}",
        "Check the disk. The running system is as it was",
    )
