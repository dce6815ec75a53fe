"""An upgrade is whole, signed and for this box, or it changes nothing; and it is tried once."""

import contextlib
import re
import shutil
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstboot.box.host import Ran
from firstboot.box.upgrade import device, health, install, switch
from firstboot.box.upgrade.slots import held, table
from firstboot.core.limits import UNVERIFIED, UPGRADE_MANIFEST
from firstboot.core.refusal import Refusal
from firstboot.core.upgrade_file import SUPERBLOCK, begin, parse, read_head, render
from tests.firstboot.box.upgrade.conftest import Made, Releases, running
from tests.firstboot.box.upgrade.disk import Disk, at_every_step
from tests.image.base.upstream import Keys

FIRST, END = SUPERBLOCK


def quiet(text: str) -> None:
    pass


def do(disk: Disk, path: Path) -> None:
    switch.upgrade(str(path), disk.machine, quiet)


def confirm(disk: Disk) -> None:
    switch.stand(disk.machine, quiet)


def states(disk: Disk) -> dict[str, str]:
    return {one.slot.label: one.state for one in held(disk.machine)}


def has(disk: Disk, label: str, made: Made) -> bool:
    """Whether the slot holds that release; what is free in it may be anything."""
    return dict(install._digests(disk.mounted(label))) == dict(made.files)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch, "PAUSE", 0.0)


def test_a_box_runs_the_new_system_and_keeps_it(box: Disk, new: Made) -> None:
    do(box, new.upgrade)
    assert "shutdown -r now" in box.calls
    assert has(box, "rootB", new)
    assert states(box) == {"rootA": "running, confirmed", "rootB": "tried at the next start"}
    assert box.start() == "rootB"
    assert states(box) == {"rootA": "confirmed", "rootB": "running, on trial"}
    confirm(box)
    assert states(box) == {"rootA": "kept", "rootB": "running, confirmed"}
    assert box.start() == "rootB"


def test_a_slot_that_nobody_confirmed_is_left_for_good(box: Disk, new: Made) -> None:
    do(box, new.upgrade)
    assert [box.start(), box.start(), box.start()] == ["rootB", "rootA", "rootA"]
    assert states(box) == {"rootA": "running, confirmed", "rootB": "failed"}


def test_a_failed_slot_takes_another_upgrade(box: Disk, new: Made) -> None:
    do(box, new.upgrade)
    assert [box.start(), box.start()] == ["rootB", "rootA"]
    do(box, new.upgrade)
    assert box.start() == "rootB"
    confirm(box)
    assert states(box)["rootB"] == "running, confirmed"


def test_the_way_back_is_tried_and_confirmed_as_well(box: Disk, new: Made) -> None:
    do(box, new.upgrade)
    box.start()
    confirm(box)
    switch.back(box.machine, quiet)
    assert box.start() == "rootA"
    confirm(box)
    assert states(box) == {"rootA": "running, confirmed", "rootB": "kept"}


def test_a_trial_can_be_ended_by_hand(box: Disk, new: Made) -> None:
    do(box, new.upgrade)
    box.start()
    box.calls.clear()
    switch.back(box.machine, quiet)
    assert "shutdown -r now" in box.calls
    assert box.start() == "rootA"


def test_there_is_nothing_to_go_back_to(box: Disk) -> None:
    with pytest.raises(Refusal, match="rootB: it holds no system to go back to"):
        switch.back(box.machine, quiet)
    assert box.start() == "rootA"


def test_a_slot_on_trial_needs_the_other_one(box: Disk, new: Made) -> None:
    do(box, new.upgrade)
    box.start()
    with pytest.raises(Refusal, match="it is on trial and needs rootA"):
        do(box, new.upgrade)
    assert box.start() == "rootA"


