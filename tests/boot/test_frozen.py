"""The frozen wizard on its target system: one boot of an image that has it.

The stick is no larger than the image, and programs lie at random addresses, as on every box.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from image import overlay
from image.freeze import Frozen
from image.freeze.binaries import put
from image.freeze.frozen import COMMAND, FOLDER
from qemu.disk import Bus, Disk
from qemu.lab.conversation import BEGIN
from qemu.machine import Machine
from tests.boot.conftest import BOOT, ROOT, SHELL, made, transcripts
from tests.image.freeze import compiled
from tests.image.freeze.made import frozen_for_freebsd

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("frozen")]

PROGRAM = f"/{FOLDER}/exitisp"
SITE = "one-port-of-each.yaml"


@dataclass(frozen=True)
class Box:
    machine: Machine
    frozen: Frozen

    def said(self, command: str, timeout: float = 120.0) -> str:
        """Run `command` and return its output without the last line end. It must succeed."""
        return self.machine.shell.run(command, timeout).text.rstrip("\n")

    def status(self, command: str) -> int:
        return self.machine.shell.run(command, 120.0, check=False).status


def carrying(folder: Path) -> overlay.Overlay:
    """Make an overlay with sites to check, and with two libraries of which one needs the other."""
    sites = folder / "files" / "testdata" / "sites"
    sites.mkdir(parents=True)
    (sites / SITE).write_bytes((ROOT / "examples" / SITE).read_bytes())
    (sites / "wrong.yaml").write_text("operator: 1\n")
    libb = compiled.library(folder, "libb.so.1", "int b(void) { return 1; }")
    source = "int b(void); int a(void) { return b(); }"
    liba = compiled.library(folder, "liba.so.1", source, needs=[libb])
    for library in (liba, libb):
        put(library, folder / "files" / "testdata" / "near" / library.name, "$ORIGIN")
    (folder / "overlay.yaml").write_text("description: Sites and libraries.\n")
    return overlay.load(folder)


@pytest.fixture(scope="module")
def box(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("frozen")
    frozen = frozen_for_freebsd()
    added = (overlay.load(SHELL), carrying(folder / "overlay"))
    real = made(sets, folder / "frozen.img", *added, wizard=frozen)
    with Machine(Disk(real.image, Bus.USB), folder=transcripts(sets), name="frozen") as running:
        running.shell.open_shell(timeout=BOOT)
        yield Box(running, frozen)


def test_a_stick_no_larger_than_the_image_is_large_enough(box: Box) -> None:
    assert box.said("mount -p | awk '$1 ~ /gpt/ { print $1, $2 }'").splitlines() == [
        "/dev/gpt/rootA /",
        "/dev/gpt/cfg /cfg",
        "/dev/gpt/data /data",
    ]
    assert int(box.said("df -k /data | awk 'END { print $2 }'")) > 50 * 1024


def test_programs_lie_at_random_addresses(box: Box) -> None:
    assert box.said("sysctl -n kern.elf64.aslr.enable kern.elf64.aslr.pie_enable") == "1\n1"


def test_it_lies_on_a_read_only_root(box: Box) -> None:
    assert "read-only" in box.said("mount | grep ' on / '")
    assert box.status(f"touch /{FOLDER}/x") != 0


def test_every_file_of_it_is_there_and_nobody_may_change_it(box: Box) -> None:
    sums = box.said(f"cd /{FOLDER} && find . -type f | xargs sha256 -r", 300)
    found = {}
    for line in sums.splitlines():
        digest, path = line.split(maxsplit=1)
        found[path.removeprefix("./")] = digest
    assert found == {path: digest for path, (_, digest) in box.frozen.files.items()}
    others = "! -user root -o ! -group wheel -o -perm +222 -type f"
    assert box.said(f"find /{FOLDER} {others}") == ""


@pytest.mark.parametrize("program", [PROGRAM, f"/{COMMAND}"])
def test_it_starts_without_an_environment(box: Box, program: str) -> None:
    assert box.said(f"env -i {program} --version").startswith("exitisp ")


def test_it_judges_a_site(box: Box) -> None:
    told = box.said(f"cd / && env -i {PROGRAM} check /testdata/sites/{SITE}")
    assert "0 errors" in told
    assert box.status(f"env -i {PROGRAM} check /testdata/sites/wrong.yaml") == 1


def test_it_leaves_nothing_behind(box: Box) -> None:
    box.said("touch /tmp/before && sleep 1")
    box.said(f"env -i TMPDIR=/tmp HOME=/tmp {PROGRAM} check /testdata/sites/{SITE}")
    assert box.said("find -x /tmp /var/tmp -newer /tmp/before -type f") == ""


@pytest.mark.parametrize("output", ["/dev/full", "&-"])
def test_an_unexpected_error_is_reported_without_a_crash(box: Box, output: str) -> None:
    """A program that a signal ends has a status of 128 and more."""
    assert box.status(f"env -i {PROGRAM} check /testdata/sites/{SITE} >{output}") < 128


def test_it_needs_no_search_path_for_libraries(box: Box) -> None:
    """For a set-id program the run-time linker ignores LD_LIBRARY_PATH. No file system of the box
    allows set-id programs, so one is mounted for the test."""
    box.said("mkdir /var/tmp/set && mount -t tmpfs tmpfs /var/tmp/set")
    box.said(f"cp -R /{FOLDER} /var/tmp/set/lent && chmod -R a+rX /var/tmp/set")
    box.said("chmod 4555 /var/tmp/set/lent/exitisp")
    command = "env -i /var/tmp/set/lent/exitisp --version"
    assert box.said(f"su -m nobody -c '{command}'").startswith("exitisp ")
    box.said("umount /var/tmp/set && rmdir /var/tmp/set")


def test_every_library_resolves(box: Box) -> None:
    libraries = [path for path in box.frozen.files if ".so" in Path(path).name]
    for path in ("exitisp", *libraries):
        told = box.said(f"ldd /{FOLDER}/{path}")
        assert "libc.so.7" in told
        assert "not found" not in told


def test_a_library_finds_its_neighbour(box: Box) -> None:
    assert "libb.so.1 => /testdata/near/libb.so.1" in box.said("ldd /testdata/near/liba.so.1")


def test_it_needs_no_page_that_is_writable_and_executable(box: Box) -> None:
    """This is FreeBSD's own rule. That of PaX is stricter."""
    assert box.said("sysctl -n kern.elf64.allow_wx") == "0"
    assert "0 errors" in box.said(f"env -i {PROGRAM} check /testdata/sites/{SITE}")


def test_the_second_serial_line_offers_the_wizard_too(box: Box) -> None:
    """COM2 is serial-over-LAN on many boards. The tests' shell gives it back for this."""
    line = box.machine.shell
    line.send_line("sed -i '' '/^ttyu1/s/off/onifexists/' /etc/ttys")
    # The shell ends with daemon(8), one of its ancestors (-a); init(8) looks at ttys(5) after that.
    line.send_line("(trap '' HUP TERM; sleep 3; kill -HUP 1) & pkill -a -x daemon; exit")
    line.expect(BEGIN[0], timeout=BOOT)
