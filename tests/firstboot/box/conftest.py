"""A box that is as configured, or not, as a test wants."""

from pathlib import Path
from typing import Any

import pytest

from firstboot.box import apply, ports
from firstboot.site.render import render
from firstboot.site.verify.verify import verify
from tests.firstboot.box import box as boxes
from tests.firstboot.box.box import Box

_rendered: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for anything, and what was rendered or linted once is not again."""
    monkeypatch.setattr(apply, "READY", 0.0)
    monkeypatch.setattr(ports, "TRIES", 1)
    monkeypatch.setattr(apply, "render", _remembering("render", render))
    monkeypatch.setattr("firstboot.site.verify.verify.verify", _remembering("verify", verify))


def _remembering(name: str, real: Any) -> Any:
    def call(*arguments: Any) -> Any:
        key = f"{name} {arguments!r}"
        if key not in _rendered:
            _rendered[key] = real(*arguments)
        return _rendered[key]

    return call


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """Not configured yet."""
    return boxes.make(tmp_path / "root", boxes.example().value)
