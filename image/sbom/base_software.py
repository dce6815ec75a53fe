"""Third-party software in the base system: which there is, and which version, read from its files.

The base set names no versions of what it carries. Each program or library contains its own version
as text, which its maker prints with --version or returns from a function.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from image.tree import Kind, Tree


@dataclass(frozen=True, slots=True)
class Source:
    """Where a version stands: in files whose path matches `path`, as the group of `text`."""

    path: re.Pattern[str]
    text: re.Pattern[bytes]


@dataclass(frozen=True, slots=True)
class Known:
    """A piece of third-party software: its name, the names of its ports, which a VuXML feed uses,
    and where its version stands. Of `sources` the first one that is in the base counts. `licence`
    is an SPDX expression, `cpe` its vendor and product in the dictionary of the NVD."""

    name: str
    ports: tuple[str, ...]
    sources: tuple[Source, ...]
    licence: str
    cpe: str


@dataclass(frozen=True, slots=True)
class BaseSoftware:
    """Software of the base system, and the file of which it was read: its path, and its SHA-256 in
    hexadecimal. `version` is empty if the file does not contain one, or several."""

    name: str
    version: str
    path: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.version or 'of unknown version'} ({self.path})"


def source(path: str, text: bytes) -> Source:
    return Source(re.compile(path), re.compile(text))


BARE = rb"\0([0-9]+\.[0-9]+\.[0-9]+)\0"
"""A version that is a string of its own."""

SOFTWARE = (
    Known(
        "Unbound",
        ("unbound",),
        (
            source("usr/sbin/(local-)?unbound", rb"unbound ([0-9]+\.[0-9]+\.[0-9]+)"),
            source(r"usr/lib/libprivateunbound\.so\.[0-9]+", BARE),
        ),
        "BSD-3-Clause",
        "nlnetlabs:unbound",
    ),
    Known(
        "OpenSSL",
        ("openssl", "openssl3*"),
        (source(r"lib/libcrypto\.so\.[0-9]+", rb"OpenSSL ([0-9]+\.[0-9]+\.[0-9]+[a-z]?) "),),
        "Apache-2.0",
        "openssl:openssl",
    ),
    Known(
        "OpenSSH",
        ("openssh-portable", "openssh-portable-*"),
        (
            source("usr/sbin/sshd", rb"OpenSSH_([0-9]+\.[0-9]+p[0-9]+)"),
            source("usr/libexec/sshd-session", rb"OpenSSH_([0-9]+\.[0-9]+p[0-9]+)"),
        ),
        "SSH-OpenSSH",
        "openbsd:openssh",
    ),
    Known(
        "ntp",
        ("ntp",),
        (source("usr/sbin/ntpd", rb"ntpd ([0-9]+\.[0-9]+\.[0-9]+p[0-9]+)"),),
        "NTP",
        "ntp:ntp",
    ),
    Known(
        "libarchive",
        ("libarchive",),
        (source(r"usr/lib/libarchive\.so\.[0-9]+", rb"libarchive ([0-9]+\.[0-9]+\.[0-9]+)"),),
        "BSD-2-Clause",
        "libarchive:libarchive",
    ),
    Known(
        "zstd",
        ("zstd",),
        (source(r"usr/lib/libprivatezstd\.so\.[0-9]+", BARE),),
        "BSD-3-Clause OR GPL-2.0-only",
        "facebook:zstandard",
    ),
    Known("xz", ("xz",), (source(r"usr/lib/liblzma\.so\.[0-9]+", BARE),), "0BSD", "tukaani:xz"),
    Known(
        "zlib",
        ("zlib",),
        (source(r"lib/libz\.so\.[0-9]+", rb" deflate ([0-9]+\.[0-9]+\.[0-9]+) Copyright"),),
        "Zlib",
        "zlib:zlib",
    ),
    Known(
        "bzip2",
        ("bzip2",),
        (source(r"usr/lib/libbz2\.so\.[0-9]+", rb"\0([0-9]+\.[0-9]+\.[0-9]+), [0-9]+-"),),
        "bzip2-1.0.6",
        "bzip:bzip2",
    ),
    Known(
        "libpcap",
        ("libpcap",),
        (
            source(
                r"(?:usr/)?lib/libpcap\.so\.[0-9]+", rb"libpcap version ([0-9]+\.[0-9]+\.[0-9]+)"
            ),
        ),
        "BSD-3-Clause",
        "tcpdump:libpcap",
    ),
    Known(
        "expat",
        ("expat", "expat2"),
        (source(r"(?:usr/)?lib/libbsdxml\.so\.[0-9]+", rb"expat_([0-9]+\.[0-9]+\.[0-9]+)"),),
        "MIT",
        "libexpat_project:libexpat",
    ),
)


def read(base: Tree) -> tuple[BaseSoftware, ...]:
    """Return the software that is in the tree of a base system, in the order of SOFTWARE."""
    return tuple(found for known in SOFTWARE for found in _find(base, known))


def ports(name: str) -> tuple[str, ...]:
    """Return the names that the ports tree has for the software `name`, which may be patterns."""
    one = known(name)
    return one.ports if one else ()


def known(name: str) -> Known | None:
    """Return what is known of the software `name`."""
    return next((one for one in SOFTWARE if one.name == name), None)


def port_version(name: str, version: str) -> str:
    """Return `version` as the ports tree writes it: 10.0.p2 for OpenSSH's 10.0p2."""
    return version.replace("p", ".p") if name == "OpenSSH" else version


def _find(base: Tree, known: Known) -> Iterator[BaseSoftware]:
    for one in known.sources:
        paths = sorted(path for path in base if one.path.fullmatch(path))
        for path in paths:
            if base[path].kind is not Kind.FILE:
                continue
            data = base[path].content.read()
            versions = {found.decode() for found in one.text.findall(data)}
            version = versions.pop() if len(versions) == 1 else ""
            yield BaseSoftware(known.name, version, path, hashlib.sha256(data).hexdigest())
            return
