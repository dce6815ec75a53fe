"""The words of pf.conf, statement by statement.

pfctl's own reader lets a backslash continue a line, even one that is a comment, replaces macros
and includes files. None of that is rendered, and what is not rendered is not read: it is a mistake.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from firstboot.site.verify.pf.rules import Mistake

TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"[^"\\]*")
      | (?P<table><[A-Za-z0-9_.-]+>)
      | (?P<operator><=|>=|!=|<>|><|[{}()!=<>,/])
      | (?P<word>[A-Za-z0-9_.:*+-]+)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One logical line. A string keeps its quotes, so that it is never taken for a word."""

    line: int
    words: tuple[str, ...]


def statements(text: str) -> Iterator[Statement | Mistake]:
    """Raises nothing: what cannot be read is a `Mistake`."""
    # str.splitlines() breaks lines where pfctl does not: at form feeds and the like.
    for number, line in enumerate(text.split("\n"), 1):
        if unreadable := re.search(r"[^\x20-\x7e\t]", line):
            yield Mistake(number, f"the character {unreadable[0]!a} has no place in pf.conf")
            continue
        if "\\" in line:
            yield Mistake(number, "a backslash continues the line, a comment as well")
            continue
        words, at = [], 0
        said = _without_comment(line).strip()
        while at < len(said):
            match = TOKEN.match(said, at)
            if match is None:
                yield Mistake(number, f"cannot be read from {said[at:].strip()[:20]!a} on")
                break
            words.append(match[0].strip())
            at = match.end()
        else:
            if words:
                yield Statement(number, tuple(words))


def _without_comment(line: str) -> str:
    """The line up to the first # outside of a string."""
    quoted = False
    for at, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == "#" and not quoted:
            return line[:at]
    return line
