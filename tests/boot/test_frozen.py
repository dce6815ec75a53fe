"""The frozen wizard on its target system, FreeBSD or HardenedBSD: one boot of an image with it.

Its libpython needs a library that is carried beside it, and that library needs another one. The
stick is exactly as large as the image, and programs lie at random addresses, as on every box.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from image import overlay
from image.freeze.frozen import COMMAND, FOLDER, Frozen
from qemu.disk import Bus, Disk
from qemu.lab.conversation import BEGIN
from qemu.machine import Machine
from tests.boot.conftest import BOOT, ROOT, SHELL, made, transcripts
from tests.image.freeze.made import frozen_with_a_carried_library

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("frozen")]

PROGRAM = f"/{FOLDER}/exitisp"
SITE = "one-port-of-each.yaml"

OPT_OUT = 2
"""HardenedBSD's default for a PaX feature: on, unless a file says otherwise."""


@dataclass(frozen=True)
class Box:
    machine: Machine
    frozen: Frozen

    def said(self, command: str, timeout: float = 120.0) -> str:
        """Return what `command` prints in the guest, without the last newline. It must succeed."""
        return self.machine.shell.run(command, timeout).text.rstrip("\n")

    def status(self, command: str) -> int:
        return self.machine.shell.run(command, 120.0, check=False).status

    @property
    def hardened(self) -> bool:
        return self.status("sysctl -q hardening.pax.aslr.status") == 0


def with_sites(folder: Path) -> overlay.Overlay:
    """Sites to check, in /testdata."""
    sites = folder / "files" / "testdata" / "sites"
    sites.mkdir(parents=True)
    (sites / SITE).write_bytes((ROOT / "examples" / SITE).read_bytes())
    (sites / "wrong.yaml").write_text("operator: 1\n")
    (folder / "overlay.yaml").write_text("description: Sites.\n")
    return overlay.load(folder)


@pytest.fixture(scope="module")
def box(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("frozen")
    frozen = frozen_with_a_carried_library()
    added = (overlay.load(SHELL), with_sites(folder / "overlay"))
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
    if box.hardened:
        assert int(box.said("sysctl -n hardening.pax.aslr.status")) >= OPT_OUT
        return
    assert box.said("sysctl -n kern.elf64.aslr.enable kern.elf64.aslr.pie_enable") == "1\n1"


def test_it_lies_on_a_read_only_root(box: Box) -> None:
    assert "read-only" in box.said("mount | grep ' on / '")
    assert box.status(f"touch /{FOLDER}/x") != 0


def test_every_file_of_it_is_there_and_read_only(box: Box) -> None:
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
def test_an_uncaught_exception_is_not_a_crash(box: Box, output: str) -> None:
    """After a signal the status is 128 or more."""
    assert box.status(f"env -i {PROGRAM} check /testdata/sites/{SITE} >{output}") < 128


@pytest.fixture
def setgid_copy(box: Box) -> Iterator[str]:
    """A copy of the program that runs with another group than its caller's, on a file system made
    for it, because all others of the box are mounted nosuid or read-only."""
    box.said("mkdir /var/tmp/set && mount -t tmpfs tmpfs /var/tmp/set")
    box.said(f"cp -R /{FOLDER} /var/tmp/set/copy && chmod -R a+rX /var/tmp/set")
    # PyInstaller's program runs as another group only if its folder belongs to that one as well.
    box.said("chown -R root:operator /var/tmp/set/copy && chmod 2555 /var/tmp/set/copy/exitisp")
    yield "/var/tmp/set/copy/exitisp"
    box.said("umount /var/tmp/set && rmdir /var/tmp/set")


def test_it_finds_its_libraries_under_a_linker_that_does_not_trust_it(
    box: Box, setgid_copy: str
) -> None:
    """For a setgid program rtld(1) neither replaces $ORIGIN nor follows relative run paths nor
    looks at LD_LIBRARY_PATH. HardenedBSD's does so for every program. `check` loads all modules."""
    run = f"su -m nobody -c 'env -i {setgid_copy} check /testdata/sites/{SITE}'"
    assert "0 errors" in box.said(f"cd / && {run}")
    assert box.said(f"su -m nobody -c 'env -i {setgid_copy} --version'").startswith("exitisp ")


def test_it_fails_where_its_libraries_are_away(box: Box, setgid_copy: str) -> None:
    """Shows that the test above finds a missing run path: without the libraries in the folder that
    the run path names, the copy does not find those beside it."""
    box.said(f"mount -t tmpfs tmpfs /{FOLDER}/_internal")
    try:
        ran = box.machine.shell.run(
            f"su -m nobody -c 'env -i {setgid_copy} --version'", 120.0, check=False
        )
    finally:
        box.said(f"umount /{FOLDER}/_internal")
    assert ran.status != 0
    assert 'Shared object "libnear.so.1" not found' in ran.text


def test_every_library_resolves(box: Box) -> None:
    libraries = [path for path in box.frozen.files if ".so" in Path(path).name]
    if box.hardened:
        pytest.skip("HardenedBSD's run-time linker lists no libraries: ldd(1) fails there")
    for path in ("exitisp", *libraries):
        told = box.said(f"ldd /{FOLDER}/{path}")
        assert "not found" not in told
        if Path(path).name not in ("libnear.so.1", "libdeep.so.1"):
            assert "libc.so.7" in told
    told = box.said(f"ldd /{FOLDER}/_internal/libnear.so.1")
    assert f"libdeep.so.1 => /{FOLDER}/_internal/libdeep.so.1" in told


def test_it_needs_no_page_that_is_writable_and_executable(box: Box) -> None:
    """FreeBSD's rule and PaX MPROTECT, which is stricter."""
    if box.hardened:
        assert int(box.said("sysctl -n hardening.pax.mprotect.status")) >= OPT_OUT
    else:
        assert box.said("sysctl -n kern.elf64.allow_wx") == "0"
    assert "0 errors" in box.said(f"env -i {PROGRAM} check /testdata/sites/{SITE}")


def test_the_second_serial_line_offers_the_wizard_too(box: Box) -> None:
    """Many boards have their serial-over-LAN there. The shell of the tests gives way."""
    line = box.machine.shell
    line.send_line("sed -i '' '/^ttyu1/s/off/onifexists/' /etc/ttys")
    # The shell ends with daemon(8), one of its ancestors (-a); init(8) looks at ttys(5) after that.
    line.send_line("(trap '' HUP TERM; sleep 3; kill -HUP 1) & pkill -a -x daemon; exit")
    line.expect(BEGIN[0], timeout=BOOT)
