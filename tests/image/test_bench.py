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
    ratios = figures.pop("ratios")
    assert all(value > 0 for value in figures.values())
    assert all(0 < least <= ratio <= most for ratio, least, most in ratios.values())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bench.json"]
    assert not (tmp_path / "mine").exists()
    assert not (tmp_path / "home").exists()
    assert "warm to synced copy" in capsys.readouterr().out


def test_a_ratio_is_of_two_figures_of_one_round() -> None:
    """A round on a slow machine has the ratio of a fast one."""
    kinds = {"cold": 6.0, "warm": 3.0, "xz": 4.0, "copy": 1.0, "synced copy": 2.0, "check": 1.0}
    turns = [
        {kind: bench.Spent(seconds * slow, seconds, 9.0) for kind, seconds in kinds.items()}
        for slow in (1.0, 7.0, 2.0)
    ]
    figures = bench.summary(turns, 1.0, 1.0, 1.0)
    assert figures.ratios["warm to synced copy"] == pytest.approx((1.5, 1.5, 1.5))
    assert figures.ratios["cold to floor"] == pytest.approx((1.2, 1.2, 1.2))
    assert (figures.cold_s, figures.floor_s) == (6.0, 5.0)
