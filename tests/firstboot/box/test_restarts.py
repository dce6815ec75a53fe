"""How often a daemon is restarted: pauses that grow, a limit, and the record of it."""

import itertools
import math
from pathlib import Path

import pytest

from firstboot.box.restarts import DAY, FIRST_PAUSE, LIMIT, History, read, spent, told, wait, write
from firstboot.core.limits import RESTARTS
from firstboot.core.refusal import Refusal


def restarts(*, until: float) -> list[float]:
    """When a daemon that never comes up is restarted, if somebody looks every minute."""
    times: list[float] = []
    now = 0.0
    while now < until:
        if not wait(times, now):
            times.append(now)
        now += 60
    return times


def test_the_first_restart_is_at_once_and_each_pause_twice_the_one_before() -> None:
    times = restarts(until=DAY)
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert times[0] == 0
    assert pauses == [FIRST_PAUSE * 2**at for at in range(LIMIT - 1)]


def test_after_the_limit_of_a_day_nobody_restarts_it_until_the_day_is_over() -> None:
    times = restarts(until=DAY)
    assert len(times) == LIMIT
    assert spent(times, DAY - 1)
    assert wait(times, DAY - 1) == math.inf
    assert not spent(times, DAY)
    assert len(restarts(until=2 * DAY)) > LIMIT


def test_a_daemon_that_ran_for_a_day_is_restarted_at_once() -> None:
    assert wait([1000.0], 1000.0 + DAY) == 0


def test_silence_counts_from_when_it_began_and_is_forgotten_with_an_answer() -> None:
    history = History().not_heard(100.0).not_heard(190.0)
    assert not history.hangs(200.0)
    assert history.hangs(220.0)
    assert not history.heard().hangs(220.0)
    assert not history.restarted(220.0).hangs(400.0)


def test_the_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "record"
    record = {
        "relay2": History().restarted(61.0).restarted(372.5),
        "sshd": History().not_heard(9.0),
    }
    write(path, record | {"cron": History()})
    assert read(path) == record


def test_no_record_says_that_nothing_was_restarted(tmp_path: Path) -> None:
    assert read(tmp_path / "record") == {}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"{",
        b"[]",
        b'{"sshd": 3}',
        b'{"sshd": {"count": 1}}',
        b'{"sshd": {"count": 1, "times": ["1"], "silent": null}}',
        b'{"sshd": {"count": 1, "times": [1e999], "silent": null}}',
        b'{"sshd": {"count": 1, "times": [-1], "silent": null}}',
        b'{"sshd": {"count": 1, "times": [1, 2], "silent": null}}',
        b'{"sshd": {"count": 1, "times": [1], "silent": true}}',
        b'{"sshd": {"count": 9, "times": [1, 2, 3, 4, 5, 6, 7], "silent": null}}',
        b" " * (RESTARTS.size + 1),
        b"{" + b" " * RESTARTS.size + b"}",
        b"\xff",
    ],
)
def test_an_empty_and_a_damaged_record_are_not_one_of_no_restarts(
    tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "record").write_bytes(data)
    with pytest.raises(Refusal):
        read(tmp_path / "record")


def test_a_record_that_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="it cannot be read: Is a directory"):
        read(tmp_path)


def test_people_are_told_how_often_and_when_and_when_somebody_has_to_look() -> None:
    once, often = History().restarted(60.0), History()
    for at in range(LIMIT):
        often = often.restarted(60.0 * at)
    record = {"sshd": once, "relay2": often, "cron": History().not_heard(3.0)}
    assert [text for _, text in told(record, {"relay2": "relay 2"}, 660.0)] == [
        "restarted: sshd, once 10 minutes ago",
        "restarted: relay 2, 6 times, the last time 6 minutes ago; "
        "NO MORE TODAY: somebody has to look",
    ]
