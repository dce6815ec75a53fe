"""The programs that virtual machines need, looked for before the long step."""

import shutil

from firstboot.core.refusal import Refusal

PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "setpriv": "util-linux",
}
"""Program -> the Debian package that has it."""


def find(program: str) -> str:
    """The path of `program`, a key of PACKAGES. Raises Refusal naming the package to install."""
    path = shutil.which(program)
    if path is None:
        raise Refusal(
            program,
            "this program is not in PATH",
            f"Install it, on Debian and Ubuntu: sudo apt install {PACKAGES[program]}",
        )
    return path


def dying_with_us(command: list[str]) -> list[str]:
    """`command`, killed by the kernel when the thread that started it ends, however it ends.

    setpriv(1) sets PR_SET_PDEATHSIG in the new process itself: Python's preexec_fn would run
    between fork and exec, where a program with threads (every console has one) may hang.
    """
    return [find("setpriv"), "--pdeathsig", "KILL", "--", *command]
