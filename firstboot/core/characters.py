"""From the bytes of a text file to text, and the characters in it that nobody can see.

Editors, word processors, web pages and mail programs put characters into a file that look like
others or like nothing. YAML keeps them as part of a value, or takes them for line breaks.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from firstboot.core.fault import Fault

CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff"
BREAK = "\x85\u2028\u2029"
BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
INVISIBLE = "\xad\u180e\u200b-\u200d\u2060-\u2064\ufeff\U000e0000-\U000e007f"
SPACE = "\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"

ODD = re.compile(f"[{CONTROL}{BREAK}{BIDI}{INVISIBLE}{SPACE}]")
"""Everything that a text must not have as it is; in YAML's double quotes it can be escaped."""

NAMES = {"\0": "a NUL character", "\x1b": "an escape character", "\ufeff": "a byte order mark"}

MOST_LINES = 5
"""Further lines that a message names."""


@dataclass(frozen=True, slots=True)
class Oddity:
    """What is wrong with a character, as a sentence about "it", and what to do."""

    name: str
    why: str
    remedy: str


def oddity(char: str) -> Oddity | None:
    """Why `char` must not be in a text, or None if it may."""
    if re.match(f"[{BIDI}]", char):
        why = "which nobody sees and which changes the order in which the text is shown"
    elif re.match(f"[{INVISIBLE}]", char):
        why = "which nobody sees"
    elif re.match(f"[{SPACE}]", char):
        return Oddity(name_of(char), "which is not the space of YAML", "Type a space in its place")
    elif re.match(f"[{BREAK}]", char):
        why = "which some programs take for the end of the line"
    elif unicodedata.category(char)[0] == "C" and char not in "\t\n\r":
        why = "which is not part of any text"
    else:
        return None
    return Oddity(name_of(char), why, "Delete it; typing the line anew is the surest way")


def name_of(char: str) -> str:
    """A character as people find it: ``a no-break space (U+00A0)``."""
    code = f"U+{ord(char):04X}"
    if char in NAMES:
        return f"{NAMES[char]} ({code})"
    name = unicodedata.name(char, "").lower()
    if not name:
        return f"the control character {code}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name} ({code})"


class NotText(Exception):
    """Bytes that are not UTF-8 text; `fault` says where and what to do."""

    def __init__(self, problem: str, remedy: str, line: int = 1, column: int = 0) -> None:
        super().__init__(problem)
        self.fault = Fault(line, (), problem, remedy, column)


def decode(data: bytes) -> str:
    """The text in `data`, UTF-8 with or without a byte order mark, its lines ended by ``\\n``.

    Raises NotText.
    """
    encoding = _wide(data)
    if encoding:
        raise NotText(f"the file is in {encoding}", "Save it in the encoding UTF-8")
    if data[:4] in (b"PK\x03\x04", b"%PDF", b"\x7fELF") or data[:2] == b"\x1f\x8b":
        raise NotText("this is not a text file", "Name the YAML file")
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _not_utf8(data, error.start) from error
    return re.sub("\r\n?", "\n", text)


def _wide(data: bytes) -> str:
    """The encoding of texts in units of two or four bytes, recognised by their NUL bytes."""
    if data[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return "UTF-32"
    even, odd = data[:200:2].count(0), data[1:200:2].count(0)
    half = len(data[:200]) // 2
    lopsided = half > 4 and abs(even - odd) > half // 2
    return "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") or lopsided else ""


def _not_utf8(data: bytes, at: int) -> NotText:
    line = data.count(b"\n", 0, at) + 1
    start = data.rfind(b"\n", 0, at) + 1
    column = len(data[start:at].decode(errors="replace")) + 1
    byte = data[at : at + 1]
    problem = f"the byte 0x{byte.hex()} is not UTF-8"
    char = byte.decode("cp1252", "replace")
    if char.isalpha():
        problem += f"; in Latin-1 (Windows-1252) it would be {char}"
    return NotText(problem, "Save the file in the encoding UTF-8", line, column)


def odd_characters(text: str) -> list[Fault]:
    """A fault for each kind of odd character in `text`, with the lines that have it.

    Odd spaces in comments do no harm and are left alone.
    """
    found: dict[str, list[tuple[int, int, str]]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        start = comment(line) if ODD.search(line) else 0
        for match in ODD.finditer(line):
            char = match[0]
            if re.match(f"[{SPACE}]", char) and match.start() > start:
                continue
            found.setdefault(char, []).append((number, match.start() + 1, line))
    return sorted(_odd_faults(found), key=lambda fault: (fault.line, fault.column))


def _odd_faults(found: dict[str, list[tuple[int, int, str]]]) -> Iterator[Fault]:
    for char, places in found.items():
        about = oddity(char)
        assert about is not None
        line, column, text = places[0]
        words = ODD.sub(" ", text[: column - 1]).split()
        after = f" after {words[-1]!r}" if words and words[-1].isprintable() else ""
        problem = f"there is {about.name}{after}, {about.why}"
        others = list(dict.fromkeys(str(place[0]) for place in places if place[0] != line))
        if others:
            more = ", ..." if len(others) > MOST_LINES else ""
            problem += f"; lines {', '.join(others[:MOST_LINES])}{more} have it too"
        yield Fault(line, (), problem, about.remedy, column)


def without_odd(text: str) -> str:
    """`text` as its author meant it, as far as can be known: to look for further mistakes."""
    text = re.sub(f"[{SPACE}{BREAK}]", " ", text)
    return ODD.sub("", text)


def comment(line: str) -> int:
    """The index at which the comment of `line` starts; its length if it has none."""
    opened = before = ""
    for at, char in enumerate(line):
        if opened:
            opened = "" if char == opened else opened
        elif char in "\"'" and (not before or before in ":-[{,"):
            opened = char
        elif char == "#" and (at == 0 or line[at - 1].isspace()):
            return at
        if not char.isspace():
            before = char
    return len(line)
