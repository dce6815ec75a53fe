"""The command `flash`: what it prints, what it asks, and the order of its steps."""

import sys
from collections.abc import Sequence
from pathlib import Path

from firstboot.core import document
from firstboot.core.output import say
from firstboot.core.refusal import Refusal
from firstboot.site.check import examine_text, refused, report
from image.flash import esp, medium, source
from image.flash.devices import Device, Host, find
from image.flash.safety import Target, accept, objections, size_of
from image.flash.source import Image
from image.flash.writing import write
from image.layout import SMALLEST_MIB

SITE = "site.yaml"
"""The file on the FAT partition that the box reads its site from."""


def list_disks(image: Path, host: Host) -> None:
    """Print the disks of this machine, each with the command that writes to it or the reason why it
    cannot be written."""
    needed = image.stat().st_size if image.is_file() else SMALLEST_MIB << 20
    say(table(find(host), needed))


def flash(image: Path, device: Path, site: Path | None, host: Host) -> None:
    """Write `image` to `device` after the user has typed the name of the device. `site`, if given,
    goes onto the FAT partition.

    Raises Refusal.
    """
    settings = checked_site(site) if site else None
    accept(device, 0, host)
    with source.open_image(image, lambda size: accept(device, size, host)) as opened:
        target = accept(device, opened.size, host)
        if target.device is None and image.exists() and image.samefile(target.path):
            raise Refusal(
                device,
                "this is the image itself",
                "Name the disk to write to",
            )
        if site and settings is not None:
            add_site(opened, settings, int(site.stat().st_mtime))
        block_map = opened.block_map()
        confirm(target)
        with medium.open_medium(target, host) as disk:
            verified = write(disk, opened.read, block_map, target.name)
    say(f"{target.path}: written; {verified >> 20} MiB were read back and are correct")


def checked_site(path: Path) -> bytes:
    """Print the findings of the site file at `path` and return its bytes. Raises Refusal if it has
    errors."""
    data = document.read(path)
    examined = examine_text(data, str(path))
    if examined.findings:
        say(report(examined))
    if examined.site is None or examined.errors:
        raise refused(examined, "Correct them and run the same command again")
    return data


def add_site(image: Image, data: bytes, time: int) -> None:
    at, length = image.disk.offset("efi"), image.disk.length("efi")

    def read(offset: int, size: int) -> bytes:
        return image.read(at + offset, size)

    pieces = esp.add_file(read, length, SITE, data, time)
    image.patch([(at + offset, piece) for offset, piece in pieces])


def confirm(target: Target) -> None:
    """Ask for the name of the target. Raises Refusal unless exactly that is typed."""
    say(describe(target))
    print(f"Everything on it will be lost. Type {target.name} to go on: ", end="", flush=True)
    typed = sys.stdin.readline().strip()
    if typed != target.name:
        typed_text = document.quote(typed) if typed else "nothing"
        raise Refusal(
            target.path,
            f"nothing was written, because {typed_text} was typed and not {target.name}",
            "Run the same command again if this is the right disk",
        )


def describe(target: Target) -> str:
    """Return what is known about a disk, so that a person can recognise it."""
    if target.device is None:
        return f"{target.path}: a file of {size_of(target.size)}"
    one = target.device
    place = "removable" if one.removable else "built in"
    told = [f"{target.path}: {size_of(one.size)}, {one.model or 'no name'}, {one.bus}, {place}"]
    if one.parts:
        told.append("It holds " + ", ".join(one.parts) + ".")
    return "\n".join(told)


def table(devices: Sequence[Device], needed: int) -> str:
    """Return one line for each disk; disks that can be written come first."""
    if not devices:
        return "This machine has no disk. Plug one in and run the same command again."
    judged = [(objections(one, needed), one) for one in devices]
    judged.sort(key=lambda pair: (bool(pair[0]), not pair[1].removable, pair[1].name))
    width = max(len(str(one.path)) for one in devices)
    model = max(len(one.model or "no name") for one in devices)
    lines = []
    for against, one in judged:
        if against:
            verdict = f"no: {'; '.join(against)}"
        elif one.removable:
            verdict = f"./exitisp flash {one.path}"
        else:
            verdict = f"built in, not in use: ./exitisp flash {one.path}"
        lines.append(
            f"{one.path!s:{width}}  {size_of(one.size):>9}  {one.model or 'no name':{model}}"
            f"  {one.bus:6}  {verdict}"
        )
    return "\n".join(lines)
