"""A box that gets a site: its image, the sites that tests try on it, and what they look at."""

import dataclasses
import os
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pytest

from firstboot.site.model import Site
from firstboot.site.render import Box, render
from firstboot.site.writer import compose
from image import gpt, overlay
from image.flash import esp
from image.layout import Layout
from qemu.console_patterns import LOGIN
from qemu.lab import conversation
from qemu.machine import Machine
from qemu.wire import Nic
from tests.boot.conftest import BOOT, PACKAGES, ROOT, make
from tests.boot.test_rendered import example, on_qemu
from tests.firstboot.wizard.script import trying
from tests.image.freeze.made import frozen_for_freebsd

UP = "The transit and exchange ports are up."
APPLIED = 1200.0
"""Seconds until the network and all daemons are up, with an emulated processor on a busy host."""

QUESTION = 120.0

WHOLE = on_qemu(example("two-transits-and-an-exchange"))
FEW = dataclasses.replace(WHOLE, relays=dataclasses.replace(WHOLE.relays, count=2))
TURNS, SITE = trying(FEW)
PEERS = (*SITE.peers[:-1], dataclasses.replace(SITE.peers[-1], name="renamed-peer"))
SLOWER = dataclasses.replace(SITE.relays, bandwidth_mbit=700)
CHANGED = dataclasses.replace(SITE, peers=PEERS, relays=SLOWER)
MORE_RELAYS = dataclasses.replace(SITE, relays=dataclasses.replace(SITE.relays, count=3))
ELSEWHERE = "192.0.2.208/28"
LOCKED = dataclasses.replace(
    SITE, management=dataclasses.replace(SITE.management, networks=(ip_network(ELSEWHERE),))
)
OUTSIDE = [port.interface for port in SITE.ports if port.role.outside]


@dataclass(frozen=True)
class Isp:
    machine: Machine

    def said(self, command: str, timeout: float = 240.0) -> str:
        return self.machine.shell.run(command, timeout).text.rstrip("\n")

    def status(self, command: str) -> int:
        return self.machine.shell.run(command, 240.0, check=False).status

    def is_up(self, interface: str) -> bool:
        return interface in self.said("ifconfig -u -l").split()

    def is_silent(self) -> None:
        """Check that nobody listens and no port has an address. The wizard raises ports to see
        links."""
        assert self.said("sockstat -46lq") == ""
        assert self.said("ifconfig -a inet | grep -c 'inet '") == "1"
        assert self.said("ifconfig -a inet6 | grep inet6 | grep -v -c '%lo0\\| ::1 '; true") == "0"

    def restart(self) -> str:
        """Restart, and return what the console printed until it offered a login or the wizard."""
        self.machine.shell.send_line("shutdown -r now")
        self.machine.console.expect("Trying to mount root", timeout=BOOT)
        seen = self.machine.console.expect(LOGIN, conversation.BEGIN[0], timeout=APPLIED)
        self.machine.shell.open_shell(timeout=BOOT)
        return seen.before

    def runs(self, site: Site) -> None:
        """Check that the services run with what follows from `site`, and that the ports are up."""
        told = self.machine.shell.run("exitisp status", 400.0, check=False)
        assert told.status == 0, told.text
        megabytes = int(self.said("sysctl -n hw.physmem")) >> 20
        box = Box(1, megabytes, unbound=(1, 25), openbgpd=(7, 7), tor=(0, 4, 9))
        files = {file.path: file for file in render(site, box, ROOT / "overlays")}
        for path in ("etc/local/bgpd.conf", "etc/pf.conf", "etc/local/tor/torrc@relay1"):
            assert self.said(f"cat /{path}") == files[path].text.rstrip("\n"), path
        for interface in OUTSIDE:
            assert self.is_up(interface), interface
        neighbours = self.said("bgpctl show")
        for peer in site.peers:
            assert f"{peer.name[:20]}" in neighbours
        listening = self.said("sockstat -4l -p 443,9001,9002")
        assert listening.count("198.51.100.11:") == site.relays.count


def nics() -> list[Nic]:
    return [Nic(f"02:00:5e:10:02:{at:02x}") for at in range(len(SITE.ports))]


def image(sets: Path, folder: Path, *more: overlay.Overlay) -> Path:
    """Make an image with the wizard, the packages, some site files to try, and the overlays
    `more`."""
    if PACKAGES is None:
        pytest.skip("no packages to run relays and BGP with")
    carrying = folder / "sites"
    there = carrying / "files" / "testdata" / "sites"
    there.mkdir(parents=True)
    (there / "site.yaml").write_text(compose(SITE))
    (there / "changed.yaml").write_text(compose(CHANGED))
    (there / "more.yaml").write_text(compose(MORE_RELAYS))
    (there / "locked.yaml").write_text(compose(LOCKED))
    (there / "device.yaml").write_text(compose(SITE).replace("vtnet2", "ix7"))
    (there / "wrong.yaml").write_text(compose(SITE).replace("asn: 65550", "asn: none"))
    (carrying / "overlay.yaml").write_text("description: Sites to try.\n")
    made = folder / "exitisp.img"
    make(sets, made, overlay.load(carrying), *more, wizard=frozen_for_freebsd())
    return made


def put(image: Path, data: bytes, name: str = "site.yaml") -> None:
    """Write the file `name` into the FAT partition of `image`."""
    table = Layout(gpt.read(image))
    start, size = table.offset("efi"), table.length("efi")
    with image.open("r+b") as file:

        def read(offset: int, length: int) -> bytes:
            return os.pread(file.fileno(), length, start + offset)

        for at, piece in esp.add_file(read, size, name, data, 1_700_000_000):
            os.pwrite(file.fileno(), piece, start + at)
