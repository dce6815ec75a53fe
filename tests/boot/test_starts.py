"""A box with a site starts again and again, and no kernel panics: not while bgpd passes its sockets
between its processes, which HARDENEDBSD's unp_gc() did not bear. And one that panics comes back.

`EXITISP_STARTS` is how many starts are tried.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstboot.site.writer import compose
from image import overlay
from qemu.console_patterns import LOGIN, PANIC
from qemu.disk import Disk
from qemu.machine import Machine
from tests.boot import isp
from tests.boot.conftest import BOOT, STICK, full, identify, transcripts
from tests.boot.isp import APPLIED, SITE, Isp, nics, put
from tests.boot.test_debugger import PANIC_ON_DEMAND

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("starts"), full]

STARTS = int(os.environ.get("EXITISP_STARTS", "3"))


@pytest.fixture(scope="module")
def box(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isp]:
    """A box that took its site from a file, and can be told to panic."""
    image = isp.image(sets, tmp_path_factory.mktemp("starts"), overlay.load(PANIC_ON_DEMAND))
    put(image, compose(SITE).encode())
    disk = Disk(image, size=STICK)
    with Machine(disk, folder=transcripts(sets), nics=nics(), memory=1536, name="starts") as one:
        one.console.expect("The site file was taken: generation 1.", timeout=BOOT)
        one.console.expect(LOGIN, timeout=APPLIED)
        one.shell.open_shell(timeout=BOOT)
        identify(one.shell)
        yield Isp(one)


def test_every_start_brings_all_daemons_and_no_panic(box: Isp) -> None:
    for _ in range(STARTS):
        box.restart()
        box.runs(SITE)


def test_a_box_that_panicked_comes_back_with_its_relays_and_sessions_by_itself(box: Isp) -> None:
    box.said("touch /cfg/testpanic && mount -u -o ro /cfg && mount -u -o rw /cfg")
    box.machine.shell.send_line("shutdown -r now")
    box.machine.console.expect(PANIC, timeout=BOOT, failures=())
    box.machine.console.expect(LOGIN, timeout=APPLIED, failures=())
    box.machine.shell.open_shell(timeout=BOOT)
    box.runs(SITE)
