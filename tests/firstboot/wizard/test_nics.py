"""Network cards as the wizard shows and compares them."""

from dataclasses import replace

from firstboot.wizard import nics
from firstboot.wizard.nics import Nic
from tests.firstboot.wizard.talk import NICS


def test_a_link_that_goes_down_is_a_change() -> None:
    assert nics.changed(NICS, (replace(NICS[0], link=False), *NICS[1:])) == ("ix0",)
    assert nics.changed(NICS, NICS) == ()


def test_the_table_is_as_narrow_as_a_terminal() -> None:
    wide = Nic("ix0", "x" * 80, "00:25:90:aa:bb:cc", True, "y" * 40)
    assert all(len(line) < 80 for line in nics.table([wide]).splitlines())
