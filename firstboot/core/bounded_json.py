"""JSON of unknown origin: bounded in size and in what it becomes in memory, and text all through.

The author of a file decides how large it gets once it is read: three bytes of JSON can be an object
of a hundred. So the values are counted before the first one is made.
"""

import json
import math
from typing import Any

from firstboot.core.limits import Json

_STARTS = (b"[", b"{", b",", b":")
"""Each value but the first follows one of these."""


def read(data: bytes, bounds: Json, *, lenient: bool = False) -> Any:
    """Return what `data` says, if it is UTF-8 and within `bounds`.

    `lenient` takes what pkg(8) writes into comments: bytes that are not UTF-8, which become U+FFFD,
    and control characters. Raises ValueError, also for a name that an object has twice, for
    numbers that JSON does not have, and for half of a UTF-16 pair (``"\\ud800"``), which is no text
    and cannot be written.
    """
    if len(data) > bounds.size:
        raise ValueError(f"it has more than {bounds.size} bytes")
    if sum(map(data.count, _STARTS)) >= bounds.values:
        raise ValueError(f"it has more than {bounds.values} values")
    try:
        value = json.loads(
            data.decode(errors="replace" if lenient else "strict"),
            strict=not lenient,
            object_pairs_hook=_once,
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_whole,
        )
    except RecursionError:
        raise ValueError("lists and objects are nested too deeply") from None
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise ValueError(f"the byte 0x{byte:02x} at {error.start} is not UTF-8") from None
    if b"\\ud" in data or b"\\uD" in data:
        _refuse_half_pairs(value)
    return value


def _refuse_half_pairs(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ord(error.object[error.start])
        raise ValueError(f"\\u{half:04x} is half a character") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name is there twice")
    return made


LONGEST_NUMBER = 40
"""Digits. A number of some hundred is too large for a float, and nothing here counts so far."""


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"{text[:20]}... is larger than any number here")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is larger than any number here")
    return number


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")
