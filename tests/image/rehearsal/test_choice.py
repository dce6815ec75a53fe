"""What is taken from Debian's packages: libraries, modules, versions."""

from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.archive import Form
from image.freeze import elf
from image.rehearsal import apt, linked, modules, root, unpacked
from image.rehearsal.deb import Deb
from image.rehearsal.modules import Module
from image.store import unpack as unpack_one
from image.tree import Tree, file, symlink
from tests.image.rehearsal.debs import deb


def planted(files: dict[str, bytes | str]) -> Tree:
    tree = Tree()
    for path, content in files.items():
        entry = symlink(content) if isinstance(content, str) else file(content)
        unpacked.plant(tree, path, entry)
    return tree


def test_bin_sbin_and_lib_are_moved_below_usr(tmp_path: Path) -> None:
    made = deb(tmp_path / "one.deb", {"bin/busybox": b"box", "lib64/ld.so": "/lib/x/ld.so"})
    part = unpack_one(Deb(made), "x", lambda _: False, "", tmp_path, form=Form.DEB)
    tree = unpacked.tree_of([part])
    assert tree["usr/bin/busybox"].content.read() == b"box"
    assert "bin" not in tree


@pytest.mark.parametrize(
    ("target", "place"),
    [("libz.so.1.2", "usr/lib/libz.so.1.2"), ("/lib/libz.so.1.2", "usr/lib/libz.so.1.2")],
)
def test_links_are_followed_to_a_file(target: str, place: str) -> None:
    tree = planted({"usr/lib/libz.so.1": target, "usr/lib/libz.so.1.2": b"z"})
    assert unpacked.follow(tree, "usr/lib/libz.so.1") == place


def test_a_circle_of_links_leads_nowhere() -> None:
    tree = planted({"usr/a": "b", "usr/b": "a"})
    with pytest.raises(KeyError):
        unpacked.follow(tree, "usr/a")


def test_a_program_that_no_package_has_is_refused() -> None:
    with pytest.raises(Refusal, match="none of them has usr/bin/tor"):
        linked.closure(Tree(), ["usr/bin/tor"])


def test_a_program_brings_the_libraries_it_is_linked_to() -> None:
    """program is the Python that runs this test, which is linked to libraries on every
    machine."""
    program = Path("/bin/sh").resolve()
    facts = elf.read(program.read_bytes(), "sh")
    assert facts is not None
    files: dict[str, bytes | str] = {"usr/bin/sh": program.read_bytes()}
    for name in facts.needed:
        files[f"usr/lib/x86_64-linux-gnu/{name}"] = b"no ELF file"
    files[f"usr{facts.interpreter}"] = b"no ELF file"
    assert set(linked.closure(planted(files), ["usr/bin/sh"])) == set(files)


def test_modules_come_with_their_dependencies_and_the_one_to_load_first_is_last() -> None:
    every = [
        Module("c", "kernel/c.ko", b"", (), ()),
        Module("b", "kernel/b.ko", b"", ("c",), ("pci:v1*",)),
        Module("a", "kernel/a.ko", b"", ("b", "c"), ()),
    ]
    tables = modules.tables(every)
    assert tables["modules.dep"].decode().splitlines() == [
        "kernel/c.ko: ",
        "kernel/b.ko: kernel/c.ko",
        "kernel/a.ko: kernel/b.ko kernel/c.ko",
    ]
    assert tables["modules.alias"] == b"alias pci:v1* b\n"


def test_the_newest_kernel_is_taken() -> None:
    tree = planted({f"boot/vmlinuz-6.1.0-{number}-amd64": b"" for number in (9, 56, 41)})
    assert modules.kernel(tree) == "6.1.0-56-amd64"


@pytest.mark.parametrize(
    ("version", "upstream"),
    [("1:4.3-2+deb12u3", "4.3"), ("0.4.9.11-0+deb12u1", "0.4.9.11"), ("7.7", "7.7")],
)
def test_versions_are_those_of_upstream(version: str, upstream: str) -> None:
    assert root.upstream(version) == upstream


class TestPlan:
    def test_it_is_parsed_from_apts_output(self) -> None:
        said = (
            "'http://a/pool/t/tor_0.4_amd64.deb' tor_0.4_amd64.deb 2086456 SHA256:ab\n"
            "'http://a/p/libx_1%3a2_amd64.deb' libx_1%3a2_amd64.deb 10 SHA256:cd\n"
        )
        assert apt.parse_plan(said) == [
            apt.Chosen("libx", "1:2", "libx_1%3a2_amd64.deb", 10, "cd"),
            apt.Chosen("tor", "0.4", "tor_0.4_amd64.deb", 2086456, "ab"),
        ]

    @pytest.mark.parametrize("digest", ["MD5Sum:ab", "SHA512:ab", "ab"])
    def test_a_line_without_sha256_is_refused(self, digest: str) -> None:
        with pytest.raises(Refusal, match="a package is without its SHA-256"):
            apt.parse_plan(f"'http://a/tor_0.4_amd64.deb' tor_0.4_amd64.deb 9 {digest}\n")
