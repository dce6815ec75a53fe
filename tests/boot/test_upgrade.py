"""A box with two slots on a real kernel: it keeps a good release, and goes back from bad ones.

By default one box takes the cheapest of each, one after the other. `./exitisp test --full` has all
of them, on both firmwares, with the power cut at ten moments: more than an hour.
"""

import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from firstboot.core.boot_places import IDLE
from firstboot.site.writer import compose
from image import overlay
from qemu.console_patterns import CRASHES, sign
from qemu.disk import Bus, Disk
from qemu.firmware import Firmware
from qemu.lab.attempts import attempt
from qemu.lab.lab_site import on
from qemu.lab.probes import CHECKS
from qemu.lab.progress import Progress
from qemu.lab.session import Lab, laboratory, wait
from qemu.lab.systems import HARDENEDBSD
from qemu.machine import Machine
from qemu.wire import Nic
from qemu.world.net import Unable
from tests.boot import releases
from tests.boot.conftest import BOOT, PACKAGES, STICK, full, transcripts
from tests.boot.isp import APPLIED, SITE
from tests.image.freeze.made import frozen_for_freebsd

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("upgrade")]

REFUSED = sign("a refusal", r"exitisp: \S+: ")
TRIED = "rootB is on trial."
CONFIRMED = "rootB is confirmed."
BACK = "rootB failed, so this is rootA"

WRITTEN = 1200.0
"""Seconds to verify and write an upgrade, with an emulated processor on a busy host."""

TRIAL = 2000.0


@dataclass
class Box:
    machine: Machine

    def said(self, command: str, timeout: float = 240.0) -> str:
        return self.machine.shell.run(command, timeout).text.rstrip("\n")

    def ready(self) -> None:
        """Wait for a start, and mount the disk with the upgrades."""
        self.machine.shell.open_shell(timeout=APPLIED)
        self.said("mount -t ufs -o ro /dev/da0 /mnt")

    def upgrade(self, name: str) -> None:
        """Upgrade the box, up to the moment when it restarts into the new slot."""
        self.machine.shell.send_line(f"exitisp upgrade /mnt/{name} >/dev/console 2>&1")
        failures = (*CRASHES, REFUSED)
        self.machine.console.expect("Restarting.", timeout=WRITTEN, failures=failures)

    def comes_back(self) -> None:
        """Wait until the box is back in the old slot by itself."""
        self.machine.console.expect(BACK, timeout=TRIAL, failures=())
        self.ready()
        assert self.slots() == {
            "rootA": f"{releases.OLD} running, confirmed",
            "rootB": f"{releases.NEW} failed",
        }

    def slots(self) -> dict[str, str]:
        """Return version and state of each slot."""
        return read_slots(self.said("exitisp slots"))


def read_slots(text: str) -> dict[str, str]:
    rows = (line.split(None, 2) for line in text.splitlines()[1:])
    return {label: f"{version} {rest.split('  ')[-1].strip()}" for label, version, rest in rows}


@dataclass(frozen=True)
class Made:
    """The sets, an image of the old release made of them, and a disk with upgrades."""

    sets: Path
    image: Path
    carried: Path


def bare(sets: Path, folder: Path, *changes: releases.Change) -> Made:
    """Releases without packages, for boxes that are not configured."""
    wizard = frozen_for_freebsd()
    made = releases.make_releases(sets, folder, changes, packages=None, wizard=wizard)
    return Made(sets, *made)


