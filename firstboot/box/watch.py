"""Tells somebody when something becomes wrong with the box, and when it is well again.

Once a minute, after the box has mended what it can, what status finds is compared with what was
told before. There is nothing about users in what is told: every address that is not the site's own
is replaced.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from firstboot.box.alarms import record as records
from firstboot.box.alarms import strangers
from firstboot.box.alarms.compare import Found, compare
from firstboot.box.alarms.letter import TEST, Undelivered, Way, written
from firstboot.box.alarms.record import PLACE, TRIES, WAITING, Message, Record, Sentence
from firstboot.box.look import Look, look
from firstboot.box.machine import Machine
from firstboot.box.one_at_a_time import first
from firstboot.box.output import Say
from firstboot.box.remembered import running
from firstboot.core.refusal import Refusal
from firstboot.site.alarms import destinations
from firstboot.site.model import Site

if TYPE_CHECKING:
    from firstboot.box.alarms.delivery import Sender

MOST = 100
"""Sentences of a message."""

OWN = "alarms go out by "
"""How the causes begin that are about a channel of these messages itself."""


def watch(machine: Machine, say: Say, seen: Look | None = None) -> None:
    """Tell what is new in what was `seen`, or in a look of its own. Does nothing while the site
    names nobody, or another process does it. What cannot be delivered is tried again later. Raises
    Refusal."""
    if machine.running() is None:
        return
    site = running(machine).site
    channels = tuple(one.channel for one in destinations(site))
    if not channels:
        return
    with first(machine.state / "watch.lock") as alone:
        if not alone:
            return
        before = _read(machine, say)
        now = time.monotonic()
        causes, sentences = compare(before.causes, found(seen or look(machine), site), now)
        messages = tuple(
            replace(one, channels=left)
            for one in before.messages
            if (left := tuple(channel for channel in one.channels if channel in channels))
        )
        if sentences:
            messages += (Message(int(time.time()), sentences[:MOST], channels),)
        lost = before.lost + max(0, len(messages) - WAITING)
        failed = {channel: why for channel, why in before.failed.items() if channel in channels}
        after = Record(causes, messages[-WAITING:], failed, before.addresses, lost)
        # First, so that a message is not forgotten if the delivery never ends.
        if after != before:
            records.write(machine.state / PLACE, after)
        if any(one.after <= now for one in after.messages):
            records.write(machine.state / PLACE, _delivered(after, site, machine, say))


def found(seen: Look, site: Site) -> dict[str, Found]:
    """What is wrong now, by its cause."""
    alone = len(destinations(site)) == 1
    wrong: dict[str, Found] = {}
    for line in seen.lines:
        if line.cause and not (alone and line.cause.startswith(OWN)):
            cause = strangers.without(line.cause, site)
            wrong[cause] = Found(strangers.without(line.text, site), line.patience)
    if seen.problem:
        text = strangers.without(f"UNKNOWN: how the box is: {seen.problem}", site)
        wrong["the box can say how it is"] = Found(text, 1)
    return wrong


def test(machine: Machine, say: Say) -> bool:
    """Send a sentence to everybody that the site names, by each way, and say what came of it.
    Returns whether it went out to all. Raises Refusal."""
    site = _told_site(machine)
    known = dict(_read(machine, say).addresses)
    sender = _sender(site, machine, known)
    good = True
    for to in destinations(site):
        arrived = False
        for way in Way:
            if not sender.sources(way):
                say(f"{to.channel}, {way.value}: the site has no such port")
                continue
            sentence = Sentence(TEST, f"This is a test, sent {way.value}.", wrong=False)
            letter = written(Message(int(time.time()), (sentence,), ()), site)
            try:
                sender.deliver(letter, to, [way])
            except Undelivered as error:
                say(f"{to.channel}, {way.value}: NOT SENT: {error}")
            else:
                say(f"{to.channel}, {way.value}: {to.host} has taken it")
                arrived = True
        good = good and arrived
    return good


def show(machine: Machine, say: Say) -> bool:
    """Print who is told, what was told, and what waits. Returns whether nothing waits. Raises
    Refusal."""
    site = _told_site(machine)
    record = records.read(machine.state / PLACE)
    for to in destinations(site):
        whom = f" to {', '.join(site.alarm.mail.to)}" if to.channel == "mail" else ""
        say(f"{to.channel}: by {to.host}, port {to.port}{whom}")
    now = time.monotonic()
    for cause in record.causes.values():
        if cause.looks:
            told = "told" if cause.alarmed else "not told yet"
            say(f"{told}, since {(now - cause.since) / 60:.0f} minutes: {cause.text}")
    if not any(cause.looks for cause in record.causes.values()):
        say("Nothing is wrong.")
    for _, text in record.told():
        say(text)
    return not record.failed


def _delivered(record: Record, site: Site, machine: Machine, say: Say) -> Record:
    """The record after a try to deliver what is due."""
    now = time.monotonic()
    addresses = dict(record.addresses)
    try:
        sender = _sender(site, machine, addresses)
    except Refusal as refusal:
        every = {one.channel: refusal.problem for one in destinations(site)}
        return replace(record, failed=every)
    failed, lost = dict(record.failed), record.lost
    left = {one.channel: list(record.messages) for one in destinations(site)}
    taken: dict[str, set[int]] = {}
    for to in destinations(site):
        taken[to.channel] = set()
        for at, message in enumerate(left[to.channel]):
            if to.channel not in message.channels or message.after > now:
                continue
            try:
                sender.deliver(written(message, site), to)
            except Undelivered as error:
                failed[to.channel] = strangers.without(str(error), site)
                break
            taken[to.channel].add(at)
            failed.pop(to.channel, None)
    messages = []
    for at, message in enumerate(record.messages):
        channels = tuple(one for one in message.channels if at not in taken.get(one, set()))
        if not channels:
            continue
        again = replace(message, channels=channels)
        if message.after <= now:
            again = again.failed(now)
        if again.tries >= TRIES:
            lost += 1
            say(f"An alarm is given up after {TRIES} tries: {message.sentences[0].text}")
        else:
            messages.append(again)
    return replace(record, messages=tuple(messages), failed=failed, addresses=addresses, lost=lost)


def _sender(site: Site, machine: Machine, addresses: dict[str, tuple[str, ...]]) -> "Sender":
    """Raises Refusal if this program was frozen without TLS."""
    # The minute's run is cheaper without loading TLS, which it seldom needs.
    try:
        from firstboot.box.alarms.delivery import Sender
    except ImportError as error:
        raise Refusal(
            "alarm", f"this program has no TLS: {error}", "Use an image whose Python has ssl"
        ) from error
    return Sender(site, machine.system, addresses)


def _told_site(machine: Machine) -> Site:
    site = running(machine).site
    if not destinations(site):
        raise Refusal(
            "alarm",
            "the site names nobody who is told",
            "Add alarm.mail or alarm.webhook: exitisp reconfigure asks for them",
        )
    return site


def _read(machine: Machine, say: Say) -> Record:
    path: Path = machine.state / PLACE
    try:
        return records.read(path)
    except Refusal as refusal:
        say(f"The record of alarms is damaged: {refusal.problem}. A new one begins.")
        path.unlink(missing_ok=True)
        return Record()
