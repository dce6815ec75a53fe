"""A simulated Internet leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qemu.world.internet import Internet
from qemu.world.net import wait
from tests.live.test_net import ROOT, members
from tests.qemu.world.box import SITE_FILE

pytestmark = pytest.mark.xdist_group("world")

BEGIN = """\
import sys, threading, time
from pathlib import Path
from firstboot.site import model as sites
from qemu.world import trust
from qemu.world.internet import Internet
site = sites.load(Path(sys.argv[1])).value
internet = Internet(site, Path(sys.argv[2]), trust.make(Path(sys.argv[3]), site))
def tell():
    while not hasattr(internet.world, "namespace"):
        time.sleep(0.1)
    print(internet.world.namespace, flush=True)
threading.Thread(target=tell).start()
with internet:
    time.sleep(86400)
"""


def test_a_process_that_is_killed_takes_everybody_with_it(
    internet: Internet, trusted: Path, tmp_path: Path
) -> None:
    """It is killed while daemons start. The fixture `internet` shows that this host can run one."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN, SITE_FILE, tmp_path, trusted],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    namespace = process.stdout.readline().strip()
    assert namespace != internet.world.namespace
    wait("its daemons", lambda: len(members(namespace)) >= 15)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait("the end of them", lambda: not members(namespace))
    assert members(internet.world.namespace)
