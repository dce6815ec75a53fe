"""The exit notice: a page by itself, that fetches nothing and tells nobody who reads it."""

from collections.abc import Iterator
from html.parser import HTMLParser

from firstboot.site.render import Rendered
from firstboot.site.verify.context import Context, Flaw

TAGS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "a"}
ATTRIBUTES = {"html": {"lang"}, "meta": {"charset", "name", "content"}, "a": {"href"}}
LINKS = (
    "https://www.torproject.org/",
    "https://metrics.torproject.org/exonerator.html",
    "https://check.torproject.org/torbulkexitlist",
)


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    operator = context.site.operator
    page = _Page((*LINKS, operator.url, f"mailto:{operator.abuse}"))
    page.feed(file.text)
    page.close()
    for line, reason in page.flaws:
        yield Flaw(file.path, line, reason)
    number = () if context.site.asn is None else (f"AS{context.site.asn}",)
    said = " ".join("".join(page.text).split())
    for what in (operator.name, operator.abuse, *number, operator.jurisdiction):
        if " ".join(what.split()) not in said:
            yield Flaw(file.path, 1, f"the notice does not say {what!a}")
    for link in (operator.url, f"mailto:{operator.abuse}"):
        if link not in page.links:
            yield Flaw(file.path, 1, f"the notice does not lead to {link}")


FETCHING = "(@\\<"
"""What functions, rules such as @import, and escapes of names begin with in a style sheet (CSS)."""


class _Page(HTMLParser):
    def __init__(self, links: tuple[str, ...]) -> None:
        super().__init__()
        self.allowed = links
        self.links: set[str] = set()
        self.text: list[str] = []
        self.flaws: list[tuple[int, str]] = []
        self.styling = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        line = self.getpos()[0]
        self.styling = tag == "style"
        if tag not in TAGS:
            self.flaws.append((line, f"<{tag}> has no place in the notice"))
        for name, value in attrs:
            if name not in ATTRIBUTES.get(tag, set()):
                self.flaws.append((line, f"<{tag} {name}> has no place in the notice"))
            if name == "charset" and (value or "").lower() != "utf-8":
                self.flaws.append((line, f"the notice is UTF-8, and not {value}"))
            if name == "href":
                self.links.add(value or "")
                if value not in self.allowed:
                    self.flaws.append((line, f"the notice leads to {value}"))

    def handle_decl(self, decl: str) -> None:
        if decl.lower() != "doctype html":
            self._strange("declaration")

    def handle_comment(self, data: str) -> None:
        # Browsers and this reader disagree where a comment ends: <!--> is one already.
        self._strange("comment")

    def handle_pi(self, data: str) -> None:
        self._strange("instruction")

    def unknown_decl(self, data: str) -> None:
        self._strange("declaration")

    def _strange(self, what: str) -> None:
        self.flaws.append((self.getpos()[0], f"a {what} has no place in the notice"))

    def handle_endtag(self, tag: str) -> None:
        self.styling = False

    def handle_data(self, data: str) -> None:
        if not self.styling:
            self.text.append(data)
        elif any(char in data for char in FETCHING):
            self.flaws.append((self.getpos()[0], "the style could fetch something"))
