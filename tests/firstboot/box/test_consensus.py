"""What the Tor network says of the relays, from the consensus that they keep."""

import base64
import os
import time
from pathlib import Path

import pytest

from firstboot.box import commands
from firstboot.box.consensus import NAMES, look, parse
from firstboot.core.refusal import Refusal
from firstboot.site.address_plan import allot
from tests.firstboot.box.box import Box, example
from tests.firstboot.box.test_apply import Told, configured

RELAYS = allot(example().value).relays
GOOD = "Exit Fast Guard Running Stable V2Dir Valid"

IDENTITY = base64.b64encode(bytes.fromhex(f"{1:040X}")).decode().rstrip("=")


def consensus(flags: dict[int, str], age: float = 600) -> str:
    """One with these relays, each with its flags, as authorities make it."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - age))
    lines = ["network-status-version 3 microdesc", "vote-status consensus", f"valid-after {when}"]
    for number, its in {999: "Running", **flags, 998: "BadExit"}.items():
        identity = base64.b64encode(bytes.fromhex(f"{number:040X}")).decode().rstrip("=")
        lines += [f"r Relay{number} {identity} 2038-01-01 00:00:00 192.0.2.1 443 0"]
        lines += ["a [2001:db8::1]:443", "m aGVsbG8", f"s {its}", "v Tor 0.4.9.1", "w Bandwidth=1"]
    return "\n".join([*lines, "directory-footer", ""])


CONSENSUS = consensus({1: GOOD})


def started(box: Box) -> Box:
    """A configured box whose relays have started once."""
    return with_fingerprints(configured(box))


def with_fingerprints(box: Box) -> Box:
    for relay in RELAYS:
        folder = box.root / f"data/tor/relay{relay.number}"
        folder.mkdir(parents=True)
        (folder / "fingerprint").write_text(f"{relay.nickname} {relay.number:040X}\n")
    return box


def all_listed(box: Box) -> Box:
    """Its relays have started, and a consensus has them all."""
    keeps(with_fingerprints(box), consensus(dict.fromkeys(range(1, len(RELAYS) + 1), GOOD)))
    return box


def keeps(box: Box, text: str, number: int = 2, name: str = NAMES[0]) -> Path:
    path = box.root / f"data/tor/relay{number}/{name}"
    path.write_text(text)
    return path


def told(box: Box) -> list[str]:
    said = Told()
    assert commands.status(box.machine, said)
    words = ("consensus", "OLD", "NOT LISTED", "BAD EXIT", "NO EXIT", "UNKNOWN")
    return [line for line in said if line.startswith(words)]


def test_flags_of_all_relays_are_told_in_a_line(box: Box) -> None:
    keeps(started(box), consensus(dict.fromkeys(range(1, len(RELAYS) + 1), GOOD)))
    (line,) = told(box)
    many = len(RELAYS)
    assert line.startswith("consensus of ")
    assert f": {many} of {many} relays: Exit {many}, Fast {many}, Guard {many}" in line


def test_each_relay_that_lacks_something_is_told(box: Box) -> None:
    flags = dict.fromkeys(range(1, len(RELAYS) + 1), GOOD)
    del flags[2]
    flags |= {3: "Running Valid", 4: f"BadExit {GOOD}"}
    keeps(started(box), consensus(flags))
    _, *lines = told(box)
    assert [line.partition(",")[0] for line in lines] == [
        "NOT LISTED: relay 2",
        "NO EXIT: relay 3",
        "BAD EXIT: relay 4",
    ]


def test_the_newest_one_counts_whoever_has_it(box: Box) -> None:
    started(box)
    old = keeps(box, consensus({}), number=1, name=NAMES[1])
    os.utime(old, (1, 1))
    keeps(box, consensus({1: GOOD}), number=3)
    found = look(example().value, box.machine)
    assert found
    assert found.relays[0].flags == tuple(GOOD.split())
    assert found.relays[1].flags is None


def test_an_old_one_says_nothing_of_the_relays(box: Box) -> None:
    keeps(started(box), consensus({}, age=26 * 3600))
    (line,) = told(box)
    assert line.startswith("OLD: consensus of ")


def test_without_one_that_is_told(box: Box) -> None:
    assert told(started(box)) == ["consensus: no relay has one of the Tor network yet"]


@pytest.mark.parametrize("text", ["", "network-status-version 3\n", "r a b\ns Exit\n"])
def test_a_damaged_one_is_told(box: Box, text: str) -> None:
    keeps(started(box), text)
    (line,) = told(box)
    assert line.startswith("UNKNOWN: what the Tor network says of the relays")


def test_a_relay_leads_nobody_elsewhere(box: Box, tmp_path: Path) -> None:
    started(box)
    other = tmp_path / "other"
    other.write_text(consensus({1: GOOD}))
    (box.root / f"data/tor/relay1/{NAMES[0]}").symlink_to(other)
    os.mkfifo(box.root / f"data/tor/relay2/{NAMES[0]}")
    assert look(example().value, box.machine) is None


def test_an_identity_counts_only_where_a_relay_has_it() -> None:
    other = CONSENSUS.replace(f"r Relay1 {IDENTITY} ", f"r Relay1 other {IDENTITY} ")
    assert parse(other.encode(), {1: IDENTITY})[1] == {}
    assert parse(CONSENSUS.encode(), {1: IDENTITY})[1] == {1: tuple(GOOD.split())}


def test_flags_of_the_next_relay_are_not_taken() -> None:
    without = CONSENSUS.replace(f"s {GOOD}\n", "")
    assert parse(without.encode(), {1: IDENTITY})[1] == {1: ()}


def test_a_fingerprint_that_is_none_is_refused(box: Box) -> None:
    keeps(started(box), CONSENSUS)
    (box.root / "data/tor/relay1/fingerprint").write_text("?")
    with pytest.raises(Refusal):
        look(example().value, box.machine)
