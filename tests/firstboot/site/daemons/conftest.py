"""The daemons that judge what is rendered."""

import shutil
import subprocess

import pytest

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where daemons are; the PATH of a user often lacks some of it."""


def find(program: str, package: str) -> str:
    """The path of `program`, or the test is skipped naming Debian's `package` that has it."""
    found = shutil.which(program, path=PATH)
    if found is None:
        pytest.skip(f"no {program} here; Debian's package {package} has it")
    return found


@pytest.fixture(scope="session")
def unbound_checkconf() -> str:
    return find("unbound-checkconf", "unbound")


@pytest.fixture(scope="session")
def tor() -> str:
    return find("tor", "tor")


@pytest.fixture(scope="session")
def sshd() -> str:
    return find("sshd", "openssh-server")


def version(*command: str) -> tuple[int, ...]:
    """The first version that `command` prints: (1, 17, 1)."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    words = (done.stdout + done.stderr).replace("Version", " ").split()
    dotted = (word.rstrip(".").split(".") for word in words if "." in word)
    return next(tuple(map(int, parts)) for parts in dotted if all(part.isdigit() for part in parts))
