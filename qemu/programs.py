"""Finds the programs that virtual machines need."""

import shutil

from firstboot.core.refusal import Refusal

PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "setpriv": "util-linux",
}
"""The Debian package of each program."""


def find(program: str) -> str:
    """Return the path of `program`, a key of PACKAGES. Raises Refusal, which names the package."""
    path = shutil.which(program)
    if path is None:
        raise Refusal(
            program,
            "this program is not in PATH",
            f"Install it, on Debian and Ubuntu: sudo apt install {PACKAGES[program]}",
        )
    return path


def dying_with_us(command: list[str]) -> list[str]:
    """Return `command` so that the kernel kills it when the thread that started it ends.

    setpriv(1) sets PR_SET_PDEATHSIG in the new process. Python's preexec_fn would run between fork
    and exec, where a program with threads may hang, and each console has a thread.
    """
    return [find("setpriv"), "--pdeathsig", "KILL", "--", *command]
