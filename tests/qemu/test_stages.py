"""The stages of a start are read from a transcript."""

import pytest

from qemu.boottime import Start, best, facts, table
from qemu.console_patterns import LOGIN, text
from qemu.failure import Failure
from qemu.firmware import Firmware
from qemu.stages import Stage, stages

TRANSCRIPT = """\
[    0.5] Consoles: internal video/keyboard  serial port
[    0.6] BIOS drive C: is disk0
[    4.6] ---<<BOOT>>---
[    7.2] Trying to mount root from ufs:/dev/gpt/rootA [ro,nosuid]...
[   12.1] Mounting local filesystems:.
[   19.1] Starting Network: lo0.
[   33.2] Starting syslogd.
[   36.2] Sat Nov 21 22:35:38 UTC 2026
[   36.4] FreeBSD/amd64 (exitisp) (ttyu0)
[   36.4] login:
[   99.0] root
""".splitlines()

WIZARD = text("Press Enter")


def test_stages_follow_each_other_up_to_the_prompt() -> None:
    found = stages(TRANSCRIPT, [LOGIN])
    assert found == (
        Stage("firmware", 0.5),
        Stage("loader", 4.1),
        Stage("kernel", 2.6),
        Stage("file systems", 4.9),
        Stage("network", 7.0),
        Stage("daemons", 17.1),
        Stage("prompt", 0.2),
    )


def test_a_stage_that_said_nothing_belongs_to_the_next() -> None:
    lines = [line for line in TRANSCRIPT if "Network" not in line]
    found = {one.name: one.seconds for one in stages(lines, [LOGIN])}
    assert "network" not in found
    assert found["daemons"] == 24.1


def test_without_a_prompt_there_are_no_stages() -> None:
    with pytest.raises(Failure, match="no prompt"):
        stages(TRANSCRIPT, [WIZARD])


def test_the_best_start_counts_and_the_spread_is_told() -> None:
    def start(image: str, seconds: float) -> Start:
        return Start(image, Firmware.BIOS, (Stage("loader", seconds), Stage("prompt", 1.0)))

    starts = [start("stock", 59.0), start("own", 29.0), start("stock", 49.0), start("own", 24.0)]
    assert best(starts, "own").seconds == 25.0
    assert facts(starts)[0] == {
        "image": "stock",
        "firmware": "bios",
        "seconds": 60.0,
        "stages": {"loader": 59.0, "prompt": 1.0},
    }
    rows = {
        line.split()[0]: line.split()[1:] for line in table(starts, ["stock", "own"]).splitlines()
    }
    assert rows["all"] == ["50.0", "25.0"]
    assert rows["ratio"] == ["1.00", "0.50"]
    assert rows["spread"] == ["10.0", "5.0"]
