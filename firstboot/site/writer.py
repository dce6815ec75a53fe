"""A site as the YAML file that it is read from, with a comment for every key.

Keys that the site leaves to their defaults are written as comments, so that the file shows what can
be set. `model.load` reads an equal site from what `compose` writes. Texts are quoted wherever YAML
would read something else in them; secrets always are.
"""

import dataclasses
import re
import textwrap
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

import yaml

from firstboot.core.keys import about, default_of, name_of
from firstboot.site.model import Site

WIDTH = 98
SHORT = 90
"""Characters; a list that is longer has a line for each item."""

HEADER = """\
The site: everything that makes this exit ISP this one. The configuration of every daemon is made
from this file and never edited. `./exitisp check` judges the file, `./exitisp render` shows what is
made from it. It holds secrets: keep its mode at 0600.
"""

LONGEST_KEY = 1000
"""Characters; YAML needs a question mark before a key of more than 1024."""


def compose(site: Site) -> str:
    """Write the file that `site` is read from. It holds secrets, so its mode must be 0600."""
    parts = [_comment(HEADER)]
    for field in dataclasses.fields(site):
        parts.append(_field(site, field, explain=True, complete=False))
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _record(record: Any, explain: bool, complete: bool) -> list[str]:
    """The lines of a dataclass's fields; with `complete`, defaults are written as values."""
    fields = dataclasses.fields(record)
    return [line for field in fields for line in _field(record, field, explain, complete)]


def _field(record: Any, field: dataclasses.Field[Any], explain: bool, complete: bool) -> list[str]:
    value = getattr(record, field.name)
    left_out = not complete and value == default_of(field)
    lines = _entry(field, value, explain, complete or left_out)
    if left_out:
        lines = [f"# {line}".rstrip() for line in lines] if explain else []
    return [*_comment(about(field).explanation), *lines] if explain else lines


def _entry(field: dataclasses.Field[Any], value: Any, explain: bool, complete: bool) -> list[str]:
    name = name_of(field)
    if dataclasses.is_dataclass(value):
        return [f"{name}:", *_indented(_record(value, explain, complete))]
    if isinstance(value, dict) and value:
        return [f"{name}:", *_indented(line for pair in value.items() for line in _pair(*pair))]
    if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        return [f"{name}:", *_indented(_records(value, explain))]
    if isinstance(value, tuple) and value:
        items = [_scalar(item) for item in value]
        in_one_line = f"{name}: [{', '.join(items)}]"
        if len(in_one_line) <= SHORT:
            return [in_one_line]
        return [f"{name}:", *_indented(f"- {item}" for item in items)]
    if isinstance(value, str) and about(field).secret:
        return [f"{name}: {_quoted(value)}"]
    return [f"{name}: {_scalar(value)}".rstrip()]


def _records(records: tuple[Any, ...], explain: bool) -> Iterator[str]:
    """The lines of a list of dataclasses; only the first has comments and defaults."""
    for at, record in enumerate(records):
        dashed = False
        if at:
            yield ""
        for line in _record(record, explain and at == 0, complete=False):
            first = not dashed and not line.startswith("#")
            dashed = dashed or first
            yield f"- {line}" if first else f"  {line}" if dashed else line
        if not dashed:
            yield "- {}"


def _pair(key: str, value: str) -> list[str]:
    name = _scalar(key)
    if len(name) > LONGEST_KEY:
        return [f"? {name}", f": {_scalar(value)}"]
    return [f"{name}: {_scalar(value)}"]


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return _scalar(value.value)
    if value in ((), {}):
        return "{}" if value == {} else "[]"
    text = str(value)
    return text if isinstance(value, int) or _is_plain(text) else _quoted(text)


_PLAIN = re.compile(
    r"[A-Za-z0-9/](?:[A-Za-z0-9./_@+*;()=-]|:(?=[A-Za-z0-9/*])| (?=[A-Za-z0-9*(]))*"
)


def _is_plain(text: str) -> bool:
    """Whether YAML reads `text` as itself and as text, inside of brackets too."""
    if not _PLAIN.fullmatch(text):
        return False
    guesses = yaml.SafeLoader.yaml_implicit_resolvers.get(text[0], [])
    return not any(guess.match(text) for _, guess in guesses)


def _quoted(text: str) -> str:
    return '"' + "".join(_character(char) for char in text) + '"'


def _character(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH - 6, break_on_hyphens=False)]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}".rstrip() for line in lines]
