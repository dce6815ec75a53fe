import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from qemu import accelerator, interactive, programs
from qemu.console import HungUp, SawFailure
from qemu.console_patterns import NOT_BOOTABLE
from qemu.disk import Bus, Disk
from qemu.firmware import OVMF, Firmware, Ovmf, find_ovmf
from qemu.machine import Machine, MachineFailure
from qemu.monitor import MonitorFailure
from qemu.wire import Nic, Wire
from tests.qemu import boot_sector

PATIENCE = 120.0
"""Seconds for what takes one second on an idle host."""

MAC = "02:00:00:00:00:01"

needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-x86_64") is None, reason="qemu-system-x86 is not installed"
)
needs_ovmf = pytest.mark.skipif(
    not any(ovmf.code.is_file() for ovmf in OVMF), reason="ovmf is not installed"
)


@pytest.fixture(autouse=True)
def temporary_files(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Give the test a folder for temporary files, which has to be empty at the end."""
    folder = tmp_path_factory.mktemp("tmp")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def is_running(pid: int) -> bool:
    """Whether there is a process `pid`, zombies not counted."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@needs_qemu
@pytest.mark.parametrize("bus", Bus)
def test_a_disk_boots_from_every_bus(tmp_path: Path, bus: Bus) -> None:
    image = boot_sector.write(tmp_path / "image", f"booted from {bus.value}")
    with Machine(Disk(image, bus), folder=tmp_path) as machine:
        machine.console.expect(f"booted from {bus.value}", timeout=PATIENCE)


@needs_qemu
def test_all_buses_can_be_had_at_once_and_the_first_disk_boots(tmp_path: Path) -> None:
    disks = [
        Disk(boot_sector.write(tmp_path / bus.value, f"this is {bus.value}"), bus)
        for bus in reversed(Bus)
    ]
    with Machine(*disks, *disks, folder=tmp_path) as machine:
        machine.console.expect(f"this is {disks[0].bus.value}", timeout=PATIENCE)


@needs_qemu
def test_a_snapshot_keeps_its_writes_through_power_cuts_and_the_image_as_it_is(
    tmp_path: Path,
) -> None:
    image = boot_sector.write(tmp_path / "image", "boot A", boot_sector.COUNT_UP)
    before = image.read_bytes()
    with Machine(Disk(image), folder=tmp_path) as machine:
        for letter in "ABC":
            machine.console.expect(f"boot {letter}!", timeout=PATIENCE)
            machine.cut_power()
            machine.start()
    assert image.read_bytes() == before


@needs_qemu
def test_a_disk_without_snapshot_is_written(tmp_path: Path) -> None:
    image = boot_sector.write(tmp_path / "image", "boot A", boot_sector.COUNT_UP)
    for letter in "AB":
        with Machine(Disk(image, snapshot=False), folder=tmp_path) as machine:
            machine.console.expect(f"boot {letter}!", timeout=PATIENCE)
    assert b"boot C" in image.read_bytes()


@needs_qemu
def test_a_disk_larger_than_its_image_has_that_size(tmp_path: Path) -> None:
    image = boot_sector.write(tmp_path / "image", "large")
    with Machine(Disk(image, size=8 << 30), folder=tmp_path) as machine:
        machine.console.expect("large", timeout=PATIENCE)
        (block,) = machine.ask("query-block")
    assert block["inserted"]["image"]["virtual-size"] == 8 << 30


@needs_qemu
def test_a_power_cut_ends_the_process_and_hangs_up(tmp_path: Path) -> None:
    image = boot_sector.write(tmp_path / "image", "on")
    with Machine(Disk(image), folder=tmp_path) as machine:
        machine.console.expect("on", timeout=PATIENCE)
        pid = machine.pid
        assert pid is not None
        assert is_running(pid)
        machine.cut_power()
        assert machine.pid is None
        assert not is_running(pid)
        with pytest.raises(HungUp):
            machine.console.send("still there?")


@needs_qemu
def test_the_reset_button_boots_again(tmp_path: Path) -> None:
    image = boot_sector.write(tmp_path / "image", "booted")
    with Machine(Disk(image), folder=tmp_path) as machine:
        machine.console.expect("booted", timeout=PATIENCE)
        machine.press_reset_button()
        machine.console.expect("booted", timeout=PATIENCE)


@needs_qemu
def test_a_guest_that_resets_itself_boots_in_a_new_process_with_its_lines_and_disks(
    tmp_path: Path,
) -> None:
    """In the old process QEMU would be slow with the code that it translated before."""
    code = boot_sector.COUNT + boot_sector.RESET_WHEN_ASKED
    image = boot_sector.write(tmp_path / "image", "boot A", code)
    with Machine(Disk(image), folder=tmp_path) as machine:
        seen = []
        for letter in "ABC":
            machine.console.expect(f"boot {letter}!", timeout=PATIENCE)
            seen.append(machine.pid)
            machine.console.send("r")
        assert len(set(seen)) == 3


@needs_qemu
def test_the_power_button_asks_and_the_guest_switches_itself_off(tmp_path: Path) -> None:
    image = boot_sector.write(tmp_path / "image", "on", boot_sector.SWITCH_OFF_WHEN_ASKED)
    with Machine(Disk(image), folder=tmp_path) as machine:
        machine.console.expect("on", timeout=PATIENCE)
        with pytest.raises(MachineFailure, match="still on"):
            machine.wait_until_off(0.2)
        machine.press_power_button()
        machine.wait_until_off(PATIENCE)
        assert machine.pid is None


@needs_qemu
@pytest.mark.parametrize(("ending", "magic"), [("png", b"\x89PNG"), ("ppm", b"P6")])
def test_the_video_console_can_be_photographed(tmp_path: Path, ending: str, magic: bytes) -> None:
    picture = tmp_path / f"screen.{ending}"
    with Machine(folder=tmp_path) as machine:
        machine.photograph(picture)
    assert picture.read_bytes().startswith(magic)


@needs_qemu
@needs_ovmf
def test_uefi_without_a_disk_says_so_on_the_serial_port(tmp_path: Path) -> None:
    with Machine(folder=tmp_path, firmware=Firmware.UEFI) as machine:
        with pytest.raises(SawFailure) as caught:
            machine.console.expect("login: ", timeout=PATIENCE)
        assert caught.value.sign is NOT_BOOTABLE


@needs_qemu
@needs_ovmf
def test_a_network_card_sends_its_frames_into_its_wire(tmp_path: Path) -> None:
    with Wire() as wire, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as far:
        far.settimeout(PATIENCE)
        far.bind(str(wire.b.local))
        nic = Nic(MAC, wire.a)
        with Machine(folder=tmp_path, firmware=Firmware.UEFI, nics=[nic]):
            frame = far.recv(65536)
    assert frame[6:12] == bytes.fromhex(MAC.replace(":", ""))


@needs_qemu
@needs_ovmf
def test_a_card_without_its_cable_sends_nothing_and_after_a_reset_either(tmp_path: Path) -> None:
    with Wire() as wire, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as far:
        far.bind(str(wire.b.local))
        nic = Nic(MAC, wire.a)
        with Machine(folder=tmp_path, firmware=Firmware.UEFI, nics=[nic]) as machine:
            machine.unplug(0)
            machine.press_reset_button()
            machine.console.expect(NOT_BOOTABLE, timeout=PATIENCE)
            with pytest.raises(BlockingIOError):
                far.recv(65536, socket.MSG_DONTWAIT)
            machine.plug(0)
            with pytest.raises(MonitorFailure, match="set_link"):
                machine.unplug(1)


@needs_qemu
def test_machines_on_one_wire_come_and_go_in_any_order(tmp_path: Path) -> None:
    with Wire() as wire:
        one = Machine(folder=tmp_path, nics=[Nic(MAC, wire.a)], name="one")
        other = Machine(folder=tmp_path, nics=[Nic("02:00:00:00:00:02", wire.b)], name="other")
        with one, other:
            one.cut_power()
            one.start()
            other.cut_power()
            other.start()
            assert one.pid
            assert other.pid


@needs_qemu
def test_a_network_card_without_a_wire_is_on_a_closed_network(tmp_path: Path) -> None:
    with Machine(folder=tmp_path, nics=[Nic(MAC)]) as machine:
        (card,) = machine.ask("query-rx-filter")
    assert card["main-mac"] == MAC
    assert '"restrict": true' in (tmp_path / "machine.qemu.log").read_text()


@needs_qemu
def test_two_machines_do_not_mix_their_consoles(tmp_path: Path) -> None:
    names = ("one", "other")
    images = [boot_sector.write(tmp_path / name, f"this is {name}") for name in names]
    one, other = (Machine(Disk(image), folder=tmp_path, name=f"m{image.name}") for image in images)
    with one, other:
        other.console.expect("this is other", timeout=PATIENCE)
        one.console.expect("this is one", timeout=PATIENCE)
    assert (tmp_path / "mone.com1.raw").read_bytes().startswith(b"this is one")


@needs_qemu
def test_a_machine_ends_with_the_test_that_failed(tmp_path: Path) -> None:
    machine = Machine(Disk(boot_sector.write(tmp_path / "image", "on")), folder=tmp_path)
    seen: list[int] = []

    def fail() -> None:
        with machine:
            assert machine.pid is not None
            seen.append(machine.pid)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [is_running(pid) for pid in seen] == [False]
    assert not any(thread.name == "serial line" for thread in threading.enumerate())


@needs_qemu
def test_a_machine_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from qemu.machine import Machine\n"
        "with Machine(folder=Path(sys.argv[1])) as machine:\n"
        "    print(machine.pid, flush=True); time.sleep(1000)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@needs_qemu
def test_a_machine_that_qemu_refuses_shows_its_reason_and_command(tmp_path: Path) -> None:
    machine = Machine(folder=tmp_path, nics=[Nic("no address")])
    with (
        pytest.raises(MachineFailure, match=r"(?s)qemu-system-x86_64 .*no address.*[Mm]ac"),
        machine,
    ):
        pass


@needs_qemu
def test_a_refused_monitor_command_is_told(tmp_path: Path) -> None:
    with (
        Machine(folder=tmp_path) as machine,
        pytest.raises(MonitorFailure, match="refused screendump"),
    ):
        machine.photograph(tmp_path / "absent" / "screen.png")


@needs_qemu
def test_a_person_can_boot_an_image_and_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = boot_sector.write(tmp_path / "image", "hello, person", boot_sector.COUNT_UP)
    before = image.read_bytes()
    person, terminal = pty.openpty()
    with os.fdopen(terminal, "rb", 0) as keyboard, os.fdopen(os.dup(terminal), "w") as screen:
        monkeypatch.setattr("sys.stdin", keyboard)
        monkeypatch.setattr("sys.stdout", screen)
        shown = b""

        def watch() -> None:
            nonlocal shown
            while b"hello, person" not in shown:
                shown += os.read(person, 4096)
            os.write(person, b"\x1d")

        watcher = threading.Thread(target=watch)
        watcher.start()
        interactive.boot_interactively(image, firmware=Firmware.BIOS, memory=64)
        watcher.join()
    os.close(person)
    assert image.read_bytes() == before


def test_an_absent_program_is_refused_with_the_package_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match="apt install qemu-system-x86"):
        programs.find("qemu-system-x86_64")


