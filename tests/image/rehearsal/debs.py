"""Debian packages made by the tests: a tar archive inside an ar archive."""

import io
import lzma
import tarfile
from collections.abc import Mapping
from pathlib import Path

import zstandard


def deb(path: Path, files: Mapping[str, bytes | str], *, packer: str = "xz") -> Path:
    """Write a package to `path`. A value of `files` is the content of a file, or as text the target
    of a symbolic link."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.mtime = 1700000000
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    data = tar.getvalue()
    packed = {
        "xz": lzma.compress,
        "zst": zstandard.ZstdCompressor().compress,
    }[packer](data)
    path.write_bytes(ar({"debian-binary": b"2.0\n", f"data.tar.{packer}": packed}))
    return path


def ar(members: Mapping[str, bytes]) -> bytes:
    archive = b"!<arch>\n"
    for name, data in members.items():
        archive += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data
        archive += b"\n" * (len(data) % 2)
    return archive
