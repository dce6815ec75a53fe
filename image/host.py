"""What a task needs of the machine that it runs on, found before any long step."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Need:
    """Something from a Debian package, and how to tell that it is there."""

    package: str
    present: Callable[[], bool]


def program(name: str, package: str) -> Need:
    places = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    return Need(package, lambda: shutil.which(name, path=places) is not None)


def any_file(paths: Iterable[str], package: str) -> Need:
    return Need(package, lambda: any(Path(path).exists() for path in paths))


INSTALL = """\
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\\nexit 101\\n' > "$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2 > /dev/null
apt-get install --yes --no-install-recommends --quiet=2 "$@" > /dev/null
if command -v systemctl > /dev/null; then
    dpkg -L "$@" | sed -nE 's|.*/systemd/system/([^/@]*[.]service)$|\\1|p' |
        while read -r unit; do systemctl disable --quiet "$unit"; done
fi
"""
"""Installs packages and starts none of their services, now or later: the tests want the daemons'
programs. policy-rc.d is Debian's interface for that (invoke-rc.d(8))."""


def ensure(needs: Iterable[Need], *, install: bool = False) -> None:
    """Check that this machine has what is needed; with `install`, install what is missing.

    Raises Refusal with the line to type for what is missing.
    """
    missing = sorted({need.package for need in needs if not need.present()})
    if not missing:
        return
    line = f"sudo apt-get install {shlex.join(missing)}"
    problem = f"missing packages: {', '.join(missing)}"
    if not install:
        remedy = f"Install them, on Debian and Ubuntu with: {line}"
        raise Refusal("this machine", problem, f"{remedy}. Or add --install to the command")
    prefix = _privileged()
    if prefix is None or shutil.which("apt-get") is None:
        reason = "this user may not install them without a password, or there is no apt-get"
        raise Refusal("--install", f"{problem}; {reason}", f"On Debian and Ubuntu, type: {line}")
    print(f"Installing {', '.join(missing)}", file=sys.stderr)
    done = subprocess.run([*prefix, "sh", "-c", INSTALL, "install", *missing])
    if done.returncode:
        raise Refusal(
            f"apt-get install {shlex.join(missing)}",
            f"it ended with exit status {done.returncode}",
            "See its messages above, and run it by hand",
        )


def _privileged() -> list[str] | None:
    """What to put before a command to run it as root; None if that takes a password."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    asked = subprocess.run(["sudo", "-n", "true"], capture_output=True)
    return None if asked.returncode else ["sudo", "-n"]
