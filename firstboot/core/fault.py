"""A mistake in a document's form, and how keys and values are spelled in messages."""

import re
from dataclasses import dataclass

from firstboot.core.guessing import strength

Key = tuple[str | int, ...]
"""The place of a value: ``("peers", 0, "asn")``."""

LONGEST_SHOWN = 60
"""Characters of a value that a message shows."""

SECRET = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[!-~]{12,200}")
SECRET_BITS = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake. `line` and `column` count from 1; column 0 stands for the whole line.

    `problem` is a sentence without its full stop, `remedy` one or more in the imperative.
    """

    line: int
    key: Key
    problem: str
    remedy: str
    column: int = 0


def spell(key: Key) -> str:
    """Write a key as people do: ``("files", 3, "mode")`` is ``files[3].mode``."""
    text = "".join(
        f"[{part}]" if isinstance(part, int) else f".{shown(unsecret(part))}" for part in key
    )
    return text.removeprefix(".")


def shown(text: str) -> str:
    """`text` in printable characters, cut after LONGEST_SHOWN."""
    printable = "".join(char if char.isprintable() else "?" for char in text[:LONGEST_SHOWN])
    return printable + ("..." if len(text) > LONGEST_SHOWN else "")


def quote(text: str) -> str:
    """`text` in quotes, printable and cut."""
    return f"'{shown(text)}'"


def quote_value(text: str) -> str:
    """`text` in quotes as `quote` writes it, unless it looks like a password or a session secret.

    People put secrets under the wrong key, and messages end up in tickets and logs.
    """
    if looks_secret(text):
        return f"a text of {len(text)} characters, not shown because it looks like a secret,"
    return quote(text)


def looks_secret(text: str) -> bool:
    """Whether `text` is one word of mixed letters and digits that looks random."""
    if "PRIVATE KEY" in text:
        return True
    return bool(SECRET.fullmatch(text)) and "://" not in text and strength(text, []) >= SECRET_BITS


def unsecret(text: str) -> str:
    """`text`, or ``...`` if a word of it looks like a secret."""
    secret = any(map(looks_secret, re.split(r"[\s:,\[\]{}\"']+", text)))
    return "..." if secret else text


def listed(words: list[str], last: str = "and") -> str:
    """``a, b and c``."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
