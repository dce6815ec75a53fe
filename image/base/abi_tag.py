"""For which system a program was made: its ABI tag, a note named FreeBSD of type 1
(NT_FREEBSD_ABI_TAG, ``<sys/elf_common.h>``) with a number of 4 bytes, little-endian."""

import io

from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment

from firstboot.core.refusal import Refusal
from image.elf_errors import DAMAGE

ABI_TAG = (1, "NT_GNU_ABI_TAG")
"""Its type; pyelftools calls it by the name that GNU has for that number."""


def system_number(data: bytes, name: str) -> int | None:
    """Return ``__FreeBSD_version`` of the system that the program `name` was made for; None without
    a tag. Raises Refusal for what is no whole ELF file."""
    try:
        for segment in ELFFile(io.BytesIO(data)).iter_segments():
            if isinstance(segment, NoteSegment):
                for note in segment.iter_notes():
                    if note["n_name"] == "FreeBSD" and note["n_type"] in ABI_TAG:
                        return int.from_bytes(note["n_descdata"][:4], "little")
    except DAMAGE as error:
        raise Refusal(
            name, f"this is no whole ELF file ({error})", "Fetch the base system again"
        ) from error
    return None
