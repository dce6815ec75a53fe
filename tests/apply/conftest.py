"""A box that is as configured, or not, as a test wants."""

from pathlib import Path

import pytest

from firstboot import apply, preflight
from tests.apply import box as boxes
from tests.apply.box import Box


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    """Not configured yet. Nobody waits for anything."""
    monkeypatch.setattr(apply, "READY", 0.0)
    monkeypatch.setattr(preflight, "TRIES", 1)
    return boxes.make(tmp_path / "root", boxes.example().value)
