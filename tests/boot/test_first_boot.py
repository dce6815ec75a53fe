"""A box becomes an ISP: by the wizard on its serial line, and by a file on its FAT partition.

The conversation has all that people do in it, and the power goes in its middle. Then: services, a
reboot, a change, the way back, and a damaged generation.
"""

import dataclasses
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from firstboot.compose import compose
from firstboot.masking import secrets
from firstboot.render import Box, render
from firstboot.site import PortRole, Site
from image import gpt, overlay
from image.flash import esp
from image.layout import Layout
from qemu.disk import Disk
from qemu.lab import conversation
from qemu.lab.serial import Serial
from qemu.machine import Machine
from qemu.signs import CRASHES, LOGIN, PASSWORD
from qemu.wire import Nic
from tests.boot.conftest import BOOT, PACKAGES, ROOT, STICK, make, transcripts
from tests.boot.test_rendered import example, on_qemu
from tests.freeze.made import frozen_for_freebsd
from tests.wizard.script import trying

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("first-boot")]

UP = "The transit and exchange ports are up."
APPLIED = 1200.0
"""Seconds for a whole network and all daemons, on an emulated processor that others use too."""

QUESTION = 120.0

WHOLE = on_qemu(example("two-transits-and-an-exchange"))
FEW = dataclasses.replace(WHOLE, relays=dataclasses.replace(WHOLE.relays, count=2))
TURNS, SITE = trying(FEW)
CUT = next(at for at, turn in enumerate(TURNS) if turn[0] == "Your prefixes")
"""The question at which the power goes."""

PEERS = (*SITE.peers[:-1], dataclasses.replace(SITE.peers[-1], name="renamed-peer"))
SLOWER = dataclasses.replace(SITE.relays, bandwidth_mbit=700)
CHANGED = dataclasses.replace(SITE, peers=PEERS, relays=SLOWER)
MORE_RELAYS = dataclasses.replace(SITE, relays=dataclasses.replace(SITE.relays, count=3))
OUTSIDE = [port.interface for port in SITE.ports if port.role.outside]
MANAGEMENT = next(port for port in SITE.ports if port.role is PortRole.MANAGEMENT)


@dataclass(frozen=True)
class Lab:
    machine: Machine

    def said(self, command: str, timeout: float = 240.0) -> str:
        return self.machine.shell.run(command, timeout).text.rstrip("\n")

    def status(self, command: str) -> int:
        return self.machine.shell.run(command, 240.0, check=False).status

    def is_up(self, interface: str) -> bool:
        return interface in self.said("ifconfig -u -l").split()

    def is_silent(self) -> None:
        """Nobody listens, and no port has an address. The wizard has them up to see cables."""
        assert self.said("sockstat -46lq") == ""
        assert self.said("ifconfig -a inet | grep -c 'inet '") == "1"
        assert self.said("ifconfig -a inet6 | grep inet6 | grep -v -c '%lo0\\| ::1 '; true") == "0"

    def restart(self) -> str:
        """What the console said until it offered a login, or the wizard."""
        self.machine.shell.send_line("shutdown -r now")
        self.machine.console.expect("Trying to mount root", timeout=BOOT)
        seen = self.machine.console.expect(LOGIN, conversation.BEGIN[0], timeout=APPLIED)
        self.machine.shell.open_shell(timeout=BOOT)
        return seen.before

    def runs(self, site: Site) -> None:
        """Services run, with what follows from `site`; the ports are up."""
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


