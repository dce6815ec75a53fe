"""Whatever is compressed comes out, or stops at a limit before it has cost much."""

import bz2
import io
import lzma
import os
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.damaged import Damaged
from firstboot.core.limits import SLACK, STREAMS, XZ_MEMORY, ZSTD_MEMORY, Unpacked
from image import decompress
from image.decompress import Packing

LARGE = Unpacked(1 << 40, 1 << 40)
PACK: dict[Packing, Callable[[bytes], bytes]] = {
    Packing.NONE: bytes,
    Packing.XZ: lambda data: lzma.compress(data, preset=0),
    Packing.ZSTD: lambda data: zstandard.ZstdCompressor().compress(data),
    Packing.BZIP2: bz2.compress,
}
PACKED = [one for one in PACK if one is not Packing.NONE]


def length(data: bytes, how: Packing, bounds: Unpacked = LARGE) -> int:
    """How many bytes come out; every chunk is as small as it should be."""
    total = 0
    for chunk in decompress.chunks(io.BytesIO(data), how, bounds):
        assert 0 < len(chunk) <= decompress.CHUNK
        total += len(chunk)
    return total


@pytest.mark.parametrize("how", PACK)
@given(parts=st.lists(st.binary(min_size=1, max_size=5000), min_size=1, max_size=3))
def test_one_stream_after_the_other_comes_out_whole(how: Packing, parts: list[bytes]) -> None:
    data = b"".join(map(PACK[how], parts))
    assert how is Packing.NONE or decompress.packing(data[:8]) is how
    assert b"".join(decompress.chunks(io.BytesIO(data), how, LARGE)) == b"".join(parts)


@pytest.mark.parametrize("how", PACK)
def test_every_compressed_byte_is_told(how: Packing) -> None:
    told: list[int] = []
    data = PACK[how](os.urandom(1_000_000))
    assert sum(map(len, decompress.chunks(io.BytesIO(data), how, LARGE, told.append))) == 1_000_000
    assert sum(told) == len(data)


@pytest.mark.parametrize("how", PACKED)
def test_a_stream_that_is_cut_off_is_refused(how: Packing) -> None:
    data = PACK[how](bytes(range(256)) * 20)
    for end in range(0, len(data), 7):
        with pytest.raises(Damaged):
            length(data[:end], how)


@pytest.mark.parametrize("how", PACKED)
def test_rubbish_behind_a_stream_is_refused(how: Packing) -> None:
    with pytest.raises(Damaged):
        length(PACK[how](b"data") + b"rubbish", how)


@pytest.mark.parametrize("how", PACK)
def test_it_stops_at_the_largest_size(how: Packing) -> None:
    assert length(PACK[how](bytes(1000)), how, Unpacked(1000, 1 << 40)) == 1000
    with pytest.raises(Damaged, match="more than 1000 bytes when decompressed"):
        length(PACK[how](bytes(1001)), how, Unpacked(1000, 1 << 40))


@pytest.mark.parametrize("how", PACKED)
def test_it_stops_where_little_becomes_much(how: Packing) -> None:
    data = PACK[how](bytes(SLACK + (8 << 20)))
    with pytest.raises(Damaged, match="more than 20 times as large"):
        length(data, how, Unpacked(1 << 40, 20))
    assert length(PACK[how](bytes(SLACK)), how, Unpacked(1 << 40, 20)) == SLACK


@pytest.mark.parametrize("how", PACKED)
def test_streams_of_nothing_come_to_an_end(how: Packing) -> None:
    data = PACK[how](b"") * (STREAMS + 1)
    with pytest.raises(Damaged, match=f"more than {STREAMS} (streams|frames)"):
        length(data, how)


def test_a_decoder_of_xz_takes_no_more_memory_than_it_may() -> None:
    usual = [{"id": lzma.FILTER_LZMA2, "preset": 9}]
    assert length(lzma.compress(b"x", filters=usual), Packing.XZ) == 1
    greedy = bytearray(lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "preset": 9}]))
    at = greedy.index(b"\x21\x01\x1c") + 2
    greedy[at] = 28 + 2 * ((XZ_MEMORY // (64 << 20)) + 1)
    crc = zlib.crc32(bytes(greedy[12:20]))
    greedy[20:24] = crc.to_bytes(4, "little")
    with pytest.raises(Damaged, match="Memory usage limit"):
        length(bytes(greedy), Packing.XZ)


def test_a_decoder_of_zstd_takes_no_more_memory_than_it_may() -> None:
    log = ZSTD_MEMORY.bit_length() - 1
    for window, refused in ((log, False), (log + 1, True)):
        settings = zstandard.ZstdCompressionParameters.from_level(1, window_log=window)
        stream = zstandard.ZstdCompressor(compression_params=settings).compressobj()
        data = stream.compress(b"x" * 1000) + stream.flush()
        assert zstandard.get_frame_parameters(data).window_size == 1 << window
        if refused:
            with pytest.raises(Damaged, match="too much memory"):
                length(data, Packing.ZSTD)
        else:
            assert length(data, Packing.ZSTD) == 1000


@pytest.mark.parametrize("how", PACKED)
@given(data=st.binary(max_size=300), change=st.data())
def test_altered_bytes_come_out_or_are_refused(
    how: Packing, data: bytes, change: st.DataObject
) -> None:
    packed = bytearray(PACK[how](data))
    at = change.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= change.draw(st.integers(1, 255))
    try:
        length(bytes(packed), how)
    except Damaged:
        return


def test_a_reader_gives_what_is_asked_for() -> None:
    reader = decompress.Reader(iter([b"abc", b"de"]))
    assert [reader.read(2) for _ in range(5)] == [b"ab", b"c", b"de", b"", b""]
