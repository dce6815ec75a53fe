"""What goes out: a message for people and for programs, and what becomes of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from firstboot.box.alarms.record import Message
from firstboot.site.address_plan import allot
from firstboot.site.model import Site

VERSION = 1
"""Of the document that is posted."""

MOST_LINES = 30
"""Sentences of a message; more of them are counted."""

TEST = "test"
"""The cause of a sentence that is a test."""


class Undelivered(Exception):
    """Why a server did not take a message, in a few words."""


class Unreachable(Undelivered):
    """Nothing answered."""


class Way(Enum):
    """How packets leave the box."""

    ROUTER = "from the router's address"
    MANAGEMENT = "over the management port"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message: a mail's subject and text, and a document for programs."""

    subject: str
    text: str
    document: Mapping[str, object]


def written(message: Message, site: Site) -> Letter:
    """The message for people and for programs."""
    wrong = [one for one in message.sentences if one.wrong]
    many = len(wrong)
    what = "well again" if not many else "1 alarm" if many == 1 else f"{many} alarms"
    if all(one.cause == TEST for one in message.sentences):
        what = "a test"
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(message.when))
    name = name_of(site)
    texts = list(dict.fromkeys(one.text for one in message.sentences))
    more = [f"... and {len(texts) - MOST_LINES} more: exitisp status"] if texts[MOST_LINES:] else []
    told = [*texts[:MOST_LINES], *more]
    text = "\n".join([*told, "", f"{name}, {when}. On the box: exitisp status", ""])
    document = {
        "schema": VERSION,
        "box": name,
        "time": message.when,
        "text": "\n".join([f"{name}: {what}", *told]),
        "sentences": [
            {"cause": one.cause, "text": one.text, "wrong": one.wrong} for one in message.sentences
        ],
    }
    return Letter(f"exitisp, {name}: {what}", text, document)


def name_of(site: Site) -> str:
    router = next(iter(allot(site).router), None)
    return f"AS{site.asn} ({router})" if site.asn else f"{router}"