@pytest.fixture(scope="module")
def image(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the wizard and the packages, and some site files to try."""
    if PACKAGES is None:
        pytest.skip("no packages to run relays and BGP with")
    folder = tmp_path_factory.mktemp("first-boot")
    carrying = folder / "sites"
    there = carrying / "files" / "testdata" / "sites"
    there.mkdir(parents=True)
    (there / "site.yaml").write_text(compose(SITE))
    (there / "changed.yaml").write_text(compose(CHANGED))
    (there / "more.yaml").write_text(compose(MORE_RELAYS))
    (there / "device.yaml").write_text(compose(SITE).replace("vtnet2", "ix7"))
    (there / "wrong.yaml").write_text(compose(SITE).replace("asn: 65550", "asn: none"))
    (carrying / "overlay.yaml").write_text("description: Sites to try.\n")
    made = folder / "exitisp.img"
    make(sets, made, overlay.load(carrying), wizard=frozen_for_freebsd())
    return made


@pytest.fixture(scope="module")
def box(image: Path) -> Iterator[Lab]:
    """A box after the wizard, in the middle of which the power went."""
    disk = Disk(image, size=STICK)
    with Machine(disk, folder=transcripts(), nics=nics(), memory=1536, name="wizard") as machine:
        console = machine.console
        console.expect(conversation.BEGIN[0], timeout=BOOT)
        machine.shell.open_shell(timeout=BOOT)
        lab = Lab(machine)
        lab.is_silent()
        console.send_line()
        serial = Serial(console, QUESTION)
        conversation.play(serial, TURNS[1:CUT])
        serial.expect([TURNS[CUT][0]])
        machine.cut_power()
        machine.start()
        serial = Serial(machine.console, QUESTION)
        machine.console.expect(conversation.BEGIN[0], timeout=BOOT, failures=CRASHES)
        serial.send("")
        serial.expect(["goes on where it was"])
        conversation.play(serial, TURNS[CUT:])
        machine.console.expect(UP, timeout=APPLIED)
        machine.shell.open_shell(timeout=BOOT)
        yield lab


def test_the_box_runs_what_was_answered(box: Lab) -> None:
    box.runs(SITE)


def test_the_site_is_kept_and_the_answers_are_not(box: Lab) -> None:
    kept = {"accounts", "current", "generations", "ssh", "state"}
    assert set(box.said("ls /cfg").split()) - {"entropy"} == kept
    assert "generations/0001" in box.said("readlink /cfg/current")
    assert box.said("stat -f '%Sp %Su' /cfg /cfg/accounts/root /cfg/current/site.yaml") == (
        "drwx------ root\n-rw------- root\n-rw------- root"
    )
    shown = box.said("exitisp show")
    assert "Example Onion Cooperative" in shown
    assert not any(secret in shown for secret in secrets(SITE))


def test_root_has_the_password_that_was_chosen(box: Lab) -> None:
    console = box.machine.console
    console.expect(LOGIN, timeout=BOOT)
    console.send_line("root")
    console.expect(PASSWORD, timeout=QUESTION)
    console.send_line(conversation.PASSWORD)
    console.expect("# ", timeout=QUESTION)
    console.send_line("exit")


def test_no_secret_is_in_the_transcript(box: Lab) -> None:
    text = (transcripts() / "wizard.com1.txt").read_text(errors="replace")
    assert "Example Onion Cooperative" in text
    for secret in (conversation.PASSWORD, *secrets(SITE)):
        assert secret not in text


def test_everything_is_there_again_after_a_reboot(box: Lab) -> None:
    said = box.restart()
    assert "Configuration: generation 0001." in said
    box.runs(SITE)


def test_a_wrong_file_changes_nothing(box: Lab) -> None:
    for name, reason in (("wrong", "an ASN"), ("device", "network device of this box")):
        told = box.machine.shell.run(f"exitisp apply /testdata/sites/{name}.yaml", 400, check=False)
        assert told.status == 1
        assert reason in told.text
    assert box.said("ls /cfg/generations").split() == ["0001"]
    box.runs(SITE)


def test_a_change_is_taken_on_and_back(box: Lab) -> None:
    pids = box.said("pgrep -x tor; pgrep -x local-unbound; pgrep -o -x bgpd")
    box.said("exitisp apply /testdata/sites/changed.yaml", APPLIED)
    difference = box.said("exitisp diff")
    assert "+  - name: renamed-peer" in difference
    assert not any(secret in difference for secret in secrets(SITE))
    box.runs(CHANGED)
    box.said("exitisp rollback", APPLIED)
    box.runs(SITE)
    assert box.said("pgrep -x tor; pgrep -x local-unbound; pgrep -o -x bgpd") == pids


def test_more_relays_come_up_with_their_addresses(box: Lab) -> None:
    running = box.said("cat /var/run/tor/relay1.pid /var/run/tor/relay2.pid")
    box.said("exitisp apply /testdata/sites/more.yaml", APPLIED)
    box.runs(MORE_RELAYS)
    box.said("exitisp rollback 1", APPLIED)
    box.runs(SITE)
    assert "2001:db8:ee::1:3" not in box.said("ifconfig lo1")
    assert box.said("pgrep -x tor").split() == running.split()


def test_a_damaged_generation_is_not_run(box: Lab) -> None:
    box.said("exitisp apply /testdata/sites/changed.yaml", APPLIED)
    box.said("echo pass all > /cfg/current/files/etc/pf.conf")
    said = box.restart()
    assert "generation 0004 is damaged" in said
    assert "Configuration: generation 0003." in said
    assert box.status("exitisp status") == 1
    assert box.is_up(OUTSIDE[0])


@pytest.fixture(scope="module")
def wrong(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A box whose FAT partition has a site file with an error in it, after its first boot."""
    copy = tmp_path_factory.mktemp("unattended") / "exitisp.img"
    subprocess.run(["cp", "--sparse=always", image, copy], check=True)
    put(copy, compose(SITE).replace("asn: 64499", "asn: 64511000000").encode())
    with ExitStack() as stack:
        disk = Disk(copy, size=STICK)
        machine = Machine(disk, folder=transcripts(), nics=nics(), memory=1536, name="unattended")
        stack.enter_context(machine)
        machine.console.expect("peers[1].asn: expected an ASN", timeout=BOOT)
        machine.console.expect(conversation.BEGIN[0], timeout=BOOT)
        machine.console.send_line("")
        machine.console.expect("Its AS number", timeout=QUESTION)
        machine.shell.open_shell(timeout=BOOT)
        yield Lab(machine)


def put(image: Path, data: bytes) -> None:
    """Write site.yaml into the FAT partition of `image`."""
    table = Layout(gpt.read(image))
    start, size = table.offset("efi"), table.length("efi")
    with image.open("r+b") as file:

        def read(offset: int, length: int) -> bytes:
            return os.pread(file.fileno(), length, start + offset)

        for at, piece in esp.put(read, size, "site.yaml", data, 1_700_000_000):
            os.pwrite(file.fileno(), piece, start + at)


def test_a_wrong_site_file_leads_to_the_wizard_and_is_reported(wrong: Lab) -> None:
    wrong.said(
        "mkdir /tmp/fat; umount /var/run/exitisp/stick; mount -t msdosfs /dev/gpt/efi /tmp/fat"
    )
    findings = wrong.said("cat /tmp/fat/site-findings.txt")
    assert "peers[1].asn" in findings
    assert "Not taken" in findings
    assert wrong.said("ls /tmp/fat").split() == ["EFI", "site-findings.txt", "site.yaml"]
    wrong.is_silent()


def test_the_corrected_file_is_taken_without_a_question(wrong: Lab) -> None:
    wrong.said("cp /testdata/sites/site.yaml /tmp/fat/site.yaml && umount /tmp/fat")
    said = wrong.restart()
    assert "The site file was taken: generation 1." in said
    wrong.machine.shell.run("true")
    wrong.runs(SITE)
    wrong.said("mkdir /tmp/fat; mount -t msdosfs -o ro /dev/gpt/efi /tmp/fat")
    assert wrong.said("ls /tmp/fat").split() == ["EFI", "site-findings.txt"]
    assert not any(
        secret in wrong.said("cat /tmp/fat/site-findings.txt") for secret in secrets(SITE)
    )
    assert wrong.said("pw usershow root").startswith("root:*:")
