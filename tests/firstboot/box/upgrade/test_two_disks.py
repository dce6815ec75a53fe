"""Two disks of the image in one machine: the box works on the one that its root is on, and says so.

Both have the same labels, and GEOM gives each label to one of them.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from firstboot.box.commands import status
from firstboot.box.host import Ran
from firstboot.box.upgrade import switch
from firstboot.box.upgrade.slots import other_disks, slots
from firstboot.core.refusal import Refusal
from tests.firstboot.box.box import Box
from tests.firstboot.box.rc import Script
from tests.firstboot.box.upgrade.conftest import Made
from tests.firstboot.box.upgrade.disk import Disk

OTHER = """\
=>     40  8388528    nda0  GPT  (4.0G)
     2048    81920  nda0p1  efi  (40M)
    83968  2097152  nda0p3  rootA  (1.0G)
  2181120  2097152  nda0p4  rootB  [bootonce,bootme]  (1.0G)
"""
OWN = "     gpt/efi  N/A  nda0p1\n   gpt/rootA  N/A  ada0p3\n   gpt/rootB  N/A  nda0p4\n"


@dataclass
class Beside(Disk):
    """The other disk comes before this one."""

    def _show(self) -> str:
        return OTHER + super()._show()


@pytest.fixture
def two(box: Disk) -> Disk:
    disk = Beside(box.root)
    disk.answers["glabel status -s"] = Ran(OWN, 0)
    return disk


def test_slots_are_those_of_the_disk_that_the_root_is_on(two: Disk) -> None:
    both = slots(two.machine)
    assert {both.running.disk, both.idle.disk} == {"ada0"}
    assert not both.running.trying
    assert not both.idle.marks
    assert other_disks(two.machine) == ("nda0",)


def test_one_disk_is_alone(box: Disk) -> None:
    assert slots(box.machine).running.disk == "ada0"
    assert other_disks(box.machine) == ()


def test_an_upgrade_marks_the_own_disk_alone(two: Disk, new: Made) -> None:
    switch.upgrade(str(new.upgrade), two.machine, lambda _: None)
    marked = [call for call in two.calls if call.startswith(("gpart set", "gpart unset"))]
    assert marked
    assert all(call.endswith(" ada0") for call in marked)


@pytest.mark.parametrize("told", ["", "   gpt/rootB  N/A  ada0p4\n"])
def test_nothing_is_touched_if_nobody_knows_which_disk_it_is(two: Disk, told: str) -> None:
    two.answers["glabel status -s"] = Ran(told, 0)
    with pytest.raises(Refusal, match="was started from 'rootA', and its disk has no slots"):
        slots(two.machine)


def test_status_says_so(box: Disk, tmp_path: Path) -> None:
    one = Box(tmp_path / "one")
    one.answer("kenv -q exitisp.slot", "rootA\n")
    one.answer("gpart show -lp", OTHER + box._show())
    one.answer("glabel status -s", OWN)
    said: list[str] = []
    status(one.machine, said.append)
    assert "another disk with this image: nda0. The box works on ada0 alone" in said[0]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """nda0 has the labels of all partitions but the root."""
    made = Script.make(tmp_path, "base", "disk", "usr/local/libexec/exitisp")
    (tmp_path / "dev").mkdir()
    own = OTHER.replace("nda0", "ada0").replace("bootonce,bootme", "bootfailed")
    (tmp_path / "ada0").write_text(own)
    (tmp_path / "nda0").write_text(OTHER)
    (tmp_path / "labels").write_text(OWN)
    made.program("kenv", "echo rootA")
    made.program("gpart", f"cd {tmp_path}; cat ${{3:-nda0 ada0}}")
    made.program(
        "glabel",
        f"""cd {tmp_path}
case $1 in
status) cat labels ;;
stop) grep -v "$2 " labels >less; mv less labels; echo "$2" >>stopped ;;
esac""",
    )
    return made


def test_the_script_tells_the_own_disk_and_its_marks(script: Script) -> None:
    assert script.run("name").stdout == "ada0\n"
    assert script.run("others").stdout == "nda0\n"
    assert script.run("marks", "rootB").stdout == "bootfailed\n"


def test_labels_are_taken_from_the_other_disk(script: Script) -> None:
    """A provider that was opened for writing gets its label, if that is free."""
    assert not script.run("own").stderr
    root = script.root
    assert (root / "stopped").read_text().split() == ["gpt/efi", "gpt/rootB"]
    assert sorted(path.name for path in (root / "dev").iterdir()) == ["ada0p1", "ada0p4"]


def test_with_one_disk_no_label_is_touched(script: Script) -> None:
    (script.root / "nda0").write_text("")
    script.run("own")
    assert not (script.root / "stopped").exists()
    assert not list((script.root / "dev").iterdir())