def test_absent_firmware_is_refused_with_the_package_to_install(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="apt install ovmf"):
        find_ovmf((Ovmf(tmp_path / "code", tmp_path / "variables"),))


def test_older_firmware_is_found_where_there_is_no_newer_one(tmp_path: Path) -> None:
    older = Ovmf(tmp_path / "code", tmp_path / "variables")
    older.code.touch()
    older.variables.touch()
    assert find_ovmf((Ovmf(tmp_path / "absent", tmp_path / "too"), older)) == older


@needs_qemu
def test_kvm_is_judged_by_what_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake QEMU succeeds with both, fails with KVM, hangs with KVM, or fails with both."""
    cases = {
        f"exit {accelerator.GOT_THROUGH}": True,
        f"case $* in *kvm*) exit 1;; esac; exit {accelerator.GOT_THROUGH}": False,
        f"case $* in *kvm*) exec sleep 1000;; esac; exit {accelerator.GOT_THROUGH}": False,
        "exit 1": False,
    }
    fake = tmp_path / "qemu-system-x86_64"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for script, works in cases.items():
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        assert accelerator.kvm_works.__wrapped__() is works, script


@needs_qemu
def test_the_emulator_passes_its_trial() -> None:
    assert accelerator._trial(accelerator.Accelerator.TCG, PATIENCE) is not None


@needs_qemu
def test_a_slow_accelerator_fails_its_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eighty times as much to count simulates a slow processor."""
    count = (50_000_000).to_bytes(4, "little")
    assert count in accelerator.BOOT_SECTOR
    monkeypatch.setattr(
        accelerator, "BOOT_SECTOR", accelerator.BOOT_SECTOR.replace(count, b"\xff" * 4)
    )
    assert accelerator._trial(accelerator.Accelerator.TCG, 0.5) is None


@needs_qemu
def test_the_accelerator_is_judged_once_and_in_bounded_time() -> None:
    began = time.monotonic()
    assert isinstance(accelerator.kvm_works(), bool)
    assert time.monotonic() - began < 2 * accelerator.LONGEST + PATIENCE
    assert accelerator.kvm_works() == accelerator.kvm_works()
    assert accelerator.kvm_works.cache_info().hits >= 2
