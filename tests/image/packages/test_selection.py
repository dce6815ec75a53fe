"""What overlays ask for, against what a repository offers."""

from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import overlay
from image.packages.selection import choose


def asking(folder: Path, *rules: str) -> overlay.Overlay:
    folder.mkdir()
    lines = "".join(f"- {rule}\n" for rule in rules)
    (folder / "overlay.yaml").write_text(f"description: x\npackages:\n{lines}")
    return overlay.load(folder)


def test_the_first_that_is_offered_is_taken(tmp_path: Path) -> None:
    bgp = asking(tmp_path / "bgp", "{any: [openbgpd9, openbgpd8, openbgpd]}")
    assert choose([bgp], {"openbgpd", "openbgpd8", "tor"}).names == ("openbgpd8",)


def test_each_is_taken_once(tmp_path: Path) -> None:
    overlays = [asking(tmp_path / name, "{name: tor}") for name in ("a", "b")]
    assert choose(overlays, {"tor"}).names == ("tor",)


def test_an_optional_one_that_is_missing_is_told(tmp_path: Path) -> None:
    base = asking(tmp_path / "base", "{name: pkg, optional: yes, reason: no lists}", "{name: tor}")
    choice = choose([base], {"tor"})
    assert choice.names == ("tor",)
    assert list(map(str, choice.missing)) == [
        "no package pkg, which overlay 'base' would use: no lists"
    ]


def test_one_that_is_needed_and_missing_is_refused(tmp_path: Path) -> None:
    bgp = asking(tmp_path / "bgp", "{name: tor}", "{any: [openbgpd9, openbgpd]}")
    with pytest.raises(
        Refusal, match=r"overlay\.yaml:4: the repository has no package openbgpd9 or openbgpd"
    ):
        choose([bgp], {"tor"})
