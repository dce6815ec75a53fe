"""What the pages refer to is there."""

import re

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


def paths() -> list[Code]:
    """Paths of this repository in code within sentences; a word in capitals stands for any."""
    return [
        Code(span.page, span.line, word)
        for page in pages()
        for span in page.spans()
        for word in span.text.split()
        if REPOSITORY.fullmatch(word)
    ]


@pytest.mark.parametrize("path", paths(), ids=str)
def test_every_file_that_is_named_exists(path: Code) -> None:
    pattern = re.sub(r"\b[A-Z]{2,}\b", "*", path.text.rstrip("/"))
    assert list(ROOT.glob(pattern)) or list(ROOT.glob(f"{pattern}.py"))
