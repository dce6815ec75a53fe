"""The report on an incident tells what left from what others sent, and names the cause."""

from firstboot.box.journal.entry import Kind
from firstboot.box.reports import text
from firstboot.box.reports.incident import incidents, report
from tests.firstboot.box.reports.told import (
    BOUND,
    CHANGE,
    LISTENS,
    OF_2018,
    SPOOFED,
    at,
    chained,
)

NETWORK = "AS65550 (198.51.100.1)"


def told(*notes: object) -> str:
    (found,) = incidents(chained(*notes))  # type: ignore[arg-type]
    return " ".join(text.written(report(found, NETWORK)).split())


def test_the_incident_of_2018_is_told_with_its_cause_and_what_may_have_left() -> None:
    found = told(*OF_2018)
    assert "Cause: A program of the box used an address that is not one of the box's own" in found
    assert "(unbound listens on 192.0.2.2 port 53 (udp))" in found
    assert "and the packet filter did not guard every port (pf is off)" in found
    assert "Packets may have left, and nothing counted them: from 2025-11-30 12:00 UTC" in found
    assert "until 2025-11-30 12:02 UTC" in found
    assert "the filter stopped 4 packets" in found
    assert "The transit and exchange ports went down at 2025-11-30 12:02 UTC" in found
    assert "They were up again at 2025-11-30 12:12 UTC" in found
    assert "generation 7 (apply: dns)" in found
    assert "3. the packet filter stops the rest stopped 4 packets; did not hold: pf is off" in found
    assert "udp a port's transit unbound" in found


def test_ports_that_came_up_before_they_went_down_are_not_up_again() -> None:
    up = at(-1, Kind.PORTS, "The transit and exchange ports are up.", up=1)
    found = told(at(-2, Kind.LEAK, "3 packets", packets=3), up, *OF_2018[:6])
    assert "went down at 2025-11-30 12:02 UTC, a minute or less after" in found
    assert "up again" not in found
    assert "up again at 2025-11-30 12:12 UTC" in told(up, *OF_2018)


def test_the_same_with_a_filter_that_holds_says_that_nothing_left() -> None:
    leak, bound = OF_2018[2], OF_2018[3]
    found = told(CHANGE, leak, bound)
    assert "Nothing left: the packet filter stopped 4 packets with a foreign source" in found
    assert "may have left" not in found
    assert "2. jails hold them to these nothing was found wrong" in found
    assert "4. without these, the ports go down stayed up" in found


def test_a_campaign_of_others_is_no_fault_of_the_box() -> None:
    found = told(*SPOOFED)
    assert "Somebody sends with this network's addresses. 450 answers came" in found
    assert "Nothing of it left from this box" in found
    assert "Cause:" not in found


def test_a_campaign_at_the_same_time_is_an_incident_of_its_own() -> None:
    one, other = incidents(chained(*SPOOFED, at(6, Kind.BEGAN, BOUND, LISTENS)))
    assert (one.from_here, other.from_here) == (False, True)
    assert other.answers == 0
    found = " ".join(text.written(report(one, NETWORK)).split())
    assert "In the same time something was wrong with this box" in found
    assert "Nothing of it left" not in found


def test_packets_without_a_known_cause_say_that() -> None:
    found = told(at(0, Kind.LEAK, "2 packets", packets=2))
    assert "Cause: not known." in found
    assert "Nothing that the box knows of, in the day before." in found
    found = told(at(0, Kind.LEAK, "2 packets", packets=2, process="ntpd"))
    assert "Cause: packets with a foreign source, probably of ntpd, which had a socket" in found


def test_what_is_far_apart_in_time_is_two_incidents() -> None:
    leaks = [at(minute, Kind.LEAK, "1 packets", packets=1) for minute in (0, 50, 100, 300)]
    found = incidents(chained(*leaks))
    assert [one.stopped for one in found] == [3, 1]


def test_what_is_wrong_and_cannot_leak_is_no_incident() -> None:
    began = at(0, Kind.BEGAN, "DOWN: relay 2", "relay 2: it runs")
    asked = at(1, Kind.PORTS, "The transit and exchange ports are down.", up=0)
    assert incidents(chained(began, asked)) == ()
