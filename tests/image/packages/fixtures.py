"""The packages that are shared beside the repository, where they are."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("EXITISP_SHARED", ROOT.parent / "shared"))
FIXTURES = SHARED / "packages"
FIXTURE_NAMES = (
    "fixture-base-1.0",
    "fixture-conflict-1.0",
    "fixture-pax-2.0,1",
    "fixture-rival-0.9.b2",
    "fixture-tool-1.2_1",
    "openbgpd-7.7",
    "python311-3.11.2",
    "tor-0.4.9.11",
)

needs_fixtures = pytest.mark.skipif(
    not (FIXTURES / "meta.conf").is_file(), reason=f"no fixture packages in {FIXTURES}"
)
