"""The block map of an image, for programs that write only the blocks that matter.

Format: bmap 2.0, as bmaptool(1) reads it. It is XML: ranges of blocks of 4096 bytes, each with the
SHA-256 of its bytes, and the SHA-256 of the whole text with 64 zeros in place of itself.
"""

import hashlib
from collections.abc import Iterator

from image.flash.blockmap import BLOCK, BlockMap
from image.flash.free import Read
from image.flash.spans import Span, chunks, total, union
from image.progress import Advance

CHUNK = 1 << 20
NO_SUM = "0" * 64

HEAD = """\
<?xml version="1.0" ?>
<bmap version="2.0">
    <ImageSize> {size} </ImageSize>
    <BlockSize> {block} </BlockSize>
    <BlocksCount> {blocks} </BlocksCount>
    <MappedBlocksCount> {mapped} </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> {sum} </BmapFileChecksum>
    <BlockMap>
"""
TAIL = """\
    </BlockMap>
</bmap>
"""


def render(block_map: BlockMap, read: Read, advance: Advance = lambda _: None) -> str:
    """Return the block map of the image that `read` reads.

    Blocks that must read as zeros are included, because the disk may have been used before.
    `advance` is called with the number of bytes that were hashed.
    """
    spans = union([*block_map.data, *block_map.zero])
    text = HEAD.format(
        size=block_map.size,
        block=BLOCK,
        blocks=-(-block_map.size // BLOCK),
        mapped=-(-total(spans) // BLOCK),
        sum=NO_SUM,
    )
    text += "".join(_ranges(spans, read, advance)) + TAIL
    return text.replace(NO_SUM, hashlib.sha256(text.encode()).hexdigest(), 1)


def _ranges(spans: tuple[Span, ...], read: Read, advance: Advance) -> Iterator[str]:
    for first, end in spans:
        state = hashlib.sha256()
        for at, length in chunks([(first, end)], CHUNK):
            state.update(read(at, length))
            advance(length)
        blocks = f"{first // BLOCK}-{-(-end // BLOCK) - 1}"
        yield f'        <Range chksum="{state.hexdigest()}"> {blocks} </Range>\n'
