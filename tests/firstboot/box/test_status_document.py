"""What `exitisp status --json` prints is as docs/status.schema.json says."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from firstboot.box import commands
from firstboot.box.clock import NTPQ
from firstboot.box.rpki import CLIENT
from tests.firstboot.box.box import ROOT, Box, example
from tests.firstboot.box.test_apply import Told, configured
from tests.firstboot.box.test_clock import SYSINFO

SCHEMA = json.loads((ROOT / "docs/status.schema.json").read_text())


def document(box: Box) -> tuple[bool, dict[str, Any]]:
    told = Told()
    good = commands.status_document(box.machine, told)
    found = json.loads("\n".join(told))
    jsonschema.validate(found, SCHEMA)
    return good, found


def installed(box: Box, *programs: str) -> None:
    for program in programs:
        path = box.root / program.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)


def test_a_box_that_is_well(box: Box) -> None:
    configured(box)
    installed(box, NTPQ, CLIENT)
    box.answer("ntpq -n -c sysinfo -c rv 0 offset", SYSINFO)
    good, found = document(box)
    assert good
    assert (found["running"], found["current"], found["ports_up"]) == (1, 1, True)
    assert found["leaks"] == {"since_boot": 0, "last_hour": 0}
    assert found["drained"] == []
    assert found["rpki"]["age"] is None
    first = found["sessions"][0]
    assert (first["peer"], first["received"], first["announced"], first["expected"]) == (
        *("upstream-a", 1000, 1),
        1,
    )
    assert all(one["well"] for one in found["sessions"])


@pytest.mark.parametrize(
    "spoils",
    [
        lambda box: box.programs.up.discard("ntpd"),
        lambda box: box.answer("/usr/local/libexec/exitisp/bgpctl -j show neighbor", ""),
        lambda box: (box.machine.state / "drains.json").write_text("{"),
        lambda box: box.answer("pfctl -s info", "Status: Disabled"),
    ],
)
def test_a_box_that_is_not(box: Box, spoils: Callable[[Box], None]) -> None:
    configured(box)
    spoils(box)
    good, found = document(box)
    assert not good
    assert not found["well"]
    assert [one for one in found["findings"] if one["wrong"] and one["cause"]]


def test_a_session_that_the_neighbour_has_down_is_not_well_and_the_box_is(box: Box) -> None:
    configured(box)
    box.speaks(example().value, state="Active")
    good, found = document(box)
    assert good
    assert found["well"]
    assert [one["well"] for one in found["sessions"]].count(False) == 1
    (told,) = (one for one in found["findings"] if one["text"].startswith("DOWN: BGP"))
    assert told["cause"]
    assert not told["wrong"]


def test_a_box_that_is_not_configured(box: Box) -> None:
    good, found = document(box)
    assert not good
    assert found["running"] is None