def test_the_table_says_what_each_slot_holds(box: Disk, new: Made) -> None:
    assert table(held(box.machine)).splitlines() == [
        "SLOT   VERSION  BASE                 STATE",
        "rootA  1.0      FreeBSD 15.1-STABLE  running, confirmed",
        "rootB  -        -                    empty",
    ]
    do(box, new.upgrade)
    box.start()
    assert table(held(box.machine)).splitlines()[1:] == [
        "rootA  1.0      FreeBSD 15.1-STABLE  confirmed",
        "rootB  1.1      FreeBSD 15.1-STABLE  running, on trial",
    ]


def test_a_system_that_came_from_no_slot_is_left_alone(box: Disk, new: Made) -> None:
    box.answers["kenv"] = Ran("", 1)
    with pytest.raises(Refusal, match="slots are rootA and rootB"):
        do(box, new.upgrade)


# What is refused changes nothing.


def refused(disk: Disk, path: Path, reason: str) -> None:
    before = disk.part("rootA").read_bytes()
    with pytest.raises(Refusal, match=reason):
        do(disk, path)
    assert "shutdown -r now" not in disk.calls
    assert disk.part("rootA").read_bytes() == before
    assert states(disk) == {"rootA": "running, confirmed", "rootB": "empty"}
    assert disk.start() == "rootA"


def untouched(disk: Disk, path: Path, reason: str) -> None:
    refused(disk, path, reason)
    assert disk.steps == 0
    assert not any(disk.part("rootB").read_bytes())


def test_an_older_version_is_refused(box: Disk, release: Releases) -> None:
    untouched(box, release("0.9").upgrade, "version 0.9 is older than this one, 1.0")


def test_the_same_version_may_be_installed_again(box: Disk, old: Made) -> None:
    do(box, old.upgrade)
    assert box.start() == "rootB"


def test_another_base_is_refused(box: Disk, release: Releases) -> None:
    other = release("1.1", base="HardenedBSD 15-STABLE")
    untouched(box, other.upgrade, "a release with .*, and this box runs FreeBSD")


def test_an_image_without_a_key_says_so(box: Disk, new: Made) -> None:
    (box.root / "usr/local/share/exitisp/allowed_signers").unlink()
    untouched(box, new.upgrade, "no key that signs releases")


def test_another_key_is_refused(box: Disk, release: Releases, tmp_path: Path) -> None:
    other = Keys.make(tmp_path / "other")
    untouched(box, release("1.1", other.private).upgrade, "no key of this image has signed it")


def test_a_signature_of_something_else_is_refused(
    box: Disk, new: Made, keys: Keys, tmp_path: Path
) -> None:
    manifest = render(new.manifest)
    path = tmp_path / "exitisp-1.1.upgrade"
    path.write_bytes(begin(manifest, keys.sign(manifest, "exitisp-release")))
    untouched(box, path, "no key of this image has signed it")


def test_a_later_form_is_refused(box: Disk, new: Made, tmp_path: Path) -> None:
    path = tmp_path / "new"
    path.write_bytes(new.upgrade.read_bytes().replace(b"upgrade 1 ", b"upgrade 2 ", 1))
    untouched(box, path, "it has form 2, and this image knows form 1")


