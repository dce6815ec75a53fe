"""A lab starts with empty folders, and one that does not come up says how the box is."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from qemu.console import Output
from qemu.failure import Failure, Late
from qemu.lab.appliance import Appliance
from qemu.lab.session import emptied, told_by


def test_a_folder_is_there_and_empty_whatever_was_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "lab" / "world"
    for _ in range(2):
        assert emptied(folder) == folder
        assert not list(folder.iterdir())
        (folder / "tor").mkdir()
        (folder / "tor" / "key").write_text("old")


@dataclass
class Asked:
    """A box that answers one command, or none."""

    answer: str | Failure

    def ran(self, command: str) -> Output:
        assert command == "exitisp status"
        if isinstance(self.answer, Failure):
            raise self.answer
        return Output(self.answer, 1)


@pytest.mark.parametrize(
    "answer", ["NOT SO: pf guards\n", Failure("no answer within 480 s")], ids=["it does", "dumb"]
)
def test_what_comes_too_late_is_told_with_what_the_box_says_of_itself(
    answer: str | Failure,
) -> None:
    with pytest.raises(Late) as late, told_by(cast(Appliance, Asked(answer))):
        raise Late("the relays: did not come within 600 s")
    first, *more = str(late.value).splitlines()
    assert first == "the relays: did not come within 600 s. exitisp status says:"
    assert more == [str(answer).rstrip()]


def test_what_comes_in_time_is_not_asked_about() -> None:
    with told_by(cast(Appliance, None)):
        pass
