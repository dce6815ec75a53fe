"""A stick that held another box boots as a new one and finds the site it was given."""

import hashlib
import os
from pathlib import Path

import pytest

from image import gpt, ufs2
from image.flash import medium, source
from image.flash.command import add_site
from image.flash.devices import Host
from image.flash.safety import Target
from image.flash.writing import write
from image.layout import Layout
from image.tree import Tree, directory, file
from qemu.console_patterns import LOGIN
from qemu.disk import Bus
from qemu.firmware import Firmware
from tests.boot.conftest import BOOT, STICK, Real, machine, real, sets, transcripts
from tests.command import ROOT

__all__ = ["real", "sets"]

MIB = 1 << 20
SITE = (ROOT / "examples/one-port-of-each.yaml").read_bytes()

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("flash")]


def fill_with_another_box(path: Path, disk: Layout) -> None:
    """Fill every MiB, and put a whole `data` file system with a relay's key where the new one will
    be."""
    old = Tree(directory())
    old[".made"] = file(b"")
    old["tor"] = directory()
    old["tor/secret_id_key"] = file(b"whose relay is this")
    with path.open("w+b") as stick:
        stick.truncate(STICK)
        for at in range(0, STICK, MIB):
            os.pwrite(stick.fileno(), b"\xa5" * 65536, at)
        at, length = disk.offset("data"), disk.length("data")
        for chunk in range(0, length, MIB):
            os.pwrite(stick.fileno(), bytes(MIB), at + chunk)
        ufs2.write(stick.fileno(), at, length, old, label="data", time=1_700_000_000)


def test_a_used_stick_boots_as_a_new_box(real: Real, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    fill_with_another_box(stick, Layout(gpt.read(real.image)))
    target = Target(stick, stick.name, STICK, None)
    with source.open_image(real.image) as image, medium.open_medium(target, Host()) as disk:
        add_site(image, SITE, 1_700_000_000)
        write(disk, image.read, image.block_map(), "stick")
    with machine(stick, transcripts(real.sets), Firmware.UEFI, Bus.USB, "flashed") as box:
        box.console.expect(LOGIN, timeout=BOOT)
        box.shell.open_shell(timeout=BOOT)

        def said(command: str) -> str:
            return box.shell.run(command, 120).text.rstrip("\n")

        for slot in ("rootA", "rootB"):
            assert "fragmentation)" in said(f"fsck_ffs -n /dev/gpt/{slot} | tail -1")
        assert said("ls -A /data").split() in ([".made", ".snap", ".sujournal"], [".made", ".snap"])
        assert said("df -k /data | tail -1 | cut -d ' ' -f 1") == "/dev/gpt/data"
        said("mkdir /tmp/efi && mount -t msdosfs -o ro /dev/gpt/efi /tmp/efi")
        assert said("sha256 -q /tmp/efi/site.yaml") == hashlib.sha256(SITE).hexdigest()
