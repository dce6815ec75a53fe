"""Ctrl-C while the program loads."""

import subprocess
import sys
from pathlib import Path

INTERRUPTED = """
import runpy, sys

class Interrupted:
    def find_spec(self, name, path, target=None):
        if name == "firstboot.box.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
runpy.run_module("firstboot", run_name="__main__")
"""


def test_ctrl_c_while_the_program_loads_is_no_traceback() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (130, "exitisp: interrupted\n")
