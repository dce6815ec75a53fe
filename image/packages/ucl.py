"""The part of UCL that pkg's small files need: texts and numbers by key.

``meta.conf`` and the files of fingerprints are flat: ``version = 2;``, ``function: "sha256"``,
or the same as JSON. Objects and lists in them are skipped. Source: libucl's README.
"""

import json
import re

from firstboot.core.limits import UCL
from firstboot.core.refusal import Refusal

_COMMENT = re.compile(r"^[ \t]*#[^\n]*|/\*.*?\*/", re.MULTILINE | re.DOTALL)
_STRING = r'"(?:[^"\\\n]|\\.)*"'
_KEY = re.compile(rf"({_STRING}|[A-Za-z0-9_.-]+)[ \t]*[=:]?[ \t]*")
_SPACE = re.compile(r"[\s;,]*")
_VALUE = re.compile(rf"{_STRING}|[^;,\n{{}}\[\]\"]*")
_NESTED = re.compile(rf"{_STRING}|[^\"]", re.DOTALL)


def parse(data: bytes, where: str) -> dict[str, str]:
    """Return the texts and numbers at the top of a UCL document. Raises Refusal if malformed."""
    if len(data) > UCL:
        raise Refusal(where, f"larger than {UCL} bytes", "Use another repository")
    text = _COMMENT.sub("", data.decode("utf-8", "replace")).strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    found = {}
    at = _skip(text, 0)
    while at < len(text):
        key = _KEY.match(text, at)
        if not key:
            raise _malformed(where, text, at)
        at = key.end()
        if text[at : at + 1] in ("{", "["):
            at = _pass_over(text, at, where)
        else:
            value = _VALUE.match(text, at)
            if not value or not value[0].strip():
                raise _malformed(where, text, at)
            found[_plain(key[1], where)] = _plain(value[0].strip(), where)
            at = value.end()
        at = _skip(text, at)
    return found


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space
    return space.end()


def _pass_over(text: str, at: int, where: str) -> int:
    """Return the end of the object or list that begins at `at`."""
    depth = 0
    for part in _NESTED.finditer(text, at):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(part[0], 0)
        if not depth:
            return part.end()
    raise _malformed(where, text, at)


def _plain(text: str, where: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError as error:
        raise _malformed(where, text, 0) from error


def _malformed(where: str, text: str, at: int) -> Refusal:
    return Refusal(
        where,
        f"'{text[at : at + 40]}' is not UCL, such as version = 2;",
        "Fetch it again. If that does not help, the repository is broken",
    )
