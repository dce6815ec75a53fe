"""Where real base sets are looked for."""

from pathlib import Path

import pytest

from tests.base_sets import found


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "MANIFEST").touch()
    return folder


def test_every_folder_that_is_named_and_has_sets_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = made(tmp_path / "one"), made(tmp_path / "other")
    monkeypatch.setenv("EXITISP_SETS", f"{one}:{tmp_path / 'absent'}:{other}")
    assert found() == [one, other]


def test_without_a_name_those_in_the_cache_are_found_hardenedbsd_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXITISP_SETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert found() == [None]
    freebsd, hardened = (made(tmp_path / "exitisp" / name) for name in ("sets", "sets-hardenedbsd"))
    assert found() == [hardened, freebsd]
