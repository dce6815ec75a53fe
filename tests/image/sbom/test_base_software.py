"""Versions of third-party software are read from the files of a base system."""

import hashlib

import pytest

from image.sbom import base_software
from image.sbom.base_software import BaseSoftware
from image.tree import Tree, directory, file, parents, symlink

# Texts as they stand in the files of FreeBSD 15 and HardenedBSD 15.
TEXTS = {
    "usr/sbin/local-unbound": b"start of service (%s).\0unbound 1.25.1\0",
    "lib/libcrypto.so.35": b"\0OpenSSL 3.5.7 9 Jun 2026\0",
    "usr/sbin/sshd": b"\0OpenSSH_10.0\0%s, %s\0OpenSSH_10.0p2\0",
    "usr/sbin/ntpd": b"\0ntpd 4.2.8p18-a (1)\0",
    "usr/lib/libarchive.so.7": b"\0libarchive 3.8.7\0",
    "usr/lib/libprivatezstd.so.5": b"\x001.5.7\0",
    "usr/lib/liblzma.so.5": b"\x005.8.3\0",
    "lib/libbsdxml.so.4": b"\0expat_2.8.2\0",
    "lib/libz.so.6": b" deflate 1.3.1 Copyright 1995-2024 Jean-loup Gailly and Mark Adler ",
    "usr/lib/libbz2.so.4": b"\x001.0.8, 13-Jul-2019\0",
    "lib/libpcap.so.8": b"\0libpcap version 1.10.5\0",
}
VERSIONS = {
    "Unbound": "1.25.1",
    "OpenSSL": "3.5.7",
    "OpenSSH": "10.0p2",
    "ntp": "4.2.8p18",
    "libarchive": "3.8.7",
    "zstd": "1.5.7",
    "xz": "5.8.3",
    "expat": "2.8.2",
    "zlib": "1.3.1",
    "bzip2": "1.0.8",
    "libpcap": "1.10.5",
}


def base(texts: dict[str, bytes]) -> Tree:
    tree = Tree()
    for path, text in texts.items():
        for above in parents(path):
            if above not in tree:
                tree[above] = directory()
        tree[path] = file(b"\x7fELF" + bytes(99) + text + bytes(99))
    return tree


def test_every_version_is_read_with_its_file() -> None:
    tree = base(TEXTS)
    found = base_software.read(tree)
    assert {one.name: one.version for one in found} == VERSIONS
    assert {one.path for one in found} == set(TEXTS)
    for one in found:
        assert one.sha256 == hashlib.sha256(tree[one.path].content.read()).hexdigest()


def test_a_link_to_a_library_is_not_read_and_missing_software_is_left_out() -> None:
    tree = base({"lib/libcrypto.so.35": TEXTS["lib/libcrypto.so.35"]})
    tree["lib/libcrypto.so"] = symlink("libcrypto.so.35")
    assert [one.path for one in base_software.read(tree)] == ["lib/libcrypto.so.35"]
    assert base_software.read(base({})) == ()


def test_the_resolvers_library_is_read_where_there_is_no_program() -> None:
    (found,) = base_software.read(base({"usr/lib/libprivateunbound.so.5": b"\x001.25.1\0"}))
    assert (found.name, found.version) == ("Unbound", "1.25.1")


@pytest.mark.parametrize(
    "text", [b"", b"OpenSSL 3\0", b"OpenSSL 3.5.7 9 Jun 2026\0OpenSSL 3.5.6 7 Apr 2026\0"]
)
def test_a_file_with_no_version_or_several_has_an_unknown_one(text: bytes) -> None:
    (found,) = base_software.read(base({"lib/libcrypto.so.35": text}))
    assert found.version == ""
    assert str(found) == "OpenSSL of unknown version (lib/libcrypto.so.35)"


@pytest.mark.parametrize(
    ("name", "version", "port"),
    [("OpenSSH", "10.0p2", "10.0.p2"), ("ntp", "4.2.8p18", "4.2.8p18"), ("xz", "5.8.3", "5.8.3")],
)
def test_versions_are_written_as_in_the_ports_tree(name: str, version: str, port: str) -> None:
    assert base_software.port_version(name, version) == port


def test_software_has_a_name_of_its_own() -> None:
    one = BaseSoftware("xz", "5.8.3", "usr/lib/liblzma.so.5", "ab")
    assert str(one) == "xz 5.8.3 (usr/lib/liblzma.so.5)"
    assert base_software.ports("xz") == ("xz",)
    assert base_software.ports("nothing") == ()
