"""One value of a document from its text, and what people write in its place.

A scalar is read by the type that the shape asks for, never by YAML's guess: ``no`` is a perfectly
good text and ``1.10`` a version. What YAML 1.1 would read as another number (``012``, ``1:30``) is
refused where a number is expected.
"""

import difflib
import enum
import re
from typing import Any

from firstboot.core.fault import listed, quote, quote_value

BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
SYNONYMS = {"y": "yes", "1": "yes", "enabled": "yes", "n": "no", "0": "no", "disabled": "no"}

SAME_UNITS = (
    "mbit",
    "mbit/s",
    "mbps",
    "mib",
    "mb",
    "bytes",
    "byte",
    "b",
    "routes",
    "relays",
    "hops",
)
"""Those in which keys have their numbers."""


class Malformed(ValueError):
    """A text that is not the value that is expected.

    ``str()`` is what is expected, with an article and perhaps an example: "an AS number, such as
    64511". Where the mistake is a known one, `problem` says what it is and `write` what was
    probably meant.
    """

    def __init__(self, expected: str, problem: str = "", write: str = "") -> None:
        super().__init__(expected)
        self.problem = problem
        self.write = write


def convert(text: str, shape: Any) -> Any:
    """The value of `text` as `shape`. Raises Malformed, or what a `parse` method raises."""
    if shape is str:
        return text
    if shape is bool:
        return _boolean(text)
    if shape is int:
        return _integer(text)
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        return _member(text, shape)
    return shape.parse(text)


def sentences(text: str, error: ValueError, *, secret: bool) -> tuple[str, str]:
    """The problem and the remedy for `text`, which `convert` refused with `error`."""
    what, _, such = str(error).partition(", such as ")
    problem, write = getattr(error, "problem", ""), getattr(error, "write", "")
    if secret:
        return f"the value is not {what}", "Correct it; it is not shown because it is a secret"
    said = problem or f"{quote_value(text)} is not {what}"
    if write:
        return said, f"Write {write}"
    return said, f"Write {what}, such as {such}" if such else f"Write {what}"


def expectation(shape: Any) -> str:
    """What a scalar of `shape` has to be, with an article."""
    if isinstance(shape, type) and issubclass(shape, enum.Enum):
        return "one of " + listed([str(member.value) for member in shape], "or")
    plain = {str: "a text", int: "a whole number", bool: "yes or no"}
    if shape in plain:
        return plain[shape]
    try:
        shape.parse("")
    except ValueError as error:
        return str(error).partition(", such as ")[0]
    return "a text"


def _boolean(text: str) -> bool:
    if text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    raise Malformed("yes or no", write=SYNONYMS.get(text.lower(), ""))


def _integer(text: str) -> int:
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,19})", text):
        return int(text)
    expected = "a whole number"
    if re.fullmatch(r"[+-]?0[0-9]{1,19}", text):
        problem = f"{quote(text)} has a zero in front, with which YAML reads an octal number"
        raise Malformed(expected, problem, str(int(text)))
    if re.fullmatch(r"0x[0-9a-fA-F]{1,16}|0o[0-7]{1,20}|0b[01]{1,64}", text):
        problem = f"{quote(text)} is not in decimal digits"
        raise Malformed(expected, problem, str(int(text, 0)))
    if re.fullmatch(r"[0-9]{1,9}(:[0-5]?[0-9])+", text):
        raise Malformed(
            expected, f"{quote(text)} has a colon, with which YAML reads minutes and seconds"
        )
    if re.fullmatch(r"\+?[0-9]{1,15}\.0*", text):
        raise Malformed(expected, write=text.lstrip("+").partition(".")[0])
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?[eE]\+?[0-9]", text) and float(text).is_integer():
        raise Malformed(expected, write=str(int(float(text))))
    if re.fullmatch(r"\+[0-9]{1,19}|[0-9]{1,3}([_', ][0-9]{3})+|[0-9_]{3,19}", text):
        raise Malformed(expected, write=re.sub(r"\D", "", text))
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*", text):
        raise Malformed(expected, f"{quote(text)} is a date, not a whole number")
    unit = re.fullmatch(r"([0-9]{1,19}) ?([A-Za-z/]{1,20})", text)
    if unit:
        same = unit[2].lower() in SAME_UNITS
        problem = f"{quote(text)} has a unit behind the number"
        raise Malformed(
            expected, problem, unit[1] if same else "the number alone, in the key's unit"
        )
    if re.fullmatch(r"[0-9]{1,15}[.,][0-9]{1,15}", text):
        raise Malformed(expected, f"{quote(text)} is not a whole number: it has a fraction")
    raise Malformed(expected)


def _member(text: str, shape: type[enum.Enum]) -> enum.Enum:
    values = {str(member.value): member for member in shape}
    if text in values:
        return values[text]
    plain = re.sub(r"[\s_]+", "-", text.strip().lower())
    near = [plain] if plain in values else difflib.get_close_matches(plain, values, 1, 0.7)
    raise Malformed(expectation(shape), write=near[0] if near else "")
