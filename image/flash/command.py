"""Put an image onto a disk: what the task prints, asks and does."""

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
"""Where the box looks for its site on the FAT partition."""


def list_disks(image: Path, host: Host) -> None:
    """Print the disks of this machine, and of each why it cannot be written, or how it can."""
    needed = image.stat().st_size if image.is_file() else SMALLEST_MIB << 20
    say(table(find(host), needed))


def flash(image: Path, device: Path, site: Path | None, host: Host) -> None:
    """Write `image` to `device` once its name was typed, with `site` on the FAT partition.

    Raises Refusal.
    """
    settings = checked_site(site) if site else None
    accept(device, 0, host)
    with source.opened(image) as opened:
        target = accept(device, opened.size, host)
        if target.device is None and image.exists() and image.samefile(target.path):
            raise Refusal(
                device,
                expected="another file than the image itself",
                found="the same one",
                remedy="name the disk to write to",
            )
        if site and settings is not None:
            put_site(opened, settings, int(site.stat().st_mtime))
        wanted = opened.map()
        confirm(target)
        with medium.opened(target) as disk:
            verified = write(disk, opened.read, wanted, target.name)
    say(f"{target.path}: written, {verified >> 20} MiB read back and found right")


def checked_site(path: Path) -> bytes:
    """The site file at `path`, its findings printed. Raises Refusal if it has errors."""
    data = document.read(path)
    examined = examine_text(data, str(path))
    if examined.findings:
        say(report(examined))
    if examined.site is None or examined.errors:
        raise refused(examined, "correct them and run the same command again")
    return data


def put_site(image: Image, data: bytes, time: int) -> None:
    at, length = image.disk.offset("efi"), image.disk.length("efi")

    def read(offset: int, size: int) -> bytes:
        return image.read(at + offset, size)

    pieces = esp.put(read, length, SITE, data, time)
    image.lay_over([(at + offset, piece) for offset, piece in pieces])


def confirm(target: Target) -> None:
    """Raises Refusal unless the target's name is typed."""
    say(describe(target))
    print(f"Everything on it will be lost. Type {target.name} to go on: ", end="", flush=True)
    typed = sys.stdin.readline().strip()
    if typed != target.name:
        raise Refusal(
            target.path,
            expected=f"{target.name} to be typed",
            found=document.quote(typed) if typed else "nothing",
            remedy="nothing was written; run the same command again if it is the right disk",
        )


def describe(target: Target) -> str:
    """What is known about a disk, for a person to tell whether it is the right one."""
    if target.device is None:
        return f"{target.path}: a file of {size_of(target.size)}"
    one = target.device
    place = "removable" if one.removable else "built in"
    told = [f"{target.path}: {size_of(one.size)}, {one.model or 'no name'}, {one.bus}, {place}"]
    if one.parts:
        told.append("It holds " + ", ".join(one.parts) + ".")
    return "\n".join(told)


def table(devices: Sequence[Device], needed: int) -> str:
    """A line for each disk, those that can be written first."""
    if not devices:
        return "There is no disk here. Plug one in and run the same command again."
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
            verdict = f"built in, nothing uses it: ./exitisp flash {one.path}"
        lines.append(
            f"{one.path!s:{width}}  {size_of(one.size):>9}  {one.model or 'no name':{model}}"
            f"  {one.bus:6}  {verdict}"
        )
    return "\n".join(lines)
