"""The lab explains the files of the box itself."""

from dataclasses import dataclass, field
from typing import cast

from firstboot.site.render import Box, render
from firstboot.site.verify.explain import explain
from qemu.console import Output
from qemu.lab.appliance import Appliance
from qemu.lab.lab_site import EXAMPLE, SITE
from qemu.lab.proof import proof
from qemu.lab.systems import HARDENEDBSD, REHEARSAL, System
from qemu.machine import Machine

BOX = Box(2, 1536, unbound=(1, 25), openbgpd=(8, 9), tor=(0, 4, 9))
FILES = render(SITE, BOX, EXAMPLE.parents[1] / "overlays")


class Console:
    """Has the rendered files, and prints them."""

    def run(self, command: str, timeout: float, *, check: bool = True) -> Output:
        texts = {f"cat /{file.path}": file.text for file in FILES}
        return Output(texts[command], 0)


@dataclass
class Stand:
    console: Console = field(default_factory=Console)


def appliance(system: System) -> Appliance:
    return Appliance(cast(Machine, Stand()), system, SITE)


def test_what_the_box_has_is_explained() -> None:
    assert proof(appliance(HARDENEDBSD)) == explain(SITE, BOX, FILES)


def test_a_rehearsal_has_no_pf_to_explain() -> None:
    assert proof(appliance(REHEARSAL)) is None
