"""What the workflows may do: where the key is, nothing is installed, and nothing that is fetched
can change under its name."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))

INSTALLS = re.compile(r"\./exitisp|\bpip\b|\bapt|\bnpm\b|\bcurl\b|\bwget\b|setup-|cache@|\buv\b")


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
    return found


def steps() -> Iterator[Any]:
    for path in FILES:
        for job in jobs(path).values():
            yield from job["steps"]


RELEASE = jobs(ROOT / ".github/workflows/release.yml")


def test_the_job_with_the_key_installs_nothing() -> None:
    keyed = [name for name, job in RELEASE.items() if "secrets." in str(job)]
    assert keyed == ["sign"]
    assert not INSTALLS.search(str(RELEASE["sign"]["steps"]))
    assert INSTALLS.search(str(RELEASE["boot"]["steps"]))
    assert RELEASE["sign"]["environment"] == "release"


def test_what_is_signed_is_what_was_built() -> None:
    assert RELEASE["sign"]["needs"] == "build"
    assert RELEASE["build"]["needs"] == "boot"
    (signing,) = (one for one in RELEASE["sign"]["steps"] if ".ci/sign.sh" in one.get("run", ""))
    assert signing["env"]["SUMS"] == "${{ needs.build.outputs.sums }}"
    (making,) = (one for one in RELEASE["build"]["steps"] if ".ci/release.sh" in one.get("run", ""))
    assert "--unsigned" in making["run"]
    names = [one.get("uses", one.get("name", "")) for one in RELEASE["sign"]["steps"]]
    last = [name.partition("@")[0] for name in names[-3:]]
    assert last == ["Sign it", "actions/attest-build-provenance", "Publish it"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_job_may_write_but_the_one_that_publishes(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] in ({}, {"contents": "read"})
    may_write = [name for name, job in jobs(path).items() if "write" in str(job.get("permissions"))]
    assert may_write == (["sign"] if path.name == "release.yml" else [])


def test_everything_from_elsewhere_is_named_by_its_hash() -> None:
    used = [one["uses"] for one in steps() if "uses" in one]
    assert used
    assert [one for one in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", one)] == []
    assert all(
        one["with"]["persist-credentials"] is False
        for one in steps()
        if one.get("uses", "").startswith("actions/checkout@")
    )


def test_the_shell_can_parse_every_script_and_takes_no_text_of_strangers() -> None:
    for one in steps():
        if run := one.get("run"):
            assert "${{" not in run
            done = subprocess.run(["bash", "-n"], input=run, text=True, capture_output=True)
            assert (done.returncode, done.stderr) == (0, "")
