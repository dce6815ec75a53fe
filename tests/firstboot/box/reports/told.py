"""Journals of incidents, as lists of notes."""

from firstboot.box.journal.chain import Chain, State
from firstboot.box.journal.entry import NOTHING, Entry, Kind, Note, Value
from tests.firstboot.box.journal.keeping import NOON

LISTENS = "everybody listens where the plan says"
FILTER = "pf guards every port towards strangers"
DOWN = "(the ports go down)"


def at(minute: int, kind: Kind, text: str = "", cause: str = "", **values: Value) -> Note:
    return Note(NOON + 60 * minute, kind, text, cause, values)


def chained(*notes: Note) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    before = NOTHING
    for note in notes:
        entries.append(Entry(len(entries) + 1, before, note))
        before = entries[-1].digest
    return tuple(entries)


def whole(*notes: Note) -> Chain:
    return Chain(State.WHOLE, chained(*notes))


BOUND = f"NOT SO: {LISTENS}: unbound listens on 192.0.2.2 port 53 (udp) {DOWN}"
OFF = f"NOT SO: {FILTER}: pf is off {DOWN}"
CHANGE = at(-30, Kind.CONFIGURATION, "Another configuration runs: generation 7 (apply: dns).")

OF_2018 = (
    at(-600, Kind.START, "The box has run for 1 minutes, with generation 6.", uptime=60),
    CHANGE,
    at(0, Kind.LEAK, "4 packets with a foreign source were stopped.", packets=4, port="ix1",
       rule="LEAK4", protocol="udp", source="a port's", destination="transit",
       process="unbound"),
    at(1, Kind.BEGAN, BOUND, LISTENS),
    at(1, Kind.BEGAN, OFF, FILTER),
    at(2, Kind.PORTS, "The transit and exchange ports are down: pf is off.", up=0),
    at(9, Kind.ENDED, f"Well again: {FILTER}", FILTER),
    at(10, Kind.ENDED, f"Well again: {LISTENS}", LISTENS),
    at(12, Kind.PORTS, "The transit and exchange ports are up.", up=1),
)  # fmt: skip
"""The resolver uses the exchange port's address, and the filter is off a minute later."""

SPOOFED = (
    CHANGE,
    *(at(minute, Kind.BACKSCATTER, "90 answers came to what was never asked.", packets=90,
         port="ix1") for minute in range(5)),
)  # fmt: skip
"""Others send with the network's addresses."""
