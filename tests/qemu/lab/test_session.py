"""A lab starts with empty folders."""

from pathlib import Path

from qemu.lab.session import emptied


def test_a_folder_is_there_and_empty_whatever_was_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "lab" / "world"
    for _ in range(2):
        assert emptied(folder) == folder
        assert not list(folder.iterdir())
        (folder / "tor").mkdir()
        (folder / "tor" / "key").write_text("old")
