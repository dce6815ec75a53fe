"""Parts of the pages follow from the code."""

from pathlib import Path

import pytest

from firstboot.core.keys import walk
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site
from firstboot.site.reference import BEGIN, END, keys, parts, renew, renewed
from tests.docs.pages import ROOT, Page, pages

OVERLAYS = ROOT / "overlays"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_pages_are_as_they_would_be_made(page: Page) -> None:
    made = renewed(page.text, OVERLAYS, page.name)
    assert made == page.text, "run ./exitisp docs"


@pytest.mark.parametrize("part", parts(OVERLAYS))
def test_every_part_is_in_a_page_once(part: str) -> None:
    assert sum(page.text.count(BEGIN.format(name=part)) for page in pages()) == 1


def test_the_reference_has_every_key_of_the_model_and_each_is_explained() -> None:
    listed = [line.split("`")[1] for line in keys().splitlines()[2:]]
    assert listed == [one.path for one in walk(Site)]
    assert all(one.about.explanation for one in walk(Site))


def test_what_stands_between_the_marks_is_replaced_and_nothing_else() -> None:
    begin, end = BEGIN.format(name="forms"), END.format(name="forms")
    made = renewed(f"before\n{begin}old\n{end}after\n", OVERLAYS, "page")
    assert made.startswith(f"before\n{begin}\n| form | what is taken |\n")
    assert made.endswith(f"\n{end}after\n")
    assert "old" not in made
    assert renewed(made, OVERLAYS, "page") == made


def test_a_part_without_an_end_is_refused() -> None:
    with pytest.raises(Refusal, match="page: the line <!-- end of forms --> is missing"):
        renewed(f"{BEGIN.format(name='forms')}text\n", OVERLAYS, "page")


def test_only_pages_that_change_are_written(tmp_path: Path) -> None:
    right, stale = tmp_path / "right.md", tmp_path / "stale.md"
    part = BEGIN.format(name="forms") + END.format(name="forms")
    right.write_text(renewed(part, OVERLAYS, "right.md"))
    stale.write_text(part)
    before = right.stat()
    renew(tmp_path, OVERLAYS)
    assert stale.read_text() == right.read_text()
    assert right.stat().st_ino == before.st_ino
