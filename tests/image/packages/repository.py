"""A package repository in pkg's format, signed, as small or as wrong as a test needs it.

    packages = [Made("libevent"), Made("tor", items={"/usr/local/bin/tor": Item(b"...", 0o555)})]
    repository = make_repository(tmp_path / "repository", packages)
    keys = trust(tmp_path / "keys", repository.signer)

Members, headers and manifests are as pkg 2.8 on FreeBSD writes them: owners by name with every
number 65534, extended attributes in pax headers twice (SCHILY and LIBARCHIVE), flags in
SCHILY.fflags.
"""

import base64
import functools
import hashlib
import json
import lzma
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import zstandard
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from image.packages import eddsa
from image.packages.checksum import Checksum, Kind

ABI = "FreeBSD:15:amd64"
TIME = 1767225600
"""When all files were made, in seconds since 1970."""

NOBODY = 65534

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "xz": lambda data: lzma.compress(data),
    "plain": lambda data: data,
}


@dataclass(frozen=True)
class Item:
    """A file of a package; or a directory or a link, if it says so. `hardlink` is the absolute
    path of an item before it, `attributes` are named with their namespace."""

    content: bytes = b""
    mode: int = 0o644
    owner: str = "root"
    group: str = "wheel"
    flags: str = ""
    attributes: Mapping[str, bytes] = field(default_factory=dict)
    symlink: str | None = None
    hardlink: str | None = None
    directory: bool = False


