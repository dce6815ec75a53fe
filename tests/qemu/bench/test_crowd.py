"""The resolver under load, measured on this machine."""

import json
import shutil
from pathlib import Path

import pytest

from qemu.bench import crowd
from qemu.bench.crowd import BASE, RENDERED, STOCK, Seen
from qemu.bench.dnsperf import LOST, Run
from qemu.world.net import Failed, Unable

SAID = """\
[Status] Testing complete (end of file)
> NOERROR n0.people A 0.000298
> SERVFAIL n1.people A 0.900000
> T n2.people A
> NOERROR n3.people A 0.002000

Statistics:

  Queries sent:         4
  Run time (s):         0.500000
"""


def test_what_is_not_answered_as_it_should_be_is_lost() -> None:
    seen = Run.read(SAID)
    assert (seen.rate, seen.lost, seen.late) == (4.0, 50.0, 2.0)


def test_a_run_without_an_answer_loses_all_and_is_as_late_as_can_be() -> None:
    seen = Run.read(SAID.replace("NOERROR", "SERVFAIL"))
    assert (seen.rate, seen.lost, seen.late) == (0.0, 100.0, 1000.0 * LOST)


@pytest.mark.parametrize("said", ["", SAID.replace("sent:         4", "sent:         0")])
def test_a_run_that_asked_nothing_is_no_figure(said: str) -> None:
    with pytest.raises(Failed, match="dnsperf asked nothing"):
        Run.read(said)


def test_the_table_compares_the_sides_of_each_round() -> None:
    """A round on a slow machine has the ratio of a fast one."""

    def seen(questions: float, late: float) -> Seen:
        return Seen(questions, 36.0, 10.0, 0.0, 50.0, late, 0.0, 20.0, 0.0)

    told = crowd.table(
        {
            RENDERED: [seen(300.0, 15.0), seen(30.0, 25.0)],
            STOCK: [seen(200.0, 10.0), seen(20.0, 10.0)],
        }
    )
    assert "rendered / stock, new names a second: 1.50 (1.50-1.50)" in told
    assert "rendered, others' 99 % under the flood / alone: 2.00 (1.50-2.50)" in told


@pytest.mark.xdist_group("world")
def test_each_side_answers_and_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for program in ("dnsperf", "unbound", "nsd", "ldns-signzone"):
        if not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            pytest.skip(f"no {program} here")
    for name in ("ROUNDS", "QUIET", "DEAD_BEFORE"):
        monkeypatch.setattr(crowd, name, 1)
    for name, value in (("NAMES", 2000), ("FLOOD_SECONDS", 3), ("DEAD", 5), ("DEAD_SECONDS", 4)):
        monkeypatch.setattr(crowd, name, value)
    try:
        crowd.measure(tmp_path / "out" / "bench.json", 20)
    except Unable as reason:
        pytest.skip(str(reason))
    told = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert told.keys() == {RENDERED, BASE, STOCK}
    assert all(
        one["questions"] > 0 and one["cost"] > 0 and one["flood"] > 0 for (one,) in told.values()
    )
    assert all(one["quiet_lost"] < 50 and one["flood_lost"] < 50 for (one,) in told.values())
    assert "dead delegations, others: lost, %" in capsys.readouterr().out
