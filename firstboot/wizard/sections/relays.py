"""The Tor relays."""

import re

from firstboot.core.document import Plain
from firstboot.wizard.prompts import Lines, OneOf, Option, Words
from firstboot.wizard.question import Question, Section, Situation, choices, fixed

POLICIES = (
    Option("reduced", "Tor's reduced policy: the usual services, no mail"),
    Option("web", "ports 80 and 443 alone"),
    Option("default", "Tor's default: everything but the ports that are abused most"),
    Option("own", "your own rules"),
)

LONGEST_STEM = 16
"""Of a nickname's 19 characters, three are left for the number."""


def _a_core_each(situation: Situation) -> Plain:
    return str(min(max(situation.machine.cores, 1), 64))


def _nickname(situation: Situation) -> Plain:
    stem = ""
    for word in re.findall(r"[A-Za-z0-9]+", str(situation.site("operator", "name") or "")):
        longer = stem + word[0].upper() + word[1:]
        if len(longer) > LONGEST_STEM:
            break
        stem = longer
    return f"{stem or 'exitisp'}{{n}}"


def _own_policy(situation: Situation) -> bool:
    return situation.here("relays", "policy") == "own"


SECTION = Section(
    "relays",
    "The relays",
    "The Tor exit relays on this box. Where nothing needs to be said, Enter takes what others have "
    "made good experience with.",
    (
        Question(
            ("relays", "count"),
            "How many relays",
            "About one a core, for a relay uses one core well. Eight of them share an IPv4 "
            "address.\nExample: 8",
            default=_a_core_each,
        ),
        Question(
            ("relays", "nickname"),
            "Their names, {n} being the number",
            "Up to 19 letters and digits with the number in them. People look relays up by it.\n"
            "Example: ExampleExit{n}",
            default=_nickname,
        ),
        Question(
            ("relays", "policy"),
            "What the exits let out",
            "With the reduced policy there are fewest complaints for what is of use to most "
            "people.\nExample: reduced",
            form=OneOf(options=POLICIES),
            options=choices(*POLICIES),
            default=fixed("reduced"),
        ),
        Question(
            ("relays", "rules"),
            "Rules, one a line, an empty line ends",
            "The first that fits decides; what none fits is refused.\nExample:\n"
            "  reject *:25\n  accept *:80\n  accept *:443\n  reject *:*",
            form=Lines(what="rules"),
            when=_own_policy,
        ),
        Question(
            ("relays", "bandwidth_mbit"),
            "Limit of each relay in Mbit/s (or none)",
            "If your traffic is paid for or has to leave room for others. A relay of use to the "
            "network has 10 at least.\nExample: 800",
            optional=True,
            default=fixed(None),
        ),
        Question(
            ("relays", "contact_info"),
            "ContactInfo (none: made from the above)",
            "What the relays say of their operator, in the form of CIISS. With none, it is made "
            "from the operator's mail address and web page.\n"
            "Example: email:relays[]example.net url:https://example.net proof:uri-rsa "
            "ciissversion:2",
            optional=True,
            default=fixed(None),
        ),
        Question(
            ("relays", "family", "ids"),
            "Family ids (or none)",
            "If you have a family key (tor --keygen-family), the public part of it that was "
            "printed: 43 characters. It tells clients not to use two of your relays in one "
            "circuit.\nExample: MlKee4HVp0kUHwzAi1FxiB/TqVYsZm4l5stWPLnd7+c",
            form=Words(),
            optional=True,
            default=fixed([]),
        ),
        Question(
            ("relays", "family", "members"),
            "Fingerprints of your relays elsewhere (or none)",
            "Of relays that are yours, run on other boxes, and know no family keys: 40 hexadecimal "
            "digits each.\nExample: 0000000000000000000000000000000000000A01",
            form=Words(),
            optional=True,
            default=fixed([]),
        ),
    ),
)
