"""Which answers of a site a line of a rendered file came from.

Templates put values into lines, so the answers are those whose values are in the line as whole
words, the rarest first. A line without any is named after the nearest line above it that has some.
What a value is said to be is never told, for it may be a secret.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator
from enum import Enum
from typing import Any

from firstboot.core.document import Document, Key, spell
from firstboot.site.model import Site

MOST = 3
"""Answers that a message names."""

SHORTEST = 3
"""Characters of a value; 1 and no are in every file."""


def origin(site: Document[Site], text: str, line: int) -> str:
    """The answers that line number `line` of the rendered `text` came from, as a person finds them:
    ``peers[0].asn (site.yaml:31)``; "" if no line up to there has any."""
    values = list(_values(site.value, ()))
    often = Counter(value for _, value in values)
    values.sort(key=lambda pair: (often[pair[1]], -len(pair[1])))
    for said in reversed(text.splitlines()[:line]):
        keys = list(dict.fromkeys(key for key, value in values if _has(said, value)))
        if keys:
            return " and ".join(f"{spell(key)} ({site.where(*key)})" for key in keys[:MOST])
    return ""


def _has(line: str, value: str) -> bool:
    """`{n}` in a value stands for a number."""
    pattern = re.escape(value).replace(re.escape("{n}"), "[0-9]+")
    return re.search(rf"(?<![\w.:]){pattern}(?![\w:]|\.\w)", line) is not None


def _values(part: Any, key: Key) -> Iterator[tuple[Key, str]]:
    """Every scalar of the site, in the forms in which templates print it."""
    if dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            yield from _values(getattr(part, field.name), (*key, field.name))
    elif isinstance(part, tuple):
        for at, item in enumerate(part):
            yield from _values(item, (*key, at))
    elif isinstance(part, Enum):
        yield from _values(part.value, key)
    elif part is not None and not isinstance(part, bool | dict):
        for form in (part, getattr(part, "ip", "")):
            if len(str(form)) >= SHORTEST:
                yield key, str(form)
