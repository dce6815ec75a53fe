"""The table of faults, and the page that shows it."""

import difflib
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from firstboot.core.refusal import Refusal
from firstboot.site.model import PortRole
from firstboot.site.render import Box, render
from qemu.console import Output
from qemu.lab.appliance import Appliance
from qemu.lab.checks import Verdict
from qemu.lab.failover import FAILOVERS
from qemu.lab.faults import FAULTS, SEALED, Fault, named
from qemu.lab.lab_site import SITE
from qemu.lab.pair import OWN
from qemu.lab.picture import draw
from qemu.lab.probe import probe
from qemu.lab.probes import CHECKS, announced, fetched, healthy
from qemu.lab.progress import Progress
from qemu.lab.report import Status
from qemu.lab.run import status, tried
from qemu.lab.session import Lab
from qemu.lab.systems import HARDENEDBSD, REHEARSAL, System
from qemu.world.internet import Internet
from qemu.world.net import Failed

DOCS = Path(__file__).parents[3] / "docs"


def row(fault: Fault) -> tuple[str, str]:
    return fault.name, fault.what


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len(FAULTS) >= 12
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert "all" not in {fault.name for fault in FAULTS}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_leaks_whatever_happens(fault: Fault) -> None:
    assert set(SEALED) <= set(fault.holds)
    assert fault.what.endswith(".")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_afterwards_the_box_announces_serves_and_finds_nothing_wrong(fault: Fault) -> None:
    assert {announced, fetched, healthy} <= set(fault.after)


def test_they_are_found_by_name() -> None:
    assert named("all", HARDENEDBSD, SITE) == FAULTS
    assert [fault.name for fault in named("power-cut", HARDENEDBSD, SITE)] == ["power-cut"]
    with pytest.raises(Refusal, match="Name all, or one of resolver-everywhere, "):
        named("nonsense", HARDENEDBSD, SITE)


CLOCKS = ("of-a-dead-battery", "of-1970", "half-a-year-back", "a-year-ahead", "ten-years-ahead")


def test_a_rehearsal_has_none_of_what_it_lacks() -> None:
    possible = {fault.name for fault in named("all", REHEARSAL, SITE)}
    assert {fault.name for fault in FAULTS} - possible == {
        *(f"clock-{one}" for one in CLOCKS),
        "card-gone",
        "cfg-unreadable",
        "others-hung",
        "others-killed",
        "pf-disabled",
        "pf-missing",
        "resolver-everywhere",
    }
    with pytest.raises(Refusal, match="no fault of the base rehearsal"):
        named("pf-disabled", REHEARSAL, SITE)


def test_one_that_cannot_be_inflicted_holds_nothing_is_undone_and_told() -> None:
    lab = Lab(cast(Internet, None), cast(Appliance, None), SITE, Progress())
    asked: list[str] = []

    def inflict(_: Lab) -> None:
        raise Failed("ip: File exists\nmore")

    def undo(_: Lab) -> None:
        asked.append("undo")

    @probe("It is seen.")
    def seen(_: Lab) -> Verdict:
        asked.append("seen")
        return Verdict("seen", True, "as it was")

    trial = tried(Fault("fault", "A fault.", inflict, undo, (seen,), (seen,)), lab)
    assert trial.status is None
    assert asked == ["undo", "seen"]
    assert trial.verdicts == (
        Verdict("inflicted", False, "ip: File exists"),
        Verdict("seen again", True, "as it was", "It is seen."),
    )
    assert not trial.holds


class Says:
    """An appliance that prints `text`, whatever it is asked."""

    def __init__(self, text: str) -> None:
        self.text = text

    def ran(self, command: str) -> Output:
        return Output(self.text, 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'vtnet2: link state changed to DOWN\n{"well": false, "findings": [\n'
            '{"text": "up: BGP", "cause": null}, {"text": "DOWN: log", "cause": "log: it runs"}]}',
            Status(False, ("DOWN: log",)),
        ),
        ('{"well": true, "findings": []}\n', Status(True, ())),
        ('{"well": true, "find\nvtnet2: link state changed to DOWN\nings": []}', None),
        ("exitisp: interrupted", None),
        ('{"well": true}', None),
    ],
)
def test_what_the_box_says_of_itself_is_kept_if_it_can_be_read(
    text: str, told: Status | None
) -> None:
    lab = Lab(cast(Internet, None), cast(Appliance, Says(text)), SITE, Progress())
    assert status(lab) == told


def test_the_replay_of_2018_breaks_the_filter_of_the_exchange_s_port_alone(tmp_path: Path) -> None:
    """In the form that pf.conf has on the box."""
    box = Box(2, 1536, unbound=(1, 25), openbgpd=(8, 9), tor=(0, 4, 9))
    files = render(SITE, box, DOCS.parent / "overlays")
    (text,) = (one.text for one in files if one.path == "etc/pf.conf")
    (tmp_path / "pf.conf").write_text(text)
    port = next(one for one in SITE.ports if one.role is PortRole.EXCHANGE)
    command = HARDENEDBSD.open_filter.format(port=port.interface, number=3)
    command = command.replace("/etc/pf.conf", str(tmp_path / "pf.conf")).partition(" | pfctl")[0]
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    added = [line for line in difflib.ndiff(text.splitlines(), done.stdout.splitlines())
             if line[0] in "+-"]  # fmt: skip
    opened = f"pass out quick on {port.interface} proto {{ tcp udp }} from any to any port 53"
    assert added == [f"+ {opened} no state"]
    assert done.stdout.index(opened) < done.stdout.index(f"quick on {{ {port.interface} }} inet")


def test_the_page_has_all_faults() -> None:
    page = (DOCS / "lab.md").read_text()
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| ([^|]+?) \|", page, re.MULTILINE)
    of_pairs = {one.name for one in FAILOVERS} | {one.name for one in OWN}
    rows = [found for found in rows if found[0] not in of_pairs]
    assert [found for found in rows if found[0] not in CHECKS] == [row(one) for one in FAULTS]


def test_the_page_has_what_two_boxes_go_through() -> None:
    page = (DOCS / "lab.md").read_text()
    for check in OWN:
        assert f"| `{check.name}` | {check.explanation} |" in page
    rows = re.findall(r"^\| `([a-z-]+)` \| ([A-Za-z][^|]+) \| ", page, re.MULTILINE)
    names = {one.name for one in FAILOVERS}
    found = [row for row in rows if row[0] in names]
    assert found == [(one.name, one.what) for one in FAILOVERS]


def test_the_page_has_all_checks_and_what_the_report_says_of_each() -> None:
    page = (DOCS / "lab.md").read_text()
    rows = re.findall(r"^\| `([a-z]+)` \| ([^|]+?) \|$", page, re.MULTILINE)
    found = [(name, text) for name, text in rows if name in CHECKS]
    assert found == [(check.name, check.explanation) for check in CHECKS.values()]


def test_the_picture_of_the_page_is_the_site_of_the_lab() -> None:
    assert (DOCS / "lab.svg").read_text() == draw(SITE) + "\n"


@pytest.mark.parametrize(
    ("system", "command"),
    [(HARDENEDBSD, "date -u 202611300905.07"), (REHEARSAL, "date -u 113009052026.07")],
    ids=lambda one: getattr(one, "base", ""),
)
def test_each_system_is_told_the_time_in_its_own_form(system: System, command: str) -> None:
    """FreeBSD's date(1) has the year first, that of GNU and busybox behind the minute."""
    assert datetime(2026, 11, 30, 9, 5, 7, tzinfo=UTC).strftime(system.date) == command
