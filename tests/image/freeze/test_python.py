"""The target's Python: where it comes from, and which one fits."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.freeze import packaged, unpacking
from image.freeze.interpreter import HOST, Interpreter
from image.freeze.target_python import Packages, Prefix
from tests.image.freeze import prefix
from tests.image.packages.given import Given, given
from tests.image.packages.repository import Item, Made

MINOR = prefix.MINOR
STDLIB = f"/usr/local/lib/python{MINOR}"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prefix.make(tmp_path_factory.mktemp("python"))


def test_a_python_is_found_in_its_prefix(python: Path) -> None:
    found = Interpreter.find(python)
    assert found.release == f"{MINOR}.99"
    assert found.builtin == {"time", "_io"}
    assert found.library == python / "lib" / prefix.LIBPYTHON


def test_another_minor_version_is_refused_and_named(python: Path) -> None:
    with pytest.raises(Refusal) as caught:
        Interpreter.find(python, "python311-3.11.2.pkg", (3, 9))
    assert caught.value.where == "python311-3.11.2.pkg"
    assert caught.value.problem.startswith(f"Python 3.9 is missing (found: {prefix.LIBPYTHON})")
    assert "EXITISP_PYTHON=" in caught.value.remedy


def test_a_folder_without_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="found: none"):
        Interpreter.find(tmp_path)
    with pytest.raises(Refusal, match="this is not a prefix"):
        Prefix(tmp_path).digest()


def test_a_python_of_another_system_is_refused(tmp_path: Path) -> None:
    prefix.make(tmp_path, brand=False)
    with pytest.raises(Refusal, match="not a libpython for FreeBSD/amd64"):
        Interpreter.find(tmp_path)


def test_a_python_without_a_version_is_refused(tmp_path: Path) -> None:
    prefix.make(tmp_path, release="3.x")
    with pytest.raises(Refusal, match="does not contain its version"):
        Interpreter.find(tmp_path)


@pytest.mark.parametrize("text", ["", "import os; os.abort()", "build_time_vars = {}", "a ="])
def test_build_variables_are_read_and_never_run(tmp_path: Path, text: str) -> None:
    prefix.make(tmp_path)
    (tmp_path / f"lib/python{MINOR}/_sysconfigdata__freebsd14_.py").write_text(text)
    with pytest.raises(Refusal, match="names of the built-in modules"):
        Interpreter.find(tmp_path)


def test_the_digest_of_a_prefix_covers_its_files(tmp_path: Path) -> None:
    prefix.make(tmp_path)
    before = Prefix(tmp_path).digest()
    assert Prefix(tmp_path).digest() == before
    (tmp_path / f"lib/python{MINOR}/os.py").write_text("x = 1\n")
    assert Prefix(tmp_path).digest() != before


def made(items: Mapping[str, Item], packing: str = "zstd") -> Made:
    return Made("python3x", items=items, packing=packing)


ITEMS: Mapping[str, Item] = {
    f"{STDLIB}/os.py": Item(b"os"),
    f"{STDLIB}/json/__init__.py": Item(b"json"),
    f"{STDLIB}/lib-dynload/_struct.so": Item(b"struct"),
    f"{STDLIB}/test/test_os.py": Item(b"left out"),
    f"{STDLIB}/site-packages/evil.py": Item(b"left out"),
    "/usr/local/lib/libx.so.1.2": Item(b"x"),
    "/usr/local/lib/libx.so.1": Item(symlink="libx.so.1.2"),
    "/usr/local/lib/libaway.so.1": Item(symlink="/etc/passwd"),
    "/usr/local/lib/libfar.so.1": Item(symlink="../other/libx.so.1.2"),
    "/usr/local/lib/libup.so.1": Item(symlink="../../../etc/passwd"),
    "/usr/local/bin/python3": Item(b"left out", 0o755),
    "/etc/lib/libx.so.1": Item(b"left out"),
}
TAKEN = {
    "lib/libx.so.1": b"x",
    "lib/libx.so.1.2": b"x",
    f"lib/python{MINOR}/json/__init__.py": b"json",
    f"lib/python{MINOR}/lib-dynload/_struct.so": b"struct",
    f"lib/python{MINOR}/os.py": b"os",
}


def below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if not path.is_dir()
    }


@pytest.mark.parametrize("packing", ["zstd", "xz", "plain"])
def test_only_needed_files_of_a_package_are_unpacked(tmp_path: Path, packing: str) -> None:
    package = given(tmp_path / "given", made(ITEMS, packing))
    unpacking.unpack([package], tmp_path / "prefix")
    assert below(tmp_path / "prefix") == TAKEN


@pytest.mark.parametrize(
    "name",
    [
        "/usr/local/lib/../../../../evil.so.1",
        f"/usr/local/lib/python{MINOR}/../../../../../evil.py",
        "../usr/local/lib/libevil.so.1",
        f"{STDLIB}/./../evil.py",
    ],
)
def test_paths_that_lead_outside_are_not_unpacked(tmp_path: Path, name: str) -> None:
    package = given(tmp_path / "given", Made("evil", unlisted={name: Item(b"evil")}))
    unpacking.unpack([package], tmp_path / "deep" / "prefix")
    assert not [path for path in tmp_path.rglob("*evil*") if "given" not in str(path)]


@pytest.mark.parametrize("packing", ["zstd", "xz", "plain"])
def test_a_truncated_package_is_refused(tmp_path: Path, packing: str) -> None:
    whole = made({**ITEMS, f"{STDLIB}/big.py": Item(bytes(range(256)) * 400)}, packing)
    data = whole.archive()
    package = given(tmp_path, whole, data[: len(data) // 2])
    with pytest.raises(Refusal, match="this is not a tar archive"):
        unpacking.unpack([package], tmp_path / "prefix")


def test_the_digest_of_packages_covers_their_bytes(tmp_path: Path) -> None:
    one, other = (
        given(tmp_path / name, made({f"{STDLIB}/os.py": Item(name.encode())})) for name in "ab"
    )
    assert Packages((one,)).digest() == Packages((one,)).digest()
    assert Packages((one,)).digest() != Packages((other,)).digest()


HOST_S = packaged.package_of(HOST[1])


def of(tmp_path: Path, *packages: Made) -> list[Given]:
    return [given(tmp_path / "given", one) for one in packages]


def test_python_and_its_libraries_are_not_installed(tmp_path: Path) -> None:
    packages = of(
        tmp_path,
        Made("libffi"),
        Made(HOST_S, deps={"libffi": "1.0"}),
    )
    installed, python = packaged.divide(packages, [], frozenset())  # type: ignore[arg-type]
    assert installed == ()
    assert [one.path.name for one in python.archives] == ["libffi-1.0.pkg", f"{HOST_S}-1.0.pkg"]


def test_a_repository_with_another_python_is_refused(tmp_path: Path) -> None:
    other = packaged.package_of(next(minor for minor in packaged.MINORS if minor != HOST[1]))
    with pytest.raises(Refusal) as caught:
        packaged.divide(of(tmp_path, Made(other)), [], frozenset())  # type: ignore[arg-type]
    assert f"(found: {other})" in caught.value.problem
    assert "EXITISP_PYTHON=" in caught.value.remedy


def test_every_minor_version_can_be_requested() -> None:
    asked = packaged.python_overlay(packaged.MINORS).recipe.value.packages
    assert [one.names for one in asked] == [(f"python3{minor}",) for minor in packaged.MINORS]
    assert all(one.optional and one.reason for one in asked)
