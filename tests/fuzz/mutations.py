"""Inputs that are almost good: a seed with up to four changes."""

from collections.abc import Sequence

from hypothesis import strategies as st

TOKENS = (
    *(b"", b"\0", b"\n", b" ", b"\t", b"%", b"'", b'"', b"\\", b"/", b"..", b"-", b"=", b":"),
    *(b"{" * 40, b"[" * 40, b"}", b"]", b"()", b"<", b"&#0;", b"#", b"$(", b"`", b"\r"),
    *(
        b"0",
        b"-1",
        b"4294967296",
        b"9" * 30,
        b"9" * 400,
        b"9" * 5000,
        b"1e999",
        b"0x",
        b"NaN",
        b"null",
    ),
    *(b"\xff" * 8, b"\x80", b"\xed\xa0\x80", b"\\ud800", "²".encode(), "٣".encode()),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\x7fELF", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"),
    *(b"\0" * 512, b"a" * 5000),
)
"""What readers have stumbled over: ends, quotes, depths, numbers, half characters, magics."""


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from((0, 1, 2, 4, 8, 64)))
        match draw(st.sampled_from(("token", "bytes", "cut", "drop", "twice", "splice"))):
            case "token":
                data = data[:at] + draw(st.sampled_from(TOKENS)) + data[at + length :]
            case "bytes":
                data = data[:at] + draw(st.binary(max_size=8)) + data[at + length :]
            case "cut":
                data = data[:at]
            case "drop":
                data = data[:at] + data[at + length :]
            case "twice":
                data = data[: at + length] + data[at:]
            case _:
                data = data[:at] + draw(st.sampled_from(seeds))[at:]
    return data
