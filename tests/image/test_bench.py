"""The benchmark measures builds with a cache of its own."""

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from image import bench
from tests import sets
from tests.command import ROOT


def test_figures_are_written_and_nothing_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the output is named relative to the working folder: a build is cold only if its
    cache is the bench's own and empty."""
    for program in ("xz", "zstd"):
        if not shutil.which(program):
            pytest.skip(f"no {program} here")
    sets.write(tmp_path / "sets")
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    bench.measure(ROOT, tmp_path / "sets", Path("out/bench.json"))
    figures = json.loads((tmp_path / "out/bench.json").read_text())
    assert figures.keys() == {field.name for field in fields(bench.Figures)}
    assert all(value > 0 for value in figures.values())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bench.json"]
    assert not (tmp_path / "mine").exists()
    assert not (tmp_path / "home").exists()
    assert "x floor" in capsys.readouterr().out
