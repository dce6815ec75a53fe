"""Disks as Linux shows them, in a folder made by the test: which are offered and which are
refused."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.flash.command import describe, table
from image.flash.devices import Device, Host, find, read
from image.flash.safety import accept, accept_disk, kernel_name, objections

GB = 10**9
NEEDED = 2_325_741_568

USB = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0"
SATA = "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0"
NVME = "pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0"
CARD = "pci0000:00/0000:00:1a.0/mmc_host/mmc0/mmc0:0001"


@dataclass
class Machine:
    """A machine whose sysfs, proc and dev are folders of the test."""

    folder: Path

    @property
    def host(self) -> Host:
        return Host(self.folder / "sys", self.folder / "proc", self.folder / "dev")

    def put(self, path: str, text: str) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def disk(self, name: str, place: str, number: str, size: int, **facts: str) -> None:
        """A disk at `place` in the tree of devices; `facts` are more of its files."""
        folder = f"sys/devices/{place}/block/{name}"
        self.put(f"{folder}/dev", f"{number}\n")
        self.put(f"{folder}/size", f"{size // 512}\n")
        for file, text in {"removable": "0", "ro": "0", **facts}.items():
            self.put(f"{folder}/{file}", f"{text}\n")
        self.link(f"sys/block/{name}", folder)
        self.link(f"sys/dev/block/{number}", folder)
        self.put(f"dev/{name}", "")

    def part(self, disk: str, name: str, number: str, label: str = "") -> None:
        folder = (self.folder / "sys/block" / disk).resolve().relative_to(self.folder) / name
        self.put(f"{folder}/partition", "1\n")
        self.put(f"{folder}/dev", f"{number}\n")
        self.put(f"{folder}/uevent", f"DEVTYPE=partition\nPARTNAME={label}\n" if label else "")
        self.link(f"sys/dev/block/{number}", str(folder))
        self.put(f"dev/{name}", "")

    def holder(self, of: str, name: str, number: str, shown: str = "") -> None:
        """A device of the device mapper or of md that is made of the disk or partition `of`."""
        folder = f"sys/devices/virtual/block/{name}"
        self.put(f"{folder}/dev", f"{number}\n")
        self.put(f"{folder}/size", "2048\n")
        if shown:
            self.put(f"{folder}/dm/name", f"{shown}\n")
            self.link(f"dev/mapper/{shown}", f"dev/{name}")
        self.put(f"dev/{name}", "")
        self.link(f"sys/block/{name}", folder)
        places = (self.folder / "sys/devices").rglob(f"block/**/{of}")
        (below,) = (place for place in places if not place.is_symlink())
        self.link(str((below / "holders" / name).relative_to(self.folder)), folder)

    def link(self, path: str, to: str) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(self.folder / to)

    def mount(self, number: str, source: str, place: str) -> None:
        file = self.folder / "proc/self/mountinfo"
        before = file.read_text() if file.exists() else ""
        line = f"36 25 {number} / {place} rw,relatime shared:1 - ext4 {source} rw\n"
        self.put("proc/self/mountinfo", before + line)

    def swap(self, source: str) -> None:
        head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        self.put("proc/swaps", f"{head}{source}    partition\t8388604\t0\t-2\n")

    def stick(self, size: int = 16 * GB, **facts: str) -> None:
        vendor = {"device/vendor": "SanDisk ", "device/model": "Ultra Fit       "}
        self.disk("sdb", USB, "8:16", size, **{"removable": "1", **vendor, **facts})

    def why(self, name: str) -> tuple[str, ...]:
        return objections(read(self.host, name), NEEDED)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_stick_is_offered_with_its_size_model_and_bus(machine: Machine) -> None:
    machine.stick()
    (stick,) = find(machine.host)
    assert (stick.size, stick.model, stick.bus) == (16 * GB, "SanDisk Ultra Fit", "usb")
    assert stick.removable
    assert objections(stick, NEEDED) == ()
    (line,) = table([stick], NEEDED).splitlines()
    assert line.split()[1:6] == ["16.0", "GB", "SanDisk", "Ultra", "Fit"]
    assert line.endswith(f"usb     ./exitisp flash {machine.host.dev}/sdb")


@pytest.mark.parametrize(
    ("name", "place", "facts", "bus", "removable"),
    [
        ("sda", SATA, {"device/model": "Samsung SSD 870"}, "ata", False),
        ("sda", SATA, {"device/model": "Hot swap", "removable": "1"}, "ata", True),
        ("nvme0n1", NVME, {"device/model": "WD_BLACK"}, "nvme", False),
        ("nvme0n1", "virtual/nvme-subsystem/nvme-subsys0", {}, "nvme", False),
        ("mmcblk0", CARD, {"device/name": "SC16G", "device/type": "SD"}, "mmc", True),
        ("mmcblk0", CARD, {"device/name": "DF4064", "device/type": "MMC"}, "mmc", False),
        ("vda", "pci0000:00/0000:00:02.0/virtio1", {"device/vendor": "0x1af4"}, "virtio", False),
    ],
)
def test_the_path_below_sys_tells_the_bus(
    machine: Machine, name: str, place: str, facts: dict[str, str], bus: str, removable: bool
) -> None:
    machine.disk(name, place, "8:0", 500 * GB, **facts)
    (disk,) = find(machine.host)
    assert (disk.bus, disk.removable, disk.kind) == (bus, removable, "disk")
    assert disk.model == facts.get("device/model", facts.get("device/name", ""))
    assert objections(disk, NEEDED) == ()


def test_built_in_disks_come_last_and_are_marked(machine: Machine) -> None:
    machine.disk("sda", SATA, "8:0", 500 * GB)
    machine.stick()
    first, second = table(find(machine.host), NEEDED).splitlines()
    assert "/sdb " in first
    assert "built in" in second
    assert "built in" in describe(accept_disk("sda", NEEDED, machine.host))


def test_the_disk_that_the_system_runs_from_is_refused(machine: Machine) -> None:
    machine.stick()
    machine.part("sdb", "sdb2", "8:18")
    machine.mount("8:18", "/dev/sdb2", "/")
    assert machine.why("sdb") == ("this system runs from it", "sdb2 is mounted at /")


@pytest.mark.parametrize("place", ["/boot", "/boot/efi", "/usr", "/home"])
def test_a_disk_with_any_part_of_the_system_is_refused(machine: Machine, place: str) -> None:
    machine.stick()
    machine.part("sdb", "sdb1", "8:17")
    machine.mount("8:17", "/dev/sdb1", place)
    assert machine.why("sdb")[0] == "this system runs from it"


def test_a_mounted_stick_is_refused_and_the_mount_point_named(machine: Machine) -> None:
    machine.stick()
    machine.part("sdb", "sdb1", "8:17")
    machine.mount("8:17", "/dev/sdb1", "/media/me/MY\\040STICK")
    assert machine.why("sdb") == ("sdb1 is mounted at /media/me/MY STICK",)


def test_a_stick_that_is_mounted_as_a_whole_is_refused(machine: Machine) -> None:
    machine.stick()
    machine.mount("8:16", "/dev/sdb", "/mnt")
    assert machine.why("sdb") == ("sdb is mounted at /mnt",)


def test_a_mounted_btrfs_is_found_by_name_because_its_number_differs(machine: Machine) -> None:
    machine.stick()
    machine.part("sdb", "sdb1", "8:17")
    machine.mount("0:42", "/dev/sdb1", "/")
    assert machine.why("sdb") == ("this system runs from it", "sdb1 is mounted at /")


def test_swap_is_refused(machine: Machine) -> None:
    machine.stick()
    machine.part("sdb", "sdb3", "8:19")
    machine.swap("/dev/sdb3")
    assert machine.why("sdb") == ("sdb3 is swap space",)


def test_a_system_in_lvm_on_luks_is_found(machine: Machine) -> None:
    machine.disk("nvme0n1", NVME, "259:0", 500 * GB)
    machine.part("nvme0n1", "nvme0n1p3", "259:3")
    machine.holder("nvme0n1p3", "dm-0", "253:0", "luks-home")
    machine.holder("dm-0", "dm-1", "253:1", "vg-root")
    machine.mount("253:1", "/dev/mapper/vg-root", "/")
    why = machine.why("nvme0n1")
    assert why[0] == "this system runs from it"
    assert "nvme0n1p3 > dm-0 (luks-home) > dm-1 (vg-root) is mounted at /" in why


def test_swap_in_lvm_is_found(machine: Machine) -> None:
    machine.stick()
    machine.holder("sdb", "dm-0", "253:0", "vg-swap")
    machine.swap("/dev/mapper/vg-swap")
    assert machine.why("sdb") == ("sdb > dm-0 (vg-swap) is swap space",)


def test_a_member_of_an_array_that_is_not_mounted_is_refused(machine: Machine) -> None:
    machine.disk("sda", SATA, "8:0", 500 * GB)
    machine.part("sda", "sda1", "8:1")
    machine.holder("sda1", "md127", "9:127")
    assert machine.why("sda") == ("sda1 is part of md127",)


@pytest.mark.parametrize(
    ("size", "facts", "why"),
    [
        (16 * GB, {"ro": "1"}, "it is read-only"),
        (0, {}, "there is no medium in it"),
        (2 * GB, {}, "it is too small: it has 2.0 GB, and the image needs 2.3 GB"),
        (NEEDED - 512, {}, "it is too small"),
        (16 * GB, {"device/type": "5"}, "it is an optical drive"),
        (16 * GB, {"queue/logical_block_size": "4096"}, "its blocks have 4096 bytes"),
    ],
)
def test_unsuitable_disks_are_refused_with_the_reason(
    machine: Machine, size: int, facts: dict[str, str], why: str
) -> None:
    machine.stick(size=size, **facts)
    assert machine.why("sdb")[0].startswith(why)


def test_a_disk_exactly_as_large_as_the_image_is_accepted(machine: Machine) -> None:
    machine.stick(NEEDED)
    assert accept_disk("sdb", NEEDED, machine.host).size == NEEDED


@pytest.mark.parametrize("name", ["loop0", "ram0", "zram0", "dm-0", "md0"])
def test_virtual_disks_are_neither_listed_nor_accepted(machine: Machine, name: str) -> None:
    machine.disk(name, "virtual", "7:0", 16 * GB)
    assert find(machine.host) == ()
    with pytest.raises(Refusal, match="it is no real disk"):
        accept_disk(name, NEEDED, machine.host)


def test_one_of_several_paths_to_a_disk_is_not_listed(machine: Machine) -> None:
    machine.disk("nvme0c0n1", NVME, "", 16 * GB, hidden="1")
    assert find(machine.host) == ()


def test_an_empty_card_reader_is_not_listed(machine: Machine) -> None:
    machine.stick(size=0)
    assert table(find(machine.host), NEEDED).startswith("This machine has no disk")


@pytest.mark.parametrize(
    ("disk", "name"), [("sdb", "sdb1"), ("nvme0n1", "nvme0n1p1"), ("mmcblk0", "mmcblk0p1")]
)
def test_a_partition_is_refused_and_its_disk_named(machine: Machine, disk: str, name: str) -> None:
    machine.disk(disk, USB, "8:16", 16 * GB)
    machine.part(disk, name, "8:17")
    with pytest.raises(Refusal, match=f"a partition of {disk}, .* name it: /dev/{disk}"):
        accept_disk(name, NEEDED, machine.host)


def test_a_disk_that_is_not_there_is_refused(machine: Machine) -> None:
    with pytest.raises(Refusal, match="no disk of that name"):
        accept_disk("sdz", NEEDED, machine.host)


def test_the_partitions_that_will_be_lost_are_shown(machine: Machine) -> None:
    machine.stick()
    machine.part("sdb", "sdb1", "8:17", "Basic data partition")
    machine.part("sdb", "sdb2", "8:18")
    told = describe(accept_disk("sdb", NEEDED, machine.host))
    assert told.endswith("16.0 GB, SanDisk Ultra Fit, usb, removable\n"
                         "It holds sdb1 (Basic data partition), sdb2.")  # fmt: skip


def test_a_sticks_own_name_cannot_act_on_the_terminal(machine: Machine) -> None:
    machine.stick(16 * GB, **{"device/model": "\x1b[2J\x07evil"})
    machine.part("sdb", "sdb1", "8:17", "\x1b]0;evil\x07")
    told = table(find(machine.host), NEEDED) + describe(accept_disk("sdb", NEEDED, machine.host))
    assert told.replace("\n", "").isprintable()


def test_a_disk_that_sysfs_says_nothing_about_is_refused(machine: Machine) -> None:
    (machine.folder / "sys/devices/x/block/sdb").mkdir(parents=True)
    machine.link("sys/block/sdb", "sys/devices/x/block/sdb")
    assert machine.why("sdb") == ("there is no medium in it",)


def test_devices_are_found_by_their_number(machine: Machine) -> None:
    machine.stick()
    assert kernel_name(os.makedev(8, 16), machine.host) == "sdb"
    assert kernel_name(os.makedev(8, 32), machine.host) == ""


class TestFiles:
    """An existing file with enough room can stand for a disk."""

    def test_a_file_is_accepted(self, machine: Machine) -> None:
        path = machine.folder / "disk.img"
        path.touch()
        os.truncate(path, 4096)
        target = accept(path, 4096, machine.host)
        assert (target.path, target.name, target.size) == (path.resolve(), "disk.img", 4096)
        assert target.device is None

    def test_a_file_that_is_too_small_is_refused(self, machine: Machine) -> None:
        path = machine.folder / "disk.img"
        path.write_bytes(b"x")
        with pytest.raises(Refusal, match="truncate -s 4096"):
            accept(path, 4096, machine.host)

    @pytest.mark.parametrize("place", ["", "none", "pipe", "loop"])
    def test_neither_a_disk_nor_a_file_is_refused(self, machine: Machine, place: str) -> None:
        os.mkfifo(machine.folder / "pipe")
        (machine.folder / "loop").symlink_to("loop")
        with pytest.raises(Refusal):
            accept(machine.folder / place, 4096, machine.host)


def test_the_disks_of_this_machine_can_be_read() -> None:
    for one in find(Host()):
        assert isinstance(one, Device)
        assert one.size > 0
        objections(one, NEEDED)
