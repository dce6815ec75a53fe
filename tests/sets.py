"""Base sets in miniature: the format of the real ones, a few hundred kilobytes."""

import hashlib
import io
import lzma
import struct
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.image.kernel import knowing

ROOT = Path(__file__).parents[1]

OVERLAYS = sorted(path.parent for path in ROOT.glob("overlays/*/overlay.yaml"))

ELF_FREEBSD_AMD64 = b"\x7fELF\x02\x01\x01\x09" + bytes(8) + b"\x02\x00\x3e\x00" + bytes(44)

RELEASE, NUMBER = "15.1-STABLE", 1501501
"""Of the build that the miniature sets are: its release, and __FreeBSD_version."""


def shell(number: int = NUMBER) -> bytes:
    """A program with the ABI tag of a system with that number."""
    note = struct.pack("<III8sI", 8, 4, 1, b"FreeBSD", number)
    head = struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 64, 0, 0
    )  # one program header, right behind this one
    segment = struct.pack("<IIQQQQQQ", 4, 4, 120, 0, 0, len(note), len(note), 4)
    return b"\x7fELF\x02\x01\x01\x09" + bytes(8) + head + segment + note


def version_script(release: str = RELEASE) -> bytes:
    """freebsd-version(1) of that release."""
    return f'#!/bin/sh\nUSERLAND_VERSION="{release}"\n'.encode()


MASTER_PASSWD = b"""\
# $FreeBSD$
root::0:0::0:0:Charlie &:/root:/bin/sh
toor:*:0:0::0:0:Bourne-again Superuser:/root:
daemon:*:1:1::0:0:Owner of many system processes:/root:/usr/sbin/nologin
unbound:*:59:59::0:0:Unbound DNS Resolver:/var/unbound:/usr/sbin/nologin
"""

GROUP = b"""\
# $FreeBSD$
wheel:*:0:root
daemon:*:1:
operator:*:5:root
unbound:*:59:
"""


@dataclass(frozen=True)
class Item:
    """One entry of a set, told the way tar tells it."""

    path: str
    data: bytes = b""
    mode: int = 0o644
    type: bytes = tarfile.REGTYPE
    owner: str = "root"
    group: str = "wheel"
    link: str = ""
    numbers: tuple[int, int] = (65534, 65534)
    headers: dict[str, str] = field(default_factory=dict)


def folder(path: str, mode: int = 0o755, **facts: str) -> Item:
    return Item(path, mode=mode, type=tarfile.DIRTYPE, **facts)  # type: ignore[arg-type]


