"""The rehearsal on a real kernel: its start, and one box from the wizard to a power cut and a
backup. A lab tests most of the rest."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from firstboot.box.backup.archive import unpack
from firstboot.box.backup.encryption import unseal
from firstboot.box.machine import Machine as Here
from firstboot.box.systems.rehearsal import SYSTEM
from firstboot.site.address_plan import allot
from firstboot.site.model import PortRole
from firstboot.site.redact import secrets
from image.rehearsal.build import Rehearsed
from qemu.console_patterns import LOGIN
from qemu.console_patterns import PASSWORD as ASKED
from qemu.disk import Bus, Disk
from qemu.firmware import Firmware
from qemu.lab.conversation import BEGIN, PASSWORD, conversation, play
from qemu.lab.serial import Serial
from qemu.machine import Machine
from qemu.wire import Nic
from tests.boot.conftest import STICK, full, transcripts
from tests.image.rehearsal.sites import on_linux

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("rehearsal")]

BOOT = 240.0
"""Seconds from power-on to the wizard, for an emulated processor on a busy machine."""

APPLIED = 400.0
UP = "The transit and exchange ports are up."
FAR = "11.1.1.1"
"""An address on the Internet that nobody in the test has."""

SITE = on_linux("two-transits-and-an-exchange")


@dataclass(frozen=True)
class Box:
    machine: Machine

    def said(self, command: str, timeout: float = 120.0) -> str:
        return self.machine.shell.run(command, timeout).text.rstrip("\n")

    def holds(self) -> None:
        """Check that the services run with the site's settings, and that the ports are up and
        guarded."""
        told = self.machine.shell.run("exitisp status", APPLIED, check=False)
        assert told.status == 0, told.text
        assert told.text.startswith("REHEARSAL: ")
        assert "not in a rehearsal: pf;" in told.text
        assert f"AS {SITE.asn}" in self.said("cat /usr/local/etc/bgpd.conf")
        assert "State UP" in self.said("ip -o link show eth0").replace("state", "State")
        assert "root-server-v6" in self.said("bgpctl show")
        addresses = self.said("ip -brief address show lo1")
        for address in allot(SITE).addresses:
            assert f"{address}/{address.max_prefixlen}" in addresses


def machine(
    rehearsal: Rehearsed, firmware: Firmware, bus: Bus, name: str, nics: int = 0
) -> Machine:
    disk = Disk(rehearsal.image, bus, size=STICK)
    cards = [Nic(f"02:00:5e:10:03:{at:02x}") for at in range(nics)]
    return Machine(disk, folder=transcripts(), firmware=firmware, nics=cards, name=name)


def test_it_starts_and_says_what_it_is(rehearsal: Rehearsed) -> None:
    with machine(rehearsal, Firmware.UEFI, Bus.NVME, "rehearsal-uefi") as box:
        seen = box.console.expect(BEGIN[0], timeout=BOOT)
        assert "REHEARSAL: exitisp on Linux, from Debian's packages. Not a release" in seen.before
        box.shell.open_shell(timeout=BOOT)
        mounts = box.shell.run("mount").text
        assert " on /cfg type ext4 " in mounts
        assert " on /data type ext4 " in mounts
        assert box.shell.run("ss -H -lntu").text == ""


@pytest.fixture(scope="module")
def box(rehearsal: Rehearsed) -> Iterator[Box]:
    """A box that the wizard has configured."""
    with machine(rehearsal, Firmware.BIOS, Bus.VIRTIO, "rehearsal", len(SITE.ports)) as made:
        made.console.expect(BEGIN[0], timeout=BOOT)
        made.console.send_line()
        play(Serial(made.console, 60.0), conversation(SITE)[1:])
        made.console.expect(UP, timeout=APPLIED)
        made.shell.open_shell(timeout=BOOT)
        yield Box(made)


@full
def test_the_box_runs_with_the_wizards_answers(box: Box) -> None:
    box.holds()


@full
def test_no_secret_is_in_the_transcript_and_headings_say_what_it_is(box: Box) -> None:
    text = (transcripts() / "rehearsal.com1.txt").read_text(errors="replace")
    assert "--- REHEARSAL: " in text
    for secret in (PASSWORD, *secrets(SITE)):
        assert secret not in text


@full
def test_a_packet_with_a_foreign_source_does_not_leave(box: Box) -> None:
    """A made-up neighbour and a made-up route bring the packet as far as the port."""
    port, other = (one for one in SITE.ports if one.role is PortRole.TRANSIT)
    source = other.addresses[0].ip
    neighbour = next(one.remote for one in allot(SITE).sessions if one.port == port)
    box.said(f"ip neighbor replace {neighbour} lladdr 02:00:5e:10:99:01 dev {port.interface}")
    box.said(f"ip route add {FAR} via {neighbour}")
    box.machine.shell.run(f"ping -c 2 -W 1 -I {source} {FAR}", 60.0, check=False)
    counted = box.said("nft list counter netdev exitisp leak4")
    assert re.search(r"packets [1-9]", counted), counted


@full
def test_a_backup_is_made_and_can_be_opened(box: Box, tmp_path: Path) -> None:
    """With the box's own OpenSSL; opened with the one of this host."""
    box.said(f"echo {PASSWORD} | exitisp backup /tmp/box.backup", APPLIED)
    sealed = box.said("cat /tmp/box.backup").replace("\r\n", "\n") + "\n"
    here = Here(tmp_path, system=SYSTEM)
    files = unpack(unseal(sealed.encode(), PASSWORD, here, "box.backup"), "box.backup")
    assert {"site.yaml", "ssh/ssh_host_ed25519_key"} <= {one.name for one in files}


@full
def test_everything_is_there_after_a_power_cut(box: Box) -> None:
    keys = box.said("cat /data/tor/relay1/fingerprint /cfg/ssh/ssh_host_ed25519_key.pub")
    box.machine.cut_power()
    box.machine.start()
    box.machine.console.expect("Configuration: generation 0001.", timeout=BOOT)
    box.machine.console.expect(UP, timeout=APPLIED)
    box.machine.console.expect(LOGIN, timeout=BOOT)
    box.machine.console.send_line("root")
    box.machine.console.expect(ASKED, timeout=60.0)
    box.machine.console.send_line(PASSWORD)
    box.machine.console.expect("# ", timeout=60.0)
    box.machine.shell.open_shell(timeout=BOOT)
    box.holds()
    assert box.said("cat /data/tor/relay1/fingerprint /cfg/ssh/ssh_host_ed25519_key.pub") == keys
