"""Folders that are gone with the process that made them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firstboot.box.working_folder import working_folder

HOLDS = """
import sys, time
from pathlib import Path
from firstboot.box.working_folder import working_folder
with working_folder(Path(sys.argv[1])) as folder:
    (folder / "secret").write_text("x")
    print(folder, flush=True)
    time.sleep(600)
"""


def test_it_is_removed_at_the_end(tmp_path: Path) -> None:
    with working_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "inside").mkdir()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_it_is_removed_when_the_process_is_killed(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert (folder / "secret").exists()
        process.send_signal(number)
    while folder.exists():
        time.sleep(0.01)