@dataclass(frozen=True)
class Made:
    """A package to be made.

    `items` has absolute paths. `deps` is name -> version. `facts` are more keys of the manifests;
    they win over what follows from the rest. `full` are more keys of +MANIFEST alone (scripts,
    lua_scripts, config, files). `unlisted` are members of the archive that the manifest does not
    know. `strings` asks for the older form of the file list: path -> checksum.
    """

    name: str
    version: str = "1.0"
    items: Mapping[str, Item] = field(default_factory=dict)
    deps: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    full: Mapping[str, Any] = field(default_factory=dict)
    unlisted: Mapping[str, Item] = field(default_factory=dict)
    strings: bool = False
    kind: Kind = Kind.SHA256
    packing: str = "zstd"

    @property
    def full_name(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def path(self) -> str:
        """In the repository."""
        return f"All/{self.full_name}.pkg"

    def compact(self) -> dict[str, Any]:
        """+COMPACT_MANIFEST as an object."""
        facts: dict[str, Any] = {
            "name": self.name,
            "origin": f"misc/{self.name}",
            "version": self.version,
            "comment": f"{self.name}, made by a test",
            "maintainer": "tests@example.org",
            "www": "https://example.org/",
            "abi": ABI,
            "arch": "freebsd:15:x86:64",
            "prefix": "/usr/local",
            "flatsize": sum(len(item.content) for item in self.items.values()),
            "licenselogic": "single",
            "licenses": ["BSD2CLAUSE"],
            "desc": "Made by a test.",
            "categories": ["misc"],
        }
        if self.deps:
            facts["deps"] = {
                name: {"origin": f"misc/{name}", "version": version}
                for name, version in self.deps.items()
            }
        return facts | dict(self.facts)

    def manifest(self) -> dict[str, Any]:
        """+MANIFEST as an object."""
        files = {
            quote(path): self._file(item) for path, item in self.items.items() if not item.directory
        }
        directories = {
            quote(path): {"uname": item.owner, "gname": item.group, "perm": f"0{item.mode:o}"}
            for path, item in self.items.items()
            if item.directory
        }
        facts = self.compact() | {"files": files}
        if directories:
            facts["directories"] = directories
        return facts | dict(self.full)

    def _file(self, item: Item) -> Any:
        item = self.items[item.hardlink] if item.hardlink else item
        if item.symlink is not None:
            total = str(Checksum.of_link(self.kind, item.symlink))
        else:
            total = str(Checksum.of(self.kind, item.content))
        if self.strings:
            return total
        facts: dict[str, Any] = {
            "sum": total,
            "uname": item.owner,
            "gname": item.group,
            "perm": f"0{item.mode:o}",
        }
        if item.flags:
            facts["fflags"] = item.flags
        if item.symlink is not None:
            facts["symlink_target"] = item.symlink
        return facts | {"mtime": TIME}

    def archive(self) -> bytes:
        """The package file."""
        members = [
            member("+COMPACT_MANIFEST", Item(compact(self.compact())), 0),
            member("+MANIFEST", Item(compact(self.manifest())), 0),
        ]
        members += [
            member(path, item, NOBODY)
            for path, item in (*self.items.items(), *self.unlisted.items())
        ]
        return PACKINGS[self.packing](tar(members))

    def listed(self) -> dict[str, Any]:
        """The package's entry of the catalogue."""
        data = self.archive()
        total = Checksum.of(self.kind, data)
        return self.compact() | {
            "sum": str(total) if self.kind is Kind.BLAKE2B else total.digest.hex(),
            "path": self.path,
            "repopath": self.path,
            "pkgsize": len(data),
        }


class Signer:
    """A key pair that signs catalogues. `kind` is what pkg puts before both members, the signature
    and the `public` key, unless it is RSA."""

    def __init__(
        self, public: bytes, sign: Callable[[bytes], bytes], kind: str | None = None
    ) -> None:
        self.public = public
        self._sign = sign
        self._head = f"$PKGSIGN:{kind}$".encode() if kind else b""

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.public).hexdigest()

    def sign(self, data: bytes) -> bytes:
        """The .sig member for `data`: pkg signs the text of its SHA-256."""
        return self._head + self._sign(hashlib.sha256(data).hexdigest().encode())

    @property
    def pub(self) -> bytes:
        """The .pub member."""
        return self._head + self.public

    @classmethod
    def rsa(cls) -> "Signer":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(public, lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA256()))

    @classmethod
    def ecdsa(cls, curve: ec.EllipticCurve) -> "Signer":
        key = ec.generate_private_key(curve)
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(public, lambda text: key.sign(text, ec.ECDSA(hashes.SHA256())), "ecdsa")

    @classmethod
    def eddsa(cls, private: bytes | None = None) -> "Signer":
        """`private` are the 32 bytes of a key; without them it is a new one."""
        key = ed25519.Ed25519PrivateKey.from_private_bytes(private or os.urandom(32))
        public = eddsa.HEAD + _on_wei25519(key.public_key().public_bytes_raw())

        def sign(text: bytes) -> bytes:
            plain = key.sign(text)
            halves = int.from_bytes(plain[:32]), int.from_bytes(plain[32:])
            return encode_dss_signature(*halves)

        return cls(public, sign, "eddsa")


