"""Network cards in /sys/class/net."""

from pathlib import Path

from firstboot.box.systems.rehearsal import nics
from firstboot.wizard.nics import Nic


def test_cards_are_read_from_files(tmp_path: Path) -> None:
    drivers = tmp_path / "drivers" / "ixgbe"
    drivers.mkdir(parents=True)
    for name, kind, device in (("eth0", "1", True), ("lo", "772", False), ("br0", "1", False)):
        card = tmp_path / "net" / name
        card.mkdir(parents=True)
        (card / "type").write_text(f"{kind}\n")
        (card / "address").write_text("00:25:90:aa:bb:cc\n")
        (card / "carrier").write_text("1\n")
        (card / "speed").write_text("10000\n")
        if device:
            (card / "device").mkdir()
            (card / "device" / "driver").symlink_to(drivers)
    assert nics.read(tmp_path / "net") == (
        Nic("eth0", "ixgbe", "00:25:90:aa:bb:cc", True, "10000 Mbit/s"),
    )
    assert nics.read(tmp_path / "nothing") == ()
