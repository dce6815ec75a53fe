"""A capture is read while it grows: whole frames at once, half ones later."""

from pathlib import Path

from qemu.world.cable import INBOUND, OUTBOUND, Record
from qemu.world.packets import ARP, Reader

FRAME = bytes(6) + bytes.fromhex("02005e100001") + ARP.to_bytes(2, "big") + bytes(28)


def test_every_whole_frame_is_read_the_last_one_too(tmp_path: Path) -> None:
    record = Record(str(tmp_path / "wire.pcapng"))
    reader = Reader(tmp_path / "wire.pcapng")
    assert reader.more() == []
    record.add(FRAME, INBOUND)
    (first,) = reader.more()
    assert (first.source, first.inbound) == ("02:00:5e:10:00:01", True)
    record.add(FRAME, OUTBOUND)
    record.add(FRAME, INBOUND)
    assert [frame.inbound for frame in reader.more()] == [False, True]
    assert reader.more() == []


def test_half_a_frame_is_read_once_its_rest_is_there(tmp_path: Path) -> None:
    whole, growing = tmp_path / "whole.pcapng", tmp_path / "growing.pcapng"
    Record(str(whole)).add(FRAME, INBOUND)
    data = whole.read_bytes()
    growing.write_bytes(data[:-1])
    reader = Reader(growing)
    assert reader.more() == []
    growing.write_bytes(data)
    assert len(reader.more()) == 1
