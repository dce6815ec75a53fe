"""What BIND's and ldns's programs say of a zone, and a reader of master files as simple as ours."""

import shutil
import subprocess
from pathlib import Path

import pytest


def need(program: str, package: str) -> None:
    """Skip the test where `program` is missing."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is missing; on Debian, it is in {package}")


def named_checkzone(name: str, file: Path) -> str:
    """What BIND's named-checkzone finds wrong with a zone, everything that it can look for; empty
    if there is nothing."""
    need("named-checkzone", "bind9-utils")
    strict = [word for option in "kmMnr" for word in (f"-{option}", "fail")]
    ran = subprocess.run(
        ["named-checkzone", *strict, "-i", "local", name, file],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


def records(text: str) -> dict[tuple[str, str], list[str]]:
    """The records of a zone as we write it: data by absolute name and type."""
    origin, found = "", {}  # type: ignore[var-annotated]
    for line in text.splitlines():
        if line.startswith("$ORIGIN "):
            origin = line.split()[1]
        elif not line.startswith(("$", ";")):
            name, _, kind, data = line.split(" ", 3)
            whole = origin if name == "@" else name if name.endswith(".") else f"{name}.{origin}"
            found.setdefault((whole, kind), []).append(data)
    return found


def one_line_each(name: str, text: str) -> list[tuple[str, str, str]]:
    """The records of any zone, as BIND reads them: absolute name, type and data."""
    need("named-checkzone", "bind9-utils")
    lax = ("-i", "none", "-k", "ignore", "-q")
    ran = subprocess.run(
        ["named-checkzone", *lax, "-D", "-o", "-", name, "/dev/stdin"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    found = []
    for line in ran.stdout.splitlines():
        if line.startswith(";"):
            continue
        owner, _, _, kind, data = line.split(maxsplit=4)
        found.append((owner, kind, data))
    return found
