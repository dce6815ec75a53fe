"""Write a whole disk into a file: boot programs, file systems and partition table."""

import os
from pathlib import Path

from firstboot.core.boot_places import UEFI_PROGRAM, efi_program
from firstboot.core.refusal import Refusal
from image import fat, gpt, ufs2
from image.atomic_files import place
from image.layout import Layout, too_large
from image.populate import incomplete
from image.progress import Advance, step
from image.tree import Tree, directory


def write(path: Path, disk: Layout, tree: Tree, time: int) -> None:
    """Write the whole disk to the new file `path`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        os.ftruncate(descriptor, disk.size)
        write_efi(descriptor, disk, tree, time)
        boot = boot_program(tree, "boot/gptboot")
        if len(boot) > disk.length("boot"):
            raise Refusal(
                "/boot/gptboot",
                f"{len(boot)} bytes; its partition has {disk.length('boot')}",
                "Use the sets of a release that this version knows",
            )
        place(descriptor, disk.offset("boot"), boot)
        empty = Tree(directory(mtime=time))
        with step("Write the image", tree.content_size) as advance:
            write_slot(descriptor, disk, tree, time, advance)
            for label, volume in (("rootB", ""), ("cfg", "cfg")):
                ufs2.write(
                    descriptor,
                    disk.offset(label),
                    disk.length(label),
                    empty,
                    label=volume,
                    time=time,
                )
        gpt.write(descriptor, disk.table, boot_program(tree, "boot/pmbr"))
    finally:
        os.close(descriptor)


def write_slot(descriptor: int, disk: Layout, tree: Tree, time: int, advance: Advance) -> None:
    try:
        ufs2.write(
            descriptor,
            disk.offset("rootA"),
            disk.length("rootA"),
            tree,
            time=time,
            advance=advance,
        )
    except ValueError as error:
        raise too_large(str(error)) from error
    except EOFError as error:
        raise Refusal(
            "the root tree",
            f"a file changed while the image was made: {error}",
            "Run the same command again",
        ) from error


def write_efi(descriptor: int, disk: Layout, tree: Tree, time: int) -> None:
    """Write the FAT file system that UEFI starts from."""
    name = efi_program("boot/gptboot.efi" in tree)
    volume = fat.Volume(
        "EXITISP",
        disk.length("efi"),
        disk.table.identifier.fields[0],
        time,
        disk.offset("efi") // gpt.BLOCK,
    )
    files = {UEFI_PROGRAM: boot_program(tree, name)}
    fat.write(descriptor, disk.offset("efi"), volume, files)


def boot_program(tree: Tree, path: str) -> bytes:
    """Return the content of a boot program of the base. Raises Refusal if it is missing."""
    if path not in tree:
        raise incomplete("base.txz", path)
    return tree[path].content.read()