@pytest.fixture(scope="module")
def few(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("releases")
    return bare(sets, folder, releases.no_kernel, releases.good)


def box(made: Made, firmware: Firmware, name: str, *nics: Nic, memory: int = 1024) -> Machine:
    bus = Bus.SATA if firmware is Firmware.BIOS else Bus.NVME
    disks = (Disk(made.image, bus, size=STICK), Disk(made.carried, Bus.USB))
    return Machine(
        *disks,
        folder=transcripts(made.sets),
        firmware=firmware,
        nics=nics,
        memory=memory,
        name=name,
    )


def test_a_box_comes_back_from_a_bad_release_and_keeps_a_good_one(few: Made) -> None:
    with box(few, Firmware.BIOS, "upgrade") as machine:
        one = Box(machine)
        one.ready()
        assert one.slots() == {
            "rootA": f"{releases.OLD} running, confirmed",
            "rootB": "- empty",
        }
        refuses(one)
        one.upgrade("no_kernel")
        one.comes_back()
        keeps(one)


def refuses(one: Box) -> None:
    """An upgrade that somebody has changed is refused, and nothing happens."""
    one.said("sed 's/files/filed/' /mnt/good >/data/other")
    told = one.machine.shell.run("exitisp upgrade /data/other", WRITTEN, check=False)
    assert told.status == 1
    assert "no key of this image has signed it" in told.text
    one.said("rm /data/other")
    assert one.slots()["rootB"] == "- empty"


def keeps(one: Box) -> None:
    one.upgrade("good")
    one.machine.console.expect(TRIED, timeout=BOOT)
    one.machine.console.expect(CONFIRMED, timeout=TRIAL)
    one.ready()
    assert one.slots() == {
        "rootA": f"{releases.OLD} kept",
        "rootB": f"{releases.NEW} running, confirmed",
    }
    assert one.said("kenv exitisp.slot") == "rootB"
    brings_its_boot_programs(one)
    # The guard, which becomes it, looks every five seconds.
    one.said("until pgrep -x watchdogd; do sleep 1; done", 60.0)


def brings_its_boot_programs(one: Box) -> None:
    """A release that is confirmed writes them to the disk, and the box starts with them."""
    one.said(
        "until cmp -s /usr/local/share/exitisp/release.json /cfg/state/boot-programs; "
        "do sleep 1; done"
    )
    one.said("cmp -n $(stat -f %z /boot/gptboot) /boot/gptboot /dev/gpt/boot")
    one.said("mkdir -p /tmp/efi; mount -t msdosfs -o ro /dev/gpt/efi /tmp/efi")
    one.said("cmp /boot/gptboot.efi /tmp/efi/EFI/BOOT/BOOTX64.EFI && umount /tmp/efi")
    table = one.said("gpart show -p")
    for number, kind in ((1, "efi"), (2, "freebsd-boot"), (7, f"!{IDLE}"), (8, f"!{IDLE}")):
        assert re.search(rf"p{number}  +{re.escape(kind)} ", table), table
    one.machine.shell.send_line("shutdown -r now >/dev/null")
    one.machine.console.expect("---<<BOOT>>---", timeout=BOOT)
    one.ready()
    assert one.said("kenv exitisp.slot") == "rootB"


# All of it.


@pytest.fixture(scope="module")
def many(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Releases with packages, and a site to configure a box with."""
    if PACKAGES is None:
        pytest.skip("no packages to run relays and BGP with")
    folder = tmp_path_factory.mktemp("releases")
    there = folder / "site" / "files" / "testdata"
    there.mkdir(parents=True)
    (there / "site.yaml").write_text(compose(SITE))
    (folder / "site" / "overlay.yaml").write_text("description: A site.\n")
    changes = (
        releases.no_kernel,
        releases.hanging_rc,
        releases.panicking,
        releases.no_rules,
        releases.no_relays,
        releases.good,
    )
    made = releases.make_releases(
        sets,
        folder,
        changes,
        overlay.load(folder / "site"),
        packages=PACKAGES,
        wizard=frozen_for_freebsd(),
    )
    return Made(sets, *made)


@full
@pytest.mark.parametrize("firmware", Firmware)
def test_whatever_is_wrong_with_a_release_the_box_serves(many: Made, firmware: Firmware) -> None:
    nics = [Nic(f"02:00:5e:10:03:{at:02x}") for at in range(len(SITE.ports))]
    name = f"upgrade-{firmware.value}"
    with box(many, firmware, name, *nics, memory=1536) as machine:
        one = Box(machine)
        one.ready()
        one.said("exitisp apply /testdata/site.yaml", APPLIED)
        kept = one.said("cd /data/tor && find . -type f -name '*secret*' | sort | xargs sha256")
        for bad in ("no_kernel", "hanging_rc", "panicking", "no_rules", "no_relays"):
            one.upgrade(bad)
            one.comes_back()
            serves(one)
        keeps(one)
        serves(one)
        machine.shell.send_line("exitisp rollback --slot >/dev/console 2>&1")
        machine.console.expect("rootA is confirmed.", timeout=TRIAL)
        one.ready()
        serves(one)
        now = one.said("cd /data/tor && find . -type f -name '*secret*' | sort | xargs sha256")
        assert now == kept


def serves(one: Box) -> None:
    end = time.monotonic() + APPLIED
    while True:
        told = one.machine.shell.run("exitisp status", 400.0, check=False)
        if told.status == 0 or time.monotonic() > end:
            break
    assert told.status == 0, told.text


@full
@pytest.mark.parametrize("firmware", Firmware)
def test_the_power_may_go_at_any_moment(many: Made, firmware: Firmware) -> None:
    with box(many, firmware, f"power-{firmware.value}") as machine:
        one = Box(machine)
        one.ready()
        begun = time.monotonic()
        one.upgrade("no_kernel")
        whole = time.monotonic() - begun
        one.comes_back()
        for moment in range(10):
            machine.shell.send_line("exitisp upgrade /mnt/no_kernel >/dev/console 2>&1")
            time.sleep(whole * moment / 10)
            machine.cut_power()
            machine.start()
            one.ready()
            assert one.slots()["rootA"] == f"{releases.OLD} running, confirmed", moment


@full
def test_an_upgrade_is_kept_in_the_lab_if_the_network_is_as_before(
    sets: Path, tmp_path: Path
) -> None:
    """Upgrade to two releases, one after the other, with neighbours, names and a Tor network."""
    if PACKAGES is None:
        pytest.skip("no packages to run relays and BGP with")
    changes = (releases.no_relays, releases.good)
    wizard = frozen_for_freebsd()
    images = releases.make_releases(sets, tmp_path, changes, packages=PACKAGES, wizard=wizard)
    made = Made(sets, *images)
    carried = Disk(made.carried, Bus.USB)
    folder, lab_site = transcripts(sets) / "lab-upgrade", on(HARDENEDBSD.card)
    try:
        with laboratory(made.image, HARDENEDBSD, lab_site, folder, Progress(), carried) as lab:
            relays = lab.fingerprints
            upgraded(lab, "no_relays")
            lab.appliance.machine.console.expect(BACK, timeout=TRIAL, failures=())
            assert taught(lab)["rootA"] == f"{releases.OLD} running, confirmed"
            upgraded(lab, "good")
            taught(lab)
            wait("a slot that is confirmed", lambda: confirmed(lab), TRIAL)
            assert states(lab)["rootA"] == f"{releases.OLD} kept"
            assert tuple(lab.appliance.fingerprints()) == relays
            wait("sessions with every neighbour", lab.internet.established)
            for name, check in CHECKS.items():
                verdict = attempt(check, lab)
                assert verdict.holds, (name, verdict.evidence)
    except Unable as reason:
        pytest.skip(str(reason))


def upgraded(lab: Lab, name: str) -> None:
    """Upgrade until the box restarts. What works before has to work afterwards."""
    lab.appliance.said("mount -t ufs -o ro /dev/da0 /mnt")
    console = lab.appliance.machine.console
    console.send_line(f"exitisp upgrade /mnt/{name}")
    console.expect("relay 2 has reached the network", timeout=WRITTEN, failures=CRASHES)
    console.expect("Restarting.", timeout=BOOT, failures=CRASHES)


def taught(lab: Lab) -> dict[str, str]:
    """Log in, tell the daemons again whom to trust, and return the state of the slots."""
    lab.appliance.login()
    lab.appliance.teach(lab.internet.trust)
    return states(lab)


def confirmed(lab: Lab) -> bool:
    return states(lab)["rootB"] == f"{releases.NEW} running, confirmed"


def states(lab: Lab) -> dict[str, str]:
    return read_slots(lab.appliance.said("exitisp slots"))
