"""The disks of this machine and what uses them.

Everything is read from files of the Linux kernel: sysfs (Documentation/ABI/stable/sysfs-block;
`size` counts units of 512 bytes, whatever the disk's own block size is), /proc/self/mountinfo and
/proc/swaps (proc(5)). Tests put another folder in their place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
OPTICAL = "5"
"""SCSI's peripheral device type of optical drives (SPC-5, 6.7.2)."""

BUSES = ("usb", "mmc", "nvme", "virtio", "ata", "firewire")
"""Names of buses as they appear in a device's path below /sys/devices. The first one that matches
counts."""


Chain = tuple[str, ...]
"""A disk, then what is made of a part of it, then what is made of that, and so on. Names are those
that people know."""


@dataclass(frozen=True, slots=True)
class Host:
    """The folders where the kernel shows its devices."""

    sys: Path = Path("/sys")
    proc: Path = Path("/proc")
    dev: Path = Path("/dev")


@dataclass(frozen=True, slots=True)
class Device:
    """A whole disk.

    `size` is in bytes, and so is `block`, its logical block size. `number` is ``major:minor``.
    `kind` is ``disk``, ``optical`` or ``virtual`` (loop, ram, device mapper, md, or one of several
    paths to a disk). `uses` says what the running system does with the disk or with a part of it,
    one sentence for each use. `parts` are the partitions, named as their table names them.
    `sequence` (diskseq, since Linux 5.15) is different for every medium that was plugged in since
    the machine started; it is 0 if the kernel does not tell it. `serial` are the numbers that its
    maker gave it, as far as the kernel tells them.
    """

    name: str
    path: Path
    number: str
    size: int
    block: int
    model: str
    bus: str
    kind: str
    removable: bool
    read_only: bool
    uses: tuple[str, ...]
    parts: tuple[str, ...]
    sequence: int = 0
    serial: str = ""


def find(host: Host) -> tuple[Device, ...]:
    """Return every real disk: no virtual one, and none without a medium."""
    names = sorted(path.name for path in _entries(host.sys / "block"))
    devices = (read(host, name) for name in names)
    return tuple(one for one in devices if one.kind != "virtual" and one.size)


def read(host: Host, name: str) -> Device:
    """Return the disk that the kernel calls `name`. Raises FileNotFoundError if there is none."""
    folder = (host.sys / "block" / name).resolve(strict=True)
    bus = _bus(folder)
    card = _text(folder / "device/type") == "SD"
    return Device(
        name=name,
        path=host.dev / name.replace("!", "/"),
        number=_text(folder / "dev"),
        size=int(_text(folder / "size") or 0) * SECTOR,
        block=int(_text(folder / "queue/logical_block_size") or SECTOR),
        model=_model(folder),
        bus=bus,
        kind=_kind(folder),
        removable=_text(folder / "removable") == "1" or bus in ("usb", "firewire") or card,
        read_only=_text(folder / "ro") == "1",
        uses=tuple(_uses(host, folder)),
        parts=tuple(_named(part) for part in partitions(folder)),
        sequence=int(_text(folder / "diskseq") or 0),
        serial=_serial(folder),
    )


def whole_disk(host: Host, name: str) -> str:
    """Return the disk that has the partition `name`, or "" if `name` is not a partition."""
    for disk in _entries(host.sys / "block"):
        if (disk / name / "partition").exists():
            return disk.name
    return ""


def partitions(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if (path / "partition").exists()]


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _text(path: Path) -> str:
    """Return the content of a small file of sysfs, or "" if it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _model(folder: Path) -> str:
    """Return vendor and model of a SCSI or USB disk, the model of an NVMe disk, or the name of an
    SD card."""
    device = folder / "device"
    names = [_text(device / name) for name in ("vendor", "model", "name")]
    words = " ".join(name for name in names if not name.startswith("0x")).split()
    return _shown(" ".join(words))


def _serial(folder: Path) -> str:
    """Return the serial numbers and world-wide names of a disk, and that of its USB device."""
    usb = next((above for above in folder.parents if (above / "idVendor").exists()), folder)
    places = [folder / "wwid", *(folder / "device" / name for name in ("wwid", "serial", "cid"))]
    return " ".join(filter(None, map(_text, [*places, usb / "serial"])))


def _bus(folder: Path) -> str:
    places = folder.parts
    for bus in BUSES:
        if any(re.match(rf"{bus}([0-9_]|$)", place) for place in places):
            return bus
    return "other"


def _kind(folder: Path) -> str:
    if "virtual" in folder.parts and not any(part.startswith("nvme") for part in folder.parts):
        return "virtual"
    if _text(folder / "hidden") == "1":
        return "virtual"
    return "optical" if _text(folder / "device/type") == OPTICAL else "disk"


def _named(folder: Path) -> str:
    label = re.search(r"^PARTNAME=(.+)$", _text(folder / "uevent"), re.MULTILINE)
    return f"{folder.name} ({_shown(label[1])})" if label else folder.name


def _shown(text: str) -> str:
    """Replace every character of a disk's own name that could act on a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _uses(host: Host, disk: Path) -> Iterator[str]:
    mounts = _mounts(host)
    swaps = _swaps(host)
    for node in [disk, *partitions(disk)]:
        for user, chain in _held(host, node, ()):
            via = " > ".join(chain)
            places = mounts.get(_text(user / "dev"), []) + mounts.get(user.name, [])
            for place in dict.fromkeys(places):
                yield f"{via} is mounted at {place}"
            if user.name in swaps:
                yield f"{via} is swap space"
            if len(chain) > 1 and not places and user.name not in swaps:
                yield f"{chain[-2]} is part of {chain[-1]}"


def _held(host: Host, node: Path, before: Chain) -> Iterator[tuple[Path, Chain]]:
    """Yield `node` and everything that is made of it (device mapper, md), each with the chain that
    leads to it."""
    shown = _text(node / "dm/name")
    chain = (*before, f"{node.name} ({shown})" if shown else node.name)
    yield node, chain
    for holder in _entries(node / "holders"):
        yield from _held(host, host.sys / "block" / holder.name, chain)


def _mounts(host: Host) -> dict[str, list[str]]:
    """Return mount points by ``major:minor`` and by device name. The name is needed because btrfs
    reports numbers of its own."""
    found: dict[str, list[str]] = {}
    for line in _text(host.proc / "self/mountinfo").splitlines():
        fields = line.split()
        if len(fields) < 10 or "-" not in fields:
            continue
        place = _plain(fields[4])
        source = _plain(fields[fields.index("-") + 2])
        found.setdefault(fields[2], []).append(place)
        if source.startswith("/dev/"):
            found.setdefault(_node(host, source), []).append(place)
    return found


def _swaps(host: Host) -> set[str]:
    lines = _text(host.proc / "swaps").splitlines()[1:]
    return {_node(host, _plain(line.split()[0])) for line in lines if line.startswith("/dev/")}


def _node(host: Host, path: str) -> str:
    """Return the kernel's name of the device that `path` below /dev leads to."""
    return (host.dev / path.removeprefix("/dev/")).resolve().name


def _plain(text: str) -> str:
    r"""Undo the escapes of proc(5): ``\040`` is a space."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