def test_a_site_file_of_a_later_version_is_refused(
    box: Disk, new: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = box.root / "cfg/generations/0001"
    folder.mkdir(parents=True)
    monkeypatch.setattr(install, "site_of", lambda _: b"schema: 3\n")
    monkeypatch.setattr(type(box.machine), "running", lambda _: object())
    with pytest.raises(Refusal, match="up to version 2, and this box has version 3"):
        do(box, new.upgrade)
    assert box.steps == 0


@pytest.mark.parametrize("name", ["", "/etc", "other"])
def test_what_is_no_upgrade_is_refused(box: Disk, tmp_path: Path, name: str) -> None:
    (tmp_path / "other").write_bytes(bytes(100))
    path = Path(name) if name.startswith("/") else tmp_path / (name or "missing")
    untouched(box, path, "upgrade")


def test_a_cut_off_file_is_refused(box: Disk, new: Made, tmp_path: Path) -> None:
    data = new.upgrade.read_bytes()
    head = read_head(data)
    assert head is not None
    content = head.length + head.manifest + head.signature
    for length in (0, 5, head.length, head.length + 9, content - 1, content, len(data) - 1):
        path = tmp_path / "short"
        path.write_bytes(data[:length])
        untouched(box, path, "Fetch it again|no key")


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_changed_byte_is_refused(
    old: Made, new: Made, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    changed = bytearray(new.upgrade.read_bytes())
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    (folder / "changed").write_bytes(changed)
    untouched(running(old, folder / "box"), folder / "changed", "Fetch it again|no key")
    shutil.rmtree(folder)


def test_more_at_the_end_is_refused(box: Disk, new: Made, tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(new.upgrade.read_bytes() + b"\0")
    untouched(box, path, "bytes of content")


def test_another_size_of_slot_is_refused(box: Disk, new: Made) -> None:
    box.part("rootB").write_bytes(bytes(4096 * 100))
    refused(box, new.upgrade, "this disk has slots of 409600")


# What the disk makes of it.


def test_a_disk_that_loses_bytes_is_found_out(
    box: Disk, new: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = device.place

    def losing(target: int, offset: int, data: bytes) -> None:
        place(target, offset, data.replace(b"1.1", b"1.x"))

    monkeypatch.setattr(device, "place", losing)
    refused(box, new.upgrade, "what was written to rootB")


def test_what_fsck_finds_ends_it(box: Disk, new: Made) -> None:
    box.answers["fsck_ffs"] = Ran("** /dev/gpt/rootB\nUNREF FILE I=7\n", 0)
    refused(box, new.upgrade, "not what the upgrade holds: UNREF FILE I=7")


def test_a_disk_that_takes_nothing_ends_it(
    box: Disk, new: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(target: int, offset: int, data: bytes) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(device, "place", full)
    with pytest.raises(Refusal, match="the slot cannot be written: Input/output error"):
        do(box, new.upgrade)
    assert box.start() == "rootA"


def test_a_table_that_cannot_be_changed_ends_it(box: Disk, new: Made) -> None:
    box.answers["gpart set"] = Ran("gpart: Operation not permitted", 1)
    with pytest.raises(Refusal, match="gpart cannot set bootonce: gpart: Operation not permitted"):
        do(box, new.upgrade)
    assert "shutdown -r now" not in box.calls
    assert box.start() == "rootA"


# Power cuts.


@pytest.fixture
def stepping(monkeypatch: pytest.MonkeyPatch) -> Callable[[Disk], Disk]:
    """A disk each write to which is a step."""
    place = device.place

    def of(disk: Disk) -> Disk:
        def counted(target: int, offset: int, data: bytes) -> None:
            disk.step()
            place(target, offset, data)

        monkeypatch.setattr(device, "place", counted)
        return disk

    return of


def test_a_power_cut_leaves_the_old_system_or_the_whole_new_one(
    old: Made, new: Made, tmp_path: Path, stepping: Callable[[Disk], Disk]
) -> None:
    """At every write and every change of the table, from a slot that holds another system."""
    number = iter(range(1000))

    def prepare() -> Disk:
        disk = running(old, tmp_path / str(next(number)))
        disk.part("rootB").write_bytes(old.slot)
        return stepping(disk)

    seen = set()
    for disk in at_every_step(prepare, lambda disk: do(disk, new.upgrade)):
        assert has(disk, "rootA", old)
        if disk.holds_a_system("rootB"):
            assert has(disk, "rootB", old) or has(disk, "rootB", new)
        started = disk.start()
        assert started in ("rootA", "rootB")
        assert started == "rootA" or has(disk, "rootB", new)
        seen.add(started)
        if started == "rootB":
            assert disk.start() == "rootA"
        shutil.rmtree(disk.root)
    assert seen == {"rootA", "rootB"}
    assert next(number) > 8


def test_a_power_cut_while_a_slot_is_confirmed_leaves_one_that_works(
    old: Made, new: Made, tmp_path: Path, stepping: Callable[[Disk], Disk]
) -> None:
    number = iter(range(1000))

    def prepare() -> Disk:
        disk = running(old, tmp_path / str(next(number)))
        do(disk, new.upgrade)
        disk.start()
        disk.steps = 0
        return disk

    ends = []
    for disk in at_every_step(prepare, confirm):
        disk.cut_before = None
        ends.append(disk.start())
        if "trial" in states(disk)[disk.slot]:
            confirm(disk)
        assert [disk.start(), disk.start()] == [disk.slot, disk.slot]
        shutil.rmtree(disk.root)
    assert ends == ["rootA", "rootB", "rootB", "rootB"]


# The signs.


def signs(monkeypatch: pytest.MonkeyPatch, *seen: set[str]) -> None:
    """What is seen of the box, one time after the other; then the last for ever."""
    left = list(seen)
    monkeypatch.setattr(
        health, "signs", lambda _: frozenset(left.pop(0) if len(left) > 1 else left[0])
    )


def test_a_slot_is_confirmed_once_everything_is_as_before(
    box: Disk, new: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    signs(monkeypatch, {"a", "b"}, set(), {"a"}, {"a", "b", "c"})
    do(box, new.upgrade)
    box.start()
    switch.stand(box.machine, said.append)
    assert said == [
        "rootB on trial: not yet so: a; b.",
        "rootB on trial: not yet so: b.",
        "rootB is confirmed.",
    ]
    assert (box.machine.state / switch.CONFIRMED).exists()


def test_what_did_not_work_before_is_no_reason_to_go_back(
    box: Disk, new: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs(monkeypatch, set())
    do(box, new.upgrade)
    box.start()
    confirm(box)
    assert states(box)["rootB"] == "running, confirmed"


def test_a_slot_that_lacks_something_is_never_confirmed(
    box: Disk, new: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(BaseException):
        """The guard started the box anew."""

    looks = iter(range(50))

    def sleep(_: float) -> None:
        if next(looks, None) is None:
            raise Ended

    signs(monkeypatch, {"a", "b"}, {"b"})
    do(box, new.upgrade)
    box.start()
    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(Ended):
        confirm(box)
    assert box.start() == "rootA"
    assert states(box)["rootB"] == "failed"


def test_signs_that_cannot_be_kept_end_it(box: Disk, new: Made) -> None:
    (box.root / "cfg/state").write_text("in the way")
    with pytest.raises(Refusal, match="what works now cannot be kept there"):
        do(box, new.upgrade)
    assert box.start() == "rootA"


# Downloads.


def test_an_address_is_fetched_and_removed_afterwards(box: Disk, new: Made) -> None:
    path = box.root / "data/upgrade/exitisp-1.1.upgrade"

    def fetched(disk: Disk) -> None:
        shutil.copyfile(new.upgrade, path)

    box.on_fetch = fetched
    switch.upgrade("https://releases.example.net/exitisp-1.1.upgrade", box.machine, quiet)
    (call,) = (call for call in box.calls if " fetch " in f" {call} ")
    assert call.endswith(f"-r -o {path} https://releases.example.net/exitisp-1.1.upgrade")
    assert not path.exists()
    assert box.start() == "rootB"


def test_a_download_that_is_damaged_is_not_gone_on_with(box: Disk) -> None:
    path = box.root / "data/upgrade/exitisp-1.1.upgrade"
    box.on_fetch = lambda _: path.write_bytes(b"<html>not found")
    with pytest.raises(Refusal, match="it is not an upgrade"):
        switch.upgrade("https://releases.example.net/exitisp-1.1.upgrade", box.machine, quiet)
    assert not path.exists()


@pytest.mark.parametrize("reason", ["transfer timed out", "No space left on device"])
def test_a_download_that_ends_early_can_go_on(box: Disk, reason: str) -> None:
    path = box.root / "data/upgrade/exitisp-1.1.upgrade"
    path.parent.mkdir()
    path.write_bytes(b"exitisp-up")
    box.answers["env fetch"] = Ran(f"fetch: {reason}", 1)
    with pytest.raises(
        Refusal, match=f"cannot be downloaded: fetch: {reason}. Run the same command again"
    ):
        switch.upgrade("https://releases.example.net/exitisp-1.1.upgrade", box.machine, quiet)
    assert path.exists()


@pytest.mark.parametrize(
    "address", ["http://example.net/a", "https://example.net/", "ftp://x/y", "https://x/.."]
)
def test_other_addresses_are_refused(box: Disk, address: str) -> None:
    with pytest.raises(Refusal, match="not https:// and the name of a file"):
        switch.upgrade(address, box.machine, quiet)


def test_whatever_is_in_the_folder_of_downloads_makes_room(box: Disk) -> None:
    folder = box.root / "data/upgrade"
    (folder / "older.upgrade" / "deep").mkdir(parents=True)
    (folder / "exitisp-1.1.upgrade").mkdir()
    (folder / "link").symlink_to(box.root / "data")
    box.answers["env fetch"] = Ran("fetch: gone", 1)
    with pytest.raises(Refusal, match="cannot be downloaded: fetch: gone"):
        switch.upgrade("https://releases.example.net/exitisp-1.1.upgrade", box.machine, quiet)
    assert list(folder.iterdir()) == []
    assert (box.root / "data").is_dir()


def test_a_place_for_downloads_that_is_none_is_refused(box: Disk) -> None:
    address = "https://releases.example.net/exitisp-1.1.upgrade"
    (box.root / "data/upgrade").write_bytes(b"")
    with pytest.raises(Refusal, match="downloads cannot be kept there: File exists"):
        switch.upgrade(address, box.machine, quiet)
    shutil.rmtree(box.root / "data")
    with pytest.raises(Refusal, match="downloads cannot be kept there: No such file"):
        switch.upgrade(address, box.machine, quiet)


def test_a_manifest_that_says_it_is_huge_is_refused_unread(box: Disk, tmp_path: Path) -> None:
    path = tmp_path / "exitisp-1.1.upgrade"
    path.write_bytes(b"exitisp-upgrade 1 99999999 300\n")
    with pytest.raises(Refusal, match="its manifest has 99999999 bytes, as none of ours has"):
        switch.upgrade(str(path), box.machine, quiet)


# The form.


def test_an_upgrade_that_nobody_signed_takes_little_memory(box: Disk, tmp_path: Path) -> None:
    """The longest manifest and signature that are read before that is known."""
    path = tmp_path / "x"
    path.write_bytes(begin(b" " * UPGRADE_MANIFEST.size, b"x" * 99_999))
    tracemalloc.start()
    try:
        with pytest.raises(Refusal, match="no key of this image has signed it"):
            do(box, path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < UNVERIFIED


def test_the_manifest_reads_as_it_was_written(new: Made) -> None:
    assert parse(render(new.manifest)) == new.manifest


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_no_bytes_are_worse_than_a_refusal(data: bytes) -> None:
    read_head(data)
    with contextlib.suppress(ValueError, RecursionError):
        parse(data)


def test_pieces_are_the_spans_with_the_superblock_apart() -> None:
    assert list(install.pieces(((0, 131072), (200704, 204800)))) == [
        (0, FIRST),
        (FIRST, END),
        (END, 131072),
        (200704, 204800),
    ]
    found = list(install.pieces(((0, 5 << 20),)))
    assert [low for low, _ in found] == sorted(low for low, _ in found)
    assert sum(high - low for low, high in found) == 5 << 20


def test_the_upgrade_leaves_out_what_is_free(new: Made) -> None:
    assert new.manifest.content.size < len(new.slot) // 2
    assert re.match(rb"exitisp-upgrade 1 \d+ \d+\n", new.upgrade.read_bytes())
