"""What is stored is what zlib reads, and no zlib decides how it looks."""

import zlib

import pytest

from image.freeze import stored


@pytest.mark.parametrize("size", [0, 1, 65534, 65535, 65536, 131070, 131071, 1 << 20])
def test_zlib_reads_what_is_stored(size: int) -> None:
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    written = stored.compress(data, 9)
    decoder = zlib.decompressobj()
    assert decoder.decompress(written) == data
    assert decoder.eof
    assert not decoder.unused_data


def test_the_bytes_are_those_of_the_format() -> None:
    assert stored.compress(b"abc") == bytes.fromhex("7801 01 0300 fcff 616263 024d0127")
