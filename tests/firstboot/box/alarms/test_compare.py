"""What is told, when, and how often."""

from firstboot.box.alarms.compare import Found, compare
from firstboot.box.alarms.record import HOUR, Cause

RELAY = "relay 2: it runs"
DOWN = {RELAY: Found("DOWN: relay 2: it does not run", 2)}


class Watching:
    """Looks at a box once a minute."""

    def __init__(self) -> None:
        self.now = 0.0
        self.causes: dict[str, Cause] = {}

    def look(self, found: dict[str, Found], minutes: int = 1) -> list[str]:
        """What is told in so many minutes of `found`."""
        told: list[str] = []
        for _ in range(minutes):
            self.now += 60
            self.causes, sentences = compare(self.causes, found, self.now)
            told += [one.text for one in sentences]
        return told


def test_what_is_wrong_is_told_once_and_that_it_is_well_again() -> None:
    watching = Watching()
    assert watching.look({}, 10) == []
    assert watching.look(DOWN) == []
    assert watching.look(DOWN) == ["DOWN: relay 2: it does not run"]
    assert watching.look(DOWN, 200) == []
    assert watching.look({}) == ["Well again, after 202 minutes: relay 2: it runs"]
    assert watching.look({}, 200) == []
    assert watching.causes == {}


def test_what_is_mended_before_the_next_look_is_not_told() -> None:
    watching = Watching()
    assert watching.look(DOWN) + watching.look({}) + watching.look(DOWN) == []


def test_what_comes_and_goes_is_told_once_an_hour() -> None:
    watching = Watching()
    told = [text for _ in range(30) for text in (*watching.look(DOWN, 2), *watching.look({}, 2))]
    assert watching.now == 2 * HOUR
    assert len([text for text in told if text.startswith("DOWN")]) == 2
    assert len([text for text in told if text.startswith("Well")]) == 2


def test_what_stays_wrong_in_the_silent_hour_is_told_after_it() -> None:
    watching = Watching()
    watching.look(DOWN, 2)
    watching.look({})
    assert watching.look(DOWN, 58) == []
    assert watching.look(DOWN, 2) == ["DOWN: relay 2: it does not run"]


def test_each_cause_is_told_by_itself() -> None:
    watching = Watching()
    watching.look(DOWN, 2)
    both = {**DOWN, "the clock follows servers": Found("clock: NOT SET", 3)}
    assert watching.look(both, 2) == []
    assert watching.look(both) == ["clock: NOT SET"]
    (told,) = watching.look({RELAY: DOWN[RELAY]})
    assert told.endswith(": the clock follows servers")
