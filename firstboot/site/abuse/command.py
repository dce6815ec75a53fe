"""What `./exitisp abuse` prints and writes."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from firstboot.core.durable import keep
from firstboot.core.limits import COMPLAINT
from firstboot.core.output import say
from firstboot.core.refusal import Refusal
from firstboot.site.abuse import answer, counts, mail
from firstboot.site.abuse.complaint import Claim, Complaint
from firstboot.site.abuse.judge import Judged, Whose, judge
from firstboot.site.abuse.read import complaint as understand
from firstboot.site.commands import sound

MOST_TOLD = 20
"""Claims that are listed."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the operator asked for. `answers` is a folder with texts of their own, `output` a file
    for the answer, `count` the file with the counts; `since` is the day since when the network is
    as the site has it."""

    site: Path
    answers: Path | None = None
    output: Path | None = None
    count: Path | None = None
    since: date | None = None


def answer_complaint(source: Path | None, desk: Desk) -> None:
    """Say what the mail at `source` claims, without one the mail on standard input, and whether it
    can be so; print or write an answer. Raises Refusal."""
    if desk.answers and not desk.answers.is_dir():
        raise Refusal(desk.answers, "this is no folder", "Copy the shipped texts into one")
    site = sound(desk.site)
    read = mail.read(_given(source))
    found = understand(read)
    now = datetime.now(UTC)
    judged = judge(found, site, now, desk.since)
    say("\n".join(_told(found, judged, desk)))
    if judged and judged[0].whose is Whose.TWIN:
        other = site.twin.name if site.twin else "the twin"
        raise Refusal(
            desk.site,
            f"{judged[0].claim.address} is of {other}, the other box, and this site does not say "
            "what it does with it, so there is no answer",
            "Name the site of that box with --site",
        )
    name = answer.choose(found, judged)
    text = answer.body(name, desk.answers, found, judged, site)
    letter = answer.written(text, read, found, site)
    if not read.answer_to and not found.contact:
        say("nobody to answer to: the sender's address is one that nobody reads, or none")
    if desk.count:
        month = f"{now:%Y-%m}"
        number = counts.add(desk.count, found.category, month)
        say(f"counted: {found.category.value}, number {number} of {month}")
    if desk.output:
        _write(desk.output, letter)
        say(f"answer ({name}.txt): {desk.output}")
    else:
        say(f"answer ({name}.txt):\n\n{letter.rstrip()}")


def _told(found: Complaint, judged: Sequence[Judged], desk: Desk) -> Iterator[str]:
    yield f"form: {found.form}"
    yield f"about: {found.category.told}"
    if not judged:
        yield "it names no address"
    elif judged[0].whose is Whose.FOREIGN:
        yield f"it names no address of {desk.site}"
    for one in judged[:MOST_TOLD]:
        who = f" ({', '.join(one.relays)})" if one.relays else ""
        yield f"{_claimed(one.claim)}: {one.claim.address} is {one.whose.value}{who}"
        if one.why:
            yield f"  NOT SO: {one.why}"
        if one.record:
            yield f"  whether it was one then: {one.record}"
    if len(judged) > MOST_TOLD:
        yield f"and {len(judged) - MOST_TOLD} more addresses of this network"


def _claimed(claim: Claim) -> str:
    when = str(claim.moment) if claim.moment else "at no time that it says"
    to = f", to port {claim.port}" if claim.port else ""
    return f"{when}{to}"


def _given(source: Path | None) -> bytes:
    """Raises Refusal."""
    try:
        if source is not None:
            with source.open("rb") as file:
                return file.read(COMPLAINT + 1)
        if sys.stdin.isatty():
            raise Refusal(
                "the complaint",
                "there is none: standard input is this terminal",
                "Type ./exitisp abuse --site site.yaml < mail, or name the file",
            )
        return sys.stdin.buffer.read(COMPLAINT + 1)
    except OSError as error:
        problem = f"it cannot be read: {error.strerror or error}"
        raise Refusal(source or "standard input", problem, "Name a file with a mail") from error


def _write(path: Path, letter: str) -> None:
    """Into a file of nobody else's, as a whole or not at all, and never in place of a link. Raises
    Refusal."""
    if path.is_symlink():
        raise Refusal(path, "it is a link", "Name another file")
    try:
        keep(path, letter.encode())
    except OSError as error:
        problem = f"it cannot be written: {error.strerror or error}"
        raise Refusal(path, problem, "Name another file") from error
