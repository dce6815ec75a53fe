"""The block map of an image, for programs that write the blocks that matter and no others.

Format: bmap 2.0, as bmaptool(1) reads it: XML, ranges of blocks of 4096 bytes, each with the
SHA-256 of its bytes, and one of the whole text in which 64 zeros stand for itself.
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


def render(wanted: BlockMap, read: Read, tell: Advance = lambda _: None) -> str:
    """The block map of the image that `read` reads.

    What has to read as zeros is among the blocks to be written: a disk may have been used before.
    `tell` is told how many bytes were hashed.
    """
    spans = union([*wanted.data, *wanted.zero])
    text = HEAD.format(
        size=wanted.size,
        block=BLOCK,
        blocks=-(-wanted.size // BLOCK),
        mapped=-(-total(spans) // BLOCK),
        sum=NO_SUM,
    )
    text += "".join(_ranges(spans, read, tell)) + TAIL
    return text.replace(NO_SUM, hashlib.sha256(text.encode()).hexdigest(), 1)


def _ranges(spans: tuple[Span, ...], read: Read, tell: Advance) -> Iterator[str]:
    for first, end in spans:
        state = hashlib.sha256()
        for at, length in chunks([(first, end)], CHUNK):
            state.update(read(at, length))
            tell(length)
        blocks = f"{first // BLOCK}-{-(-end // BLOCK) - 1}"
        yield f'        <Range chksum="{state.hexdigest()}"> {blocks} </Range>\n'