def _on_wei25519(public: bytes) -> bytes:
    """The coordinates on Wei25519 of a public key as RFC 8032 has it."""
    number = int.from_bytes(public, "little")
    p, odd, y = eddsa.P, number >> 255, number & (1 << 255) - 1
    d = -121665 * pow(121666, -1, p)
    square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
    x = pow(square, (p + 3) // 8, p)
    if x * x % p != square:
        x = x * pow(2, (p - 1) // 4, p) % p
    if x & 1 != odd:
        x = p - x
    u = (1 + y) * pow(1 - y, -1, p) % p
    v = eddsa.ROOT * u * pow(x, -1, p) % p
    return ((u + eddsa.A * pow(3, -1, p)) % p).to_bytes(32) + v.to_bytes(32)


@functools.cache
def usual_signer() -> Signer:
    """The key pair that signs where a test does not say whose does."""
    return Signer.rsa()


@dataclass(frozen=True)
class Repository:
    """A repository on this machine, and the first of those who signed it."""

    folder: Path
    signer: Signer
    packages: tuple[Made, ...]


def make_repository(
    folder: Path,
    packages: Sequence[Made],
    *,
    signers: Sequence[Signer] | None = None,
    packing: str = "zstd",
    extension: str = "pkg",
    catalogues: Sequence[str] = ("packagesite", "data"),
) -> Repository:
    """Write a repository with `packages` into `folder`, which is made if need be.

    Without `signers` it is signed by `usual_signer`; an empty list signs nothing.
    """
    signing = [usual_signer()] if signers is None else list(signers)
    (folder / "All").mkdir(parents=True, exist_ok=True)
    for package in packages:
        (folder / package.path).write_bytes(package.archive())
    entries = [package.listed() for package in packages]
    contents = {
        "packagesite": ("packagesite.yaml", b"".join(compact(one) + b"\n" for one in entries)),
        "data": ("data", compact({"groups": [], "expired_packages": [], "packages": entries})),
    }
    for archive in catalogues:
        name, data = contents[archive]
        (folder / f"{archive}.{extension}").write_bytes(signed(name, data, signing, packing))
    (folder / "meta.conf").write_text(
        "version = 2;\n"
        'packing_format = "tzst";\n'
        'manifests = "packagesite.yaml";\n'
        'data = "data";\n'
        'filesite = "files";\n'
        'manifests_archive = "packagesite";\n'
        'filesite_archive = "files";\n'
    )
    return Repository(folder, signing[0] if signing else usual_signer(), tuple(packages))


def signed(name: str, data: bytes, signers: Sequence[Signer], packing: str = "zstd") -> bytes:
    """A catalogue archive: signatures and public keys, then the data `name`."""
    members = []
    for number, signer in enumerate(signers):
        stem = name if number == 0 else f"signer{number}"
        members.append(member(f"{stem}.sig", Item(signer.sign(data)), 0))
        members.append(member(f"{stem}.pub", Item(signer.pub), 0))
    return PACKINGS[packing](tar([*members, member(name, Item(data), 0)]))


def trust(folder: Path, *trusted: Signer, revoked: Sequence[Signer] = ()) -> Path:
    """Write fingerprints into `folder` as they are in /usr/share/keys/pkg; the folder."""
    for name, signers in (("trusted", trusted), ("revoked", revoked)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, signer in enumerate(signers):
            (folder / name / f"signer{number}").write_text(fingerprint_file(signer))
    return folder


def fingerprint_file(signer: Signer) -> str:
    return f'function: "sha256"\nfingerprint: "{signer.fingerprint}"\n'


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def quote(path: str) -> str:
    """Percent-encoded as pkg does: the per cent sign and everything outside of ASCII."""
    return "".join(
        chr(byte) if byte < 128 and byte != 0x25 else f"%{byte:02x}" for byte in path.encode()
    )


def tar(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, BytesIO(content))
    return buffer.getvalue()


def member(name: str, item: Item, number: int) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = item.mode, TIME if number else 0
    info.uname, info.gname, info.uid, info.gid = item.owner, item.group, number, number
    headers: dict[str, str] = {}
    if not name.isascii():
        headers["hdrcharset"] = "BINARY"
    if item.flags:
        headers["SCHILY.fflags"] = item.flags
    for attribute, value in item.attributes.items():
        headers[f"SCHILY.xattr.{attribute}"] = value.decode()
        encoded = base64.b64encode(value).decode().rstrip("=")
        headers[f"LIBARCHIVE.xattr.{attribute}"] = encoded
    info.pax_headers = headers
    if item.directory:
        info.type = tarfile.DIRTYPE
    elif item.symlink is not None:
        info.type, info.linkname = tarfile.SYMTYPE, item.symlink
    elif item.hardlink is not None:
        info.type, info.linkname = tarfile.LNKTYPE, item.hardlink
    else:
        info.size = len(item.content)
        return info, item.content
    return info, b""
