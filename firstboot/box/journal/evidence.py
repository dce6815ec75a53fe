"""What is kept of packets that the filter stopped: an entry for each class in each minute.

A class is a port, a rule, a protocol and the kind of network that the packets were for. The filter
only counts, so no packet is ever copied and no address of a destination is known.
"""

from collections.abc import Callable, Iterator

from firstboot.box.journal.entry import Kind, Note, to_the_minute
from firstboot.box.journal.noted import Noted, Seen
from firstboot.box.journal.senders import UNKNOWN, Sender
from firstboot.box.stopped import BACKSCATTER, Stopped

MOST = 20
"""Classes of a minute."""

CAMPAIGN = 60
"""Answers to what was never asked, in a minute on one port. A few come all the time, late answers
of the box's own connections among them."""


def new(before: Noted, seen: Seen, senders: Callable[[str], tuple[Sender, ...]]) -> Iterator[Note]:
    """The notes of what was counted since the look `before`. `senders` is asked for a protocol."""
    now = to_the_minute(seen.time)
    counted = 0
    asked: dict[str, tuple[Sender, ...]] = {}
    classes = [(one, one.packets - _last(before, one)) for one in seen.stopped]
    leaks = [pair for pair in classes if pair[0].rule != BACKSCATTER and pair[1] > 0]
    for one, packets in leaks[:MOST]:
        counted += packets
        if one.protocol not in asked:
            asked[one.protocol] = senders(one.protocol)
        yield _leak(now, one, packets, asked[one.protocol])
    # What no class has: the filter does not tell them apart, or was started anew.
    last = before.leaks if seen.leaks is not None and seen.leaks >= before.leaks else 0
    rest = (seen.leaks or 0) - last - counted
    if rest > 0 and not counted:
        found = tuple({*senders("udp"), *senders("tcp")})
        yield _leak(now, None, rest, found)
    by_port: dict[str, int] = {}
    for one, packets in classes:
        if one.rule == BACKSCATTER:
            by_port[one.port] = by_port.get(one.port, 0) + packets
    for port, packets in by_port.items():
        if packets >= CAMPAIGN:
            yield _answers(now, port, packets)


def _last(before: Noted, one: Stopped) -> int:
    """What the class had at the look before; the filter counts from 0 when it is started anew."""
    last = before.stopped.get(one.key, 0)
    return last if last <= one.packets else 0


def _leak(now: int, one: Stopped | None, packets: int, found: tuple[Sender, ...]) -> Note:
    many = "1 packet" if packets == 1 else f"{packets} packets"
    where = f" on {one.port} ({one.rule}, {one.protocol}, to: {one.towards})" if one else ""
    text = f"The packet filter stopped {many} with a foreign source{where}."
    programs = sorted({sender.program for sender in found})
    sources = sorted({sender.source for sender in found})
    jails = sorted({sender.jail for sender in found if sender.jail})
    return Note(now, Kind.LEAK, text, "foreign sources", {
        "packets": packets,
        "port": one.port if one else UNKNOWN,
        "rule": one.rule if one else UNKNOWN,
        "protocol": one.protocol if one else UNKNOWN,
        "destination": one.towards if one else UNKNOWN,
        "source": " or ".join(sources) or UNKNOWN,
        "process": " or ".join(programs) or UNKNOWN,
        "jail": " or ".join(jails) or UNKNOWN,
    })  # fmt: skip


def _answers(now: int, port: str, packets: int) -> Note:
    text = f"{packets} answers to what was never asked came by {port}: others use our addresses."
    return Note(now, Kind.BACKSCATTER, text, "answers", {"packets": packets, "port": port})
