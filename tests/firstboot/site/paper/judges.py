"""Programs and parsers of others that say whether a paper is what its reader takes."""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from firstboot.site.paper.rpsl import RpslObject

IRRD = Path(os.environ.get("EXITISP_IRRD", "~/.cache/exitisp/irrd/bin/python")).expanduser()
"""The Python of an environment that has IRRd; its dependencies do not fit into this one's."""

REGISTRIES_OWN = ("org", "abuse-c", "mnt-irt", "ds-rdata")
"""Attributes of databases of registries that IRRd does not know, because no standard has them."""


def irrd(objects: Iterable[RpslObject | str]) -> list[list[str]]:
    """What IRRd's own parser, which is strict, finds wrong with each object. Skips the test where
    there is no IRRd."""
    known = tuple(f"Unrecognised attribute {name} on object" for name in REGISTRIES_OWN)
    return [
        [error for error in one["errors"] if not error.startswith(known)]
        for one in irrd_reads(objects)
    ]


def irrd_reads(objects: Iterable[RpslObject | str]) -> list[dict[str, Any]]:
    """What IRRd's parser reads in each object: `kind`, `values` and `errors`."""
    if not IRRD.exists():
        pytest.skip(f"IRRd is not at {IRRD}: docs/development.md says how to install it")
    texts = [str(one) for one in objects]
    script = Path(__file__).parent / "judge_rpsl.py"
    ran = subprocess.run(
        [IRRD, script], input=json.dumps(texts), capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    assert len(found) == len(texts)
    return found
