"""The frozen program, run on this host, and what stops a freeze."""

import ast
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.freeze import artifact_cache, elf, freezing
from image.freeze.analysis import check_imports
from image.freeze.freezing import freeze
from image.freeze.frozen import Frozen
from image.freeze.program import DESK, Program
from image.freeze.recipe import CONTENTS, PROGRAM, Found
from image.freeze.target import Target
from image.freeze.third_party import origins
from image.freeze.verify import Base, verify
from tests.boot.conftest import full
from tests.command import ROOT
from tests.image.freeze import compiled, made
from tests.image.freeze.made import (
    frozen_for_freebsd,
    frozen_for_linux,
    frozen_with_a_carried_library,
)

SITE = ROOT / "examples" / "one-port-of-each.yaml"
HOOK = ROOT / "image" / "freeze" / "restore_environment.py"


@pytest.fixture(scope="module")
def linux() -> Frozen:
    return frozen_for_linux()


@pytest.fixture(scope="module")
def freebsd() -> Frozen:
    return frozen_for_freebsd()


def run(
    frozen: Frozen, *arguments: str | Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run it with only `variables` in the environment."""
    command = [str(frozen.folder / "exitisp"), *map(str, arguments)]
    return subprocess.run(
        command, env=variables, cwd="/", capture_output=True, text=True, timeout=60
    )


def test_a_host_without_a_program_that_pyinstaller_needs_is_told_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match=r"objdump: .* is missing\. .* apt-get install binutils"):
        freeze(Target.LINUX, tmp_path / "cache")
    assert list(tmp_path.iterdir()) == []


def test_it_starts_without_an_environment(linux: Frozen) -> None:
    result = run(linux, "--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("exitisp ")


def test_it_judges_sites_like_the_program_that_is_not_frozen(linux: Frozen, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("operator: 1\n")
    for site, status in ((SITE, 0), (wrong, 1)):
        unfrozen = subprocess.run(
            [sys.executable, "-m", "firstboot", "check", site],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        frozen = run(linux, "check", site)
        assert frozen.returncode == unfrozen.returncode == status
        assert frozen.stdout == unfrozen.stdout
        assert frozen.stderr == unfrozen.stderr


def test_a_command_imports_only_what_it_needs() -> None:
    """Jinja2 and PyYAML take longer to import than Python takes to start."""
    command = [sys.executable, "-X", "importtime", "-m", "firstboot", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "firstboot.box.cli" in imported
    assert not imported & {"jinja2", "markupsafe", "yaml", "ssl", "ctypes", "multiprocessing"}


def test_it_writes_nowhere(linux: Frozen, tmp_path: Path) -> None:
    """Neither beside itself nor into the folder for temporary files."""
    before = artifact_cache.listing(linux.folder)
    assert run(linux, "check", SITE, TMPDIR=str(tmp_path), HOME=str(tmp_path)).returncode == 0
    assert run(linux, "check", SITE, TMPDIR="/nonexistent").returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert artifact_cache.listing(linux.folder) == before


def test_it_runs_from_a_read_only_file_system(linux: Frozen) -> None:
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && ! touch "$1/x" && "$2"'
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", f"{script} --version", "sh"]
    command += [str(linux.folder), str(linux.folder / "exitisp")]
    if subprocess.run([*command[:3], "true"], capture_output=True).returncode:
        pytest.skip("this user cannot make a mount namespace")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.startswith("exitisp "), done.stderr


def test_it_runs_through_a_link(linux: Frozen, tmp_path: Path) -> None:
    (tmp_path / "exitisp").symlink_to(linux.folder / "exitisp")
    done = subprocess.run([tmp_path / "exitisp", "--version"], env={}, capture_output=True)
    assert done.returncode == 0


def environment_after(**before: str) -> dict[str, str]:
    script = "import json, os, runpy, sys; runpy.run_path(sys.argv[1]);"
    script += "print(json.dumps(dict(os.environ)))"
    command = [sys.executable, "-c", script, str(HOOK)]
    printed = subprocess.run(command, env=before, capture_output=True, text=True, check=True).stdout
    after: dict[str, str] = json.loads(printed)
    return {name: value for name, value in after.items() if name != "LC_CTYPE"}


def test_child_processes_get_the_original_environment() -> None:
    notes = {"_PYI_ARCHIVE_FILE": "/x", "_PYI_PARENT_PROCESS_LEVEL": "1"}
    own = {"LD_LIBRARY_PATH": "/own", **notes}
    assert environment_after(A="b", **own) == {"A": "b"}
    assert environment_after(LD_LIBRARY_PATH_ORIG="/theirs", **own) == {
        "LD_LIBRARY_PATH": "/theirs"
    }


def test_an_uncaught_exception_ends_it_with_status_1(linux: Frozen) -> None:
    """The exception is that there is no standard output. The bootloader prints nothing."""
    command = f"exec {linux.folder}/exitisp check {SITE} >&-"
    done = subprocess.run(["sh", "-c", command], env={}, capture_output=True, text=True)
    assert done.returncode in (0, 1)
    assert "PYI-" not in done.stderr


@pytest.mark.parametrize("name", ["linux", "freebsd"])
def test_third_party_modules_in_it_are_pure_python(
    name: str, request: pytest.FixtureRequest
) -> None:
    frozen: Frozen = request.getfixturevalue(name)
    assert {module.name for module in frozen.modules} == {
        "python",
        "pyinstaller",
        "jinja2",
        "markupsafe",
        "pyyaml",
    }
    assert all(module.version and module.licence for module in frozen.modules)
    for path in frozen.files:
        assert not path.startswith((f"{CONTENTS}/markupsafe", f"{CONTENTS}/yaml"))


def test_it_brings_every_template_and_the_licences(freebsd: Frozen) -> None:
    templates = {
        str(path.relative_to(ROOT))
        for path in ROOT.glob("overlays/*/templates/*")
        if path.is_file()
    }
    inside = {path.removeprefix(f"{CONTENTS}/") for path in freebsd.files}
    assert templates <= inside
    for module in ("jinja2", "markupsafe", "pyyaml", "pyinstaller"):
        assert any(path.startswith(f"licences/{module}/") for path in inside)


def test_the_program_for_freebsd_has_no_other_machine_code(freebsd: Frozen) -> None:
    code = {}
    for path in freebsd.files:
        facts = elf.read((freebsd.folder / path).read_bytes(), path)
        if facts:
            code[path] = facts
    assert code.keys() == {"exitisp", f"{CONTENTS}/libpython3.11.so.1.0"} or len(code) > 2
    assert all(facts.for_freebsd for facts in code.values())
    assert code["exitisp"].interpreter == elf.LINKER


def test_every_library_has_the_absolute_run_path_of_the_box() -> None:
    frozen = frozen_with_a_carried_library()
    needs = {}
    for path in frozen.files:
        facts = elf.read((frozen.folder / path).read_bytes(), path)
        if facts is not None and path != PROGRAM:
            assert facts.run_path == ("/usr/local/exitisp/_internal",), path
            needs[Path(path).name] = facts.needed
    assert "libdeep.so.1" in needs["libnear.so.1"]
    assert any("libnear.so.1" in needed for needed in needs.values())


def test_a_file_for_this_host_in_it_is_detected(freebsd: Frozen, tmp_path: Path) -> None:
    copy = tmp_path / "program"
    shutil.copytree(freebsd.folder, copy)
    (copy / artifact_cache.CONTENTS).unlink()
    verify(copy, None)
    host = Path(sys.executable).resolve()
    shutil.copy(host, copy / CONTENTS / "overlays" / "pf.conf")
    with pytest.raises(Refusal) as caught:
        verify(copy, None)
    assert caught.value.where == f"{CONTENTS}/overlays/pf.conf"


def test_it_is_taken_from_the_cache_until_something_changes(
    linux: Frozen, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Frozen(Exception):
        pass

    def analyse(*_: object) -> None:
        raise Frozen

    monkeypatch.setattr(freezing, "analyse", analyse)
    program = made.program()
    assert freeze(Target.LINUX, made.CACHE, program=program).folder == linux.folder
    for path in ("firstboot/core/refusal.py", "overlays/pf/templates/pf.conf.j2"):
        changed = {**program.files, path: program.files[path] + b"\n"}
        with pytest.raises(Frozen):
            freeze(Target.LINUX, made.CACHE, program=replace(program, files=changed))


def test_symbols_are_looked_up_once_in_every_base(
    freebsd: Frozen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(freebsd.folder, tmp_path / freebsd.folder.name)
    libc = compiled.library(tmp_path / "base", "libc.so.7", "int nothing_that_is_used;")
    bases = [{"libc.so.7": libc.read_bytes}, {"libc.so.7": lambda: b"another one"}]
    python, program = made.packaged_python(), made.program()
    poor: Base = dict.fromkeys(("libc.so.7", "libm.so.5", "libthr.so.3"), libc.read_bytes)
    for _ in range(2):
        with pytest.raises(Refusal, match="the base's libraries do not define"):
            freeze(Target.FREEBSD, tmp_path, python=python, base=poor, program=program)
    judged = []
    monkeypatch.setattr(freezing, "verify", lambda folder, base: judged.append(base))
    for base in (*bases, *bases):
        freeze(Target.FREEBSD, tmp_path, python=python, base=base, program=program)
    assert judged == bases


def test_freebsd_needs_a_python() -> None:
    with pytest.raises(Refusal, match="a Python for FreeBSD is missing"):
        freeze(Target.FREEBSD, made.CACHE)


@full
def test_the_same_input_gives_the_same_bytes(freebsd: Frozen, tmp_path: Path) -> None:
    """In another folder, with only the bootloader's source in the cache."""
    for sdist in made.CACHE.glob("pyinstaller-*.tar.gz"):
        shutil.copy(sdist, tmp_path)
    again = freeze(Target.FREEBSD, tmp_path, python=made.packaged_python(), program=made.program())
    assert again.folder != freebsd.folder
    assert again.files == freebsd.files


def test_a_module_that_cannot_be_imported_is_refused(tmp_path: Path) -> None:
    program = made.program()
    files = {**program.files, "firstboot/broken.py": b"def\n"}
    with pytest.raises(Refusal, match=r"the module firstboot\.broken|PyInstaller"):
        freeze(Target.LINUX, tmp_path, program=replace(program, files=files))
    assert list(tmp_path.iterdir()) == []


def test_other_third_party_packages_are_refused(tmp_path: Path) -> None:
    import requests

    found = Found({"requests": requests.__file__}, [])
    with pytest.raises(Refusal, match="the module requests: it is from requests"):
        origins(found, tmp_path, None)


def test_what_runs_at_a_desk_stays_there_and_nothing_in_the_program_needs_it() -> None:
    files = Program.read().files
    desk = [folder.replace("/", ".") for folder in DESK]
    for folder in DESK:
        assert (ROOT / folder).is_dir()
        assert not [path for path in files if path.startswith(f"{folder}/")]
    for path, data in files.items():
        if path.endswith(".py"):
            imported = [
                name
                for node in ast.walk(ast.parse(data))
                for name in (
                    [f"{node.module}.{alias.name}" for alias in node.names]
                    if isinstance(node, ast.ImportFrom)
                    else [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else []
                )
            ]
            assert not [one for one in imported if one.startswith(tuple(desk))], path


def test_imports_that_the_target_lacks_are_refused() -> None:
    program = Program({"firstboot/a.py": b"def f():\n    import _sqlite3\n"})
    found = Found({}, ["_sqlite3", "_curses"])
    with pytest.raises(Refusal, match=r"firstboot/a\.py: .* does not have: _sqlite3"):
        check_imports(program, found, {"time"})
    check_imports(program, found, {"_sqlite3"})
