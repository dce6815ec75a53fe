"""A box that loses its power."""

from qemu.console_patterns import LOGIN
from qemu.machine import Machine
from tests.boot.conftest import BOOT


def loses_nothing(box: Machine) -> None:
    """What was written is there after a power cut. The disk empties a cache only if it is told to,
    so a box that uses one fails here. The kernel has half a minute to write, or is told to."""
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