BASE = (
    folder("."),
    folder("./bin"),
    Item("./bin/sh", shell(), 0o555),
    Item("./bin/freebsd-version", version_script(), 0o555),
    Item("./bin/[", ELF_FREEBSD_AMD64 + b"test", 0o555),
    Item("./bin/test", type=tarfile.LNKTYPE, link="./bin/["),
    folder("./boot"),
    Item("./boot/gptboot", b"gptboot" * 1000, 0o444),
    Item("./boot/gptboot.efi", b"MZ gptboot.efi", 0o555),
    Item("./boot/loader.efi", b"MZ loader.efi", 0o555),
    Item("./boot/pmbr", (b"pmbr" * 110).ljust(510, b"\0") + b"\x55\xaa", 0o444),
    folder("./boot/lua"),
    folder("./cfg"),
    folder("./dev", 0o555),
    folder("./etc"),
    Item("./etc/csh.login", b"umask 022\n"),
    Item("./etc/csh.cshrc", type=tarfile.LNKTYPE, link="./etc/csh.login"),
    Item("./etc/group", GROUP),
    Item("./etc/master.passwd", MASTER_PASSWD, 0o600),
    Item("./etc/passwd", b"root:*:0:0:Charlie &:/root:/bin/sh\n"),
    Item("./etc/pwd.db", b"stale"),
    Item("./etc/spwd.db", b"stale, and root has no password in it", 0o600),
    Item("./etc/login.conf", b"default:\n"),
    Item("./etc/rc.initdiskless", b"#!/bin/sh\n"),
    Item("./etc/ttys", b"console none unknown off secure\n"),
    folder("./etc/rc.d"),
    folder("./libexec"),
    Item(
        "./libexec/ld-elf.so.1",
        ELF_FREEBSD_AMD64 + b"ld-elf" * 40000,
        0o555,
        headers={"SCHILY.fflags": "schg"},
    ),
    folder("./root", 0o750),
    Item("./sys", type=tarfile.SYMTYPE, link="usr/src/sys"),
    folder("./tmp", 0o1777),
    folder("./usr"),
    folder("./usr/bin"),
    Item("./usr/bin/clang", b"a compiler", 0o555),
    Item("./usr/bin/cc", type=tarfile.LNKTYPE, link="./usr/bin/clang"),
    Item(
        "./usr/bin/su",
        ELF_FREEBSD_AMD64 + b"su",
        0o4555,
        headers={"SCHILY.fflags": "schg,uarch", "SCHILY.xattr.system.hbsd.pax.nomprotect": "1"},
    ),
    folder("./usr/lib"),
    Item("./usr/lib/libc.a", b"static"),
    folder("./usr/local"),
    folder("./usr/tests"),
    Item("./usr/tests/Kyuafile", b"syntax(2)"),
    folder("./var"),
    folder("./var/empty", 0o555, headers={"SCHILY.fflags": "schg"}),  # type: ignore[arg-type]
    folder("./var/unbound", 0o755, owner="unbound", group="unbound"),
)

KERNEL = (
    folder("./boot"),
    folder("./boot/kernel"),
    *(Item(f"./boot/kernel/{name}", data, 0o555) for name, data in knowing.boot(OVERLAYS).items()),
)


@dataclass(frozen=True)
class Source:
    """A set on its own, as if verified."""

    path: Path

    @classmethod
    def of(cls, place: Path, items: Iterable[Item]) -> "Source":
        place.write_bytes(archive(items))
        return cls(place)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def open(self) -> IO[bytes]:
        return self.path.open("rb")


def archive(items: Iterable[Item], time: int = 1_700_000_000) -> bytes:
    """A set of `items`, compressed."""
    return lzma.compress(tar(items, time), preset=1)


def tar(items: Iterable[Item], time: int = 1_700_000_000) -> bytes:
    """A set of `items`, before it is compressed."""
    raw = io.BytesIO()
    with tarfile.open(
        fileobj=raw, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape"
    ) as writer:
        for item in items:
            info = tarfile.TarInfo(item.path)
            info.type = item.type
            info.mode = item.mode
            info.size = len(item.data)
            info.mtime = time
            info.uname, info.gname = item.owner, item.group
            info.uid, info.gid = item.numbers
            info.linkname = item.link
            info.pax_headers = dict(item.headers)
            writer.addfile(info, io.BytesIO(item.data))
    return raw.getvalue()


def write(place: Path, base: Iterable[Item] = BASE, kernel: Iterable[Item] = KERNEL) -> Path:
    """A folder with `base.txz`, `kernel.txz` and the MANIFEST that fits them."""
    place.mkdir(parents=True, exist_ok=True)
    return seal(place, base=archive(base), kernel=archive(kernel))


def seal(place: Path, **changed: bytes) -> Path:
    """Change sets in the folder `place`, whatever is in them, and write the MANIFEST that fits."""
    lines = []
    for name, data in changed.items():
        (place / f"{name}.txz").write_bytes(data)
    for name in ("base", "kernel"):
        digest = hashlib.sha256((place / f"{name}.txz").read_bytes()).hexdigest()
        lines.append(f'{name}.txz\t{digest}\t1\t{name}\t"The {name}"\ton\n')
    (place / "MANIFEST").write_text("".join(lines))
    return place
