"""The pages for people, and what is in them: code, links, headings (CommonMark, as forges show
it)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

FENCE = re.compile(r"^ *```(.*)$")
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of code and the page and line that it is on."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def prose(self) -> str:
        """The text with its blocks of code empty, line for line."""
        return "\n".join("" if block else line for _, line, block in self._lines())

    def blocks(self, language: str) -> Iterator[Code]:
        """Lines of blocks of code in `language`."""
        for number, line, block in self._lines():
            if block == language and not FENCE.match(line) and line.strip():
                yield Code(self.name, number, line.strip())

    def spans(self) -> Iterator[Code]:
        """Code within sentences; a line break in it is a space."""
        for match in SPAN.finditer(self.prose):
            line = self.prose.count("\n", 0, match.start()) + 1
            yield Code(self.name, line, " ".join(match[2].split()))

    def links(self) -> Iterator[Code]:
        for match in LINK.finditer(SPAN.sub(lambda span: " " * len(span[0]), self.prose)):
            yield Code(self.name, self.prose.count("\n", 0, match.start()) + 1, match[1])

    def anchors(self) -> set[str]:
        """What a link to a heading ends with, as GitHub and Forgejo make it."""
        headings = re.findall(r"^#+ +(.*?) *$", self.prose, re.MULTILINE)
        plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
        return {heading.replace(" ", "-") for heading in plain}

    def _lines(self) -> Iterator[tuple[int, str, str | None]]:
        """Every line with its number, and the language of the block that it is in, or None."""
        language: str | None = None
        for number, line in enumerate(self.text.splitlines(), 1):
            fence = FENCE.match(line)
            if fence and language is None:
                language = fence[1].strip() or "text"
                yield number, line, language
            elif fence:
                yield number, line, language
                language = None
            else:
                yield number, line, language


def pages() -> list[Page]:
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")]
    return [Page(path) for path in sorted(found)]
