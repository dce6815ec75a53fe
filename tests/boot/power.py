"""Power cuts."""

from qemu.console_patterns import LOGIN
from qemu.machine import Machine
from tests.boot.conftest import BOOT


def loses_nothing(box: Machine) -> None:
    """Check that what was written survives a power cut. QEMU's disk flushes its cache only if it is
    told to, so a box that relies on the cache fails. The kernel would write within half a minute;
    here it is told to."""
    box.shell.run(
        "mkdir /data/keys /cfg/keys && echo identity >/data/keys/kept && echo site >/cfg/keys/kept"
    )
    box.shell.run("mount -u -o ro /data && mount -u -o rw /data")
    box.cut_power()
    box.start()
    seen = box.console.expect(LOGIN, timeout=BOOT)
    assert "Making /data" not in seen.before
    assert "INCONSISTENCY" not in seen.before
    box.shell.open_shell(timeout=BOOT)
    assert box.shell.run("cat /data/keys/kept /cfg/keys/kept").text == "identity\nsite\n"
