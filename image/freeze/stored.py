"""Data in zlib's format, without compression (RFC 1950; RFC 1951, section 3.2.4).

What zlib makes of the same bytes depends on its version and on who built it, and with it on the
Python of this host. These bytes depend on nothing, and an image is compressed as a whole.
"""

import struct
import zlib

LONGEST = 0xFFFF
"""Bytes of a block."""

HEAD = b"\x78\x01"
"""Deflate with a window of 32 KiB, without a dictionary."""


def compress(data: bytes, level: int = 0) -> bytes:
    """Return `data` in blocks that are stored, as `zlib.compress` does at best. `level` is not
    used."""
    blocks = (data[at : at + LONGEST] for at in range(0, len(data) or 1, LONGEST))
    last = max(len(data) - 1, 0) // LONGEST
    body = b"".join(
        struct.pack("<BHH", number == last, len(block), len(block) ^ 0xFFFF) + block
        for number, block in enumerate(blocks)
    )
    return HEAD + body + zlib.adler32(data).to_bytes(4)
