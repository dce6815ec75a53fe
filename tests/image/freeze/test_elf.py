"""What is read from ELF files: complete, of another system, or damaged."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image.freeze import elf
from tests.image.freeze import compiled

FLOOR = "double floor(double); double f(double x) { return floor(x); } int own;"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elf")
    first = compiled.library(folder, "libfirst.so.1", FLOOR)
    compiled.library(
        folder, "libsecond.so.2", "double f(double); int g() { return f(1); }", needs=[first]
    )
    compiled.library(folder, "libplain.so.1", "int p;", brand=False)
    return folder


def read(path: Path) -> elf.Elf:
    facts = elf.read(path.read_bytes(), path.name)
    assert facts
    return facts


def test_code_for_the_target_differs_from_code_for_the_host(folder: Path) -> None:
    assert read(folder / "libfirst.so.1").for_freebsd
    assert not read(folder / "libplain.so.1").for_freebsd
    assert not read(Path("/bin/sh")).for_freebsd


def test_needed_libraries_and_soname_are_read(folder: Path) -> None:
    second = read(folder / "libsecond.so.2")
    assert second.soname == "libsecond.so.2"
    assert second.needed[0] == "libfirst.so.1"


def test_undefined_symbols_are_found(folder: Path) -> None:
    first, second = (
        elf.symbols((folder / name).read_bytes(), name)
        for name in ("libfirst.so.1", "libsecond.so.2")
    )
    assert {one.name for one in elf.unresolved(second, [second])} >= {"f"}
    assert "f" not in {one.name for one in elf.unresolved(second, [second, first])}
    assert {"f", "own"} <= {one.name for one in first if one.defined}


def wanted(name: str, version: str = "", weak: bool = False) -> elf.Symbol:
    return elf.Symbol(name, version, defined=False, weak=weak)


def offered(name: str, version: str = "") -> elf.Symbol:
    return elf.Symbol(name, version, defined=True, weak=False)


@pytest.mark.parametrize(
    ("symbol", "library", "missing"),
    [
        (wanted("f", "FBSD_1.0"), [offered("f", "FBSD_1.0")], False),
        (wanted("f", "FBSD_1.7"), [offered("f", "FBSD_1.0")], True),
        (wanted("f", "FBSD_1.7"), [offered("f")], False),
        (wanted("f"), [offered("f", "FBSD_1.0")], False),
        (wanted("f"), [], True),
        (wanted("f", weak=True), [], False),
        (wanted("environ"), [], False),
    ],
)
def test_symbol_versions_are_compared(
    symbol: elf.Symbol, library: list[elf.Symbol], missing: bool
) -> None:
    assert elf.unresolved([symbol], [library]) == ([symbol] if missing else [])


def test_other_files_are_not_elf() -> None:
    assert elf.read(b"", "x") is None
    assert elf.read(b"#!/bin/sh\n", "x") is None


@settings(max_examples=150)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_without_a_traceback(
    folder: Path, data: st.DataObject
) -> None:
    whole = (folder / "libsecond.so.2").read_bytes()
    length = data.draw(st.integers(5, len(whole)))
    damaged = bytearray(whole[:length])
    for at in data.draw(st.lists(st.integers(4, length - 1), max_size=20)):
        damaged[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Refusal):
        elf.read(bytes(damaged), "damaged")
        elf.symbols(bytes(damaged), "damaged")
