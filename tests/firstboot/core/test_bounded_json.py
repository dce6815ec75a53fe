import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core import bounded_json
from firstboot.core.limits import Json

BOUNDS = Json(1000, 50)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


@given(values)
def test_what_json_writes_is_read_again(value: Any) -> None:
    assert bounded_json.read(json.dumps(value).encode(), Json(1 << 20, 1000)) == value


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b'"' + b"x" * 1000 + b'"', "more than 1000 bytes"),
        (b"[" + b"[]," * 49 + b"[]]", "more than 50 values"),
        (b'{"a":1,"a":2}', "a name is there twice"),
        (b"[NaN]", "NaN is not a number"),
        (b"[-Infinity]", "-Infinity is not a number"),
        (b"[-" + b"9" * 400 + b"]", r"-9+\.\.\. is larger than any number"),
        (b"[1e999]", "1e999 is larger than any number"),
        (b"[-1.5E+400]", r"-1.5E\+400 is larger than any number"),
        (b'["\xff"]', "0xff at 2 is not UTF-8"),
        (b"", "Expecting value"),
        (b'{"a":', "Expecting value"),
    ],
)
def test_what_is_not_such_a_document_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        bounded_json.read(data, BOUNDS)


@pytest.mark.parametrize("text", [r"\ud800", r"\uDFFF", r"\ude00\ud83d", r"x\ud83dy"])
@pytest.mark.parametrize("place", ['["%s"]', '{"%s": 1}', '{"a": {"b": ["%s"]}}'])
def test_half_a_character_is_refused_wherever_it_stands(text: str, place: str) -> None:
    with pytest.raises(ValueError, match="is half a character"):
        bounded_json.read((place % text).encode(), BOUNDS)


def test_a_whole_pair_is_one_character() -> None:
    assert bounded_json.read(rb'["\ud83d\ude00", "\\ud800"]', BOUNDS) == ["\U0001f600", "\\ud800"]


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_depth_without_end_is_refused(brackets: str) -> None:
    opened = '{"a":' if brackets == "{}" else "["
    data = (opened * 100_000 + "1" + brackets[1] * 100_000).encode()
    with pytest.raises(ValueError, match="nested too deeply"):
        bounded_json.read(data, Json(1 << 20, 1 << 20))


def test_a_lenient_reader_takes_what_pkg_writes_into_comments() -> None:
    data = b'["caf\xe9\x01"]'
    assert bounded_json.read(data, BOUNDS, lenient=True) == ["caf\ufffd\x01"]
    with pytest.raises(ValueError, match="not UTF-8"):
        bounded_json.read(data, BOUNDS)
