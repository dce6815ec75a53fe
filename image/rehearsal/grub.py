"""The boot programs: GRUB for a BIOS and for UEFI, made without a disk and without root.

For a BIOS there are two: boot.img in the first block of the disk reads the first block of core.img,
and that block (diskboot.img) reads the rest. The block numbers are written into both, as
grub-bios-setup(8) does (include/grub/i386/pc/boot.h of GRUB; numbers are little-endian):

    boot.img   0x5c  the block of core.img                    64 bits
               0x66  two bytes of 0x90: take the drive that the BIOS names
    core.img   0x1f4 the block after its first one            64 bits
"""

import struct
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.boot_places import BOOT_CODE
from image.gpt import BLOCK
from image.rehearsal.tools import Tools

CORE_AT = 0x5C
DRIVE_CHECK_AT = 0x66
REST_AT = BLOCK - 12
NO_CHECK = b"\x90\x90"

COMMON = ("part_gpt", "fat", "search", "search_fs_uuid", "linux", "echo", "serial", "terminal")
MODULES = {"i386-pc": ("biosdisk", *COMMON), "x86_64-efi": ("all_video", *COMMON)}

FOLDERS = tuple(f"usr/lib/grub/{kind}" for kind in MODULES)
MKIMAGE = "usr/bin/grub-mkimage"

KERNEL, ROOT = "exitisp/vmlinuz", "exitisp/root.zst"
"""Paths of the kernel and of its initial root in the EFI partition."""

COMMAND_LINE = "console=tty0 console=ttyS0,115200 quiet loglevel=4 panic=30 net.ifnames=0"

SCRIPT = """\
{terminal}echo REHEARSAL: exitisp on Linux, not for the Internet
search --no-floppy --fs-uuid --set=root {volume}
linux /{kernel} {command_line}
initrd /{root}
boot
"""

SERIAL = """\
serial --unit=0 --speed=115200
terminal_output console serial
"""
"""Only for a BIOS, whose console is the screen alone. UEFI also sends its console to the serial
line."""


@dataclass(frozen=True, slots=True)
class BootPrograms:
    """`first` is the code of the first block (440 bytes), `core` the content of the partition for a
    BIOS, `efi` the program that UEFI starts."""

    first: bytes
    core: bytes
    efi: bytes


def make(tools: Tools, volume: int, core_lba: int) -> BootPrograms:
    """Make the boot programs of a disk. `volume` is the serial number of its EFI partition;
    core.img lies at the block `core_lba`. Raises Refusal."""
    first = (tools.root / "usr/lib/grub/i386-pc/boot.img").read_bytes()
    core = image(tools, "i386-pc", volume)
    return BootPrograms(
        placed_first(first, core_lba),
        placed_core(core, core_lba),
        image(tools, "x86_64-efi", volume),
    )


def image(tools: Tools, kind: str, volume: int) -> bytes:
    """Make GRUB with its modules and the script that it runs at once."""
    script = SCRIPT.format(
        terminal=SERIAL if kind == "i386-pc" else "",
        volume=f"{volume >> 16:04X}-{volume & 0xFFFF:04X}",
        kernel=KERNEL,
        root=ROOT,
        command_line=COMMAND_LINE,
    )
    config = tools.root / f"{kind}.cfg"
    config.write_text(script)
    folder = tools.root / "usr/lib/grub" / kind
    output = Path(f"{config}.img")
    tools.run(
        MKIMAGE,
        *("-O", kind, "-d", str(folder), "-p", "/", "-c", str(config), "-o", str(output)),
        *MODULES[kind],
    )
    return output.read_bytes()


def placed_first(boot: bytes, core_lba: int) -> bytes:
    code = bytearray(boot[:BOOT_CODE])
    struct.pack_into("<Q", code, CORE_AT, core_lba)
    code[DRIVE_CHECK_AT : DRIVE_CHECK_AT + len(NO_CHECK)] = NO_CHECK
    return bytes(code)


def placed_core(core: bytes, core_lba: int) -> bytes:
    code = bytearray(core)
    struct.pack_into("<Q", code, REST_AT, core_lba + 1)
    return bytes(code)
