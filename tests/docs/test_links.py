"""What the pages refer to is there."""

import re
from functools import cache

import pytest

from tests.docs.pages import ROOT, Code, Page, pages

REPOSITORY = re.compile(
    r"(?:image|firstboot|overlays|qemu|tests|docs|examples|\.ci|\.github)/[\w@*./-]*[\w*/]|tasks\.py"
)


def links() -> list[Code]:
    return [link for page in pages() for link in page.links() if "://" not in link.text]


@pytest.mark.parametrize("link", links(), ids=str)
def test_every_link_leads_somewhere(link: Code) -> None:
    path, _, anchor = link.text.partition("#")
    target = (ROOT / link.page).parent / path if path else ROOT / link.page
    assert target.exists()
    if anchor:
        assert anchor in Page(target).anchors()


def test_every_page_is_in_the_table_of_the_readme() -> None:
    linked = {link.text for link in Page(ROOT / "README.md").links()}
    assert {page.name for page in pages() if page.name != "README.md"} <= linked


def words(pattern: re.Pattern[str]) -> list[Code]:
    """Words that match, in code within sentences."""
    return [
        Code(span.page, span.line, word)
        for page in pages()
        for span in page.spans()
        for word in span.text.split()
        if pattern.fullmatch(word)
    ]


@pytest.mark.parametrize("path", words(REPOSITORY), ids=str)
def test_every_file_that_is_named_exists(path: Code) -> None:
    # A word in capitals stands for any.
    pattern = re.sub(r"\b[A-Z]{2,}\b", "*", path.text.rstrip("/"))
    assert list(ROOT.glob(pattern)) or list(ROOT.glob(f"{pattern}.py"))


ON_THE_BOX = re.compile(r"/(?:boot|cfg|conf|data|etc|usr|var)/[\w@*./-]*\w")


@cache
def source() -> str:
    """All that could make or read a file on the box: programs, overlays and their paths."""
    files = [
        path
        for folder in ("firstboot", "image", "overlays")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]
    texts = [path.read_text(errors="replace") for path in files]
    return "\n".join([*map(str, files), *texts])


@pytest.mark.parametrize("path", words(ON_THE_BOX), ids=str)
def test_files_of_the_box_are_such_that_something_makes_or_reads(path: Code) -> None:
    whole = path.text.rstrip("0123456789").partition("/*")[0]
    name = whole.rpartition("/")[2]
    assert whole.lstrip("/") in source() or f'"{name}"' in source()
