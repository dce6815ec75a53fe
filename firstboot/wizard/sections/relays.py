"""The Tor relays."""

from firstboot.core.document import Plain
from firstboot.wizard.prompts import Lines, OneOf, Option, Words
from firstboot.wizard.question import Question, Section, Situation, choices, fixed
from firstboot.wizard.transcription import ascii_words

POLICIES = (
    Option("reduced", "Tor's reduced policy: the usual services, no mail"),
    Option("web", "ports 80 and 443 only"),
    Option("default", "Tor's default: all but the ports that are abused most"),
    Option("own", "your own rules"),
)

LONGEST_STEM = 16
"""A nickname has at most 19 characters; three of them are for the number."""


NEUTRAL_STEM = "exitisp"
"""For names that have no usual transcription in the letters A to Z."""


def _a_core_each(situation: Situation) -> Plain:
    return str(min(max(situation.machine.cores, 1), 64))


def _nickname(situation: Situation) -> Plain:
    """Propose the operator's name in letters and digits, as far as whole words fit."""
    stem = ""
    for word in ascii_words(str(situation.site("operator", "name") or "")):
        longer = stem + word[0].upper() + word[1:]
        if len(longer) > LONGEST_STEM:
            break
        stem = longer
    named = any(letter.isalpha() for letter in stem)
    return f"{stem if named else NEUTRAL_STEM}{{n}}"


def _own_policy(situation: Situation) -> bool:
    return situation.here("relays", "policy") == "own"


SECTION = Section(
    "relays",
    "The relays",
    "The Tor exit relays on this box. If you are not sure, press Enter: the defaults work well for "
    "most operators.",
    (
        Question(
            ("relays", "count"),
            "How many relays",
            "About one for each core, because a relay uses about one core. Eight relays share an "
            "IPv4 address.",
            example="8",
            default=_a_core_each,
        ),
        Question(
            ("relays", "nickname"),
            "Their names",
            "1 to 19 letters A to Z and digits; {n} stands for the relay's number. People look "
            "relays up by name.",
            hint="{n} is the number",
            example="ExampleExit{n}",
            default=_nickname,
        ),
        Question(
            ("relays", "policy"),
            "What the exits let out",
            "The reduced policy lets out what most people need and brings the fewest complaints.",
            form=OneOf(options=POLICIES),
            options=choices(*POLICIES),
            default=fixed("reduced"),
        ),
        Question(
            ("relays", "rules"),
            "Rules",
            "The first rule that matches decides; what no rule matches is rejected. For example:\n"
            "  reject *:25\n  accept *:80\n  accept *:443\n  reject *:*",
            hint="one a line; an empty line ends",
            example="accept *:443",
            form=Lines(what="rules"),
            when=_own_policy,
        ),
        Question(
            ("relays", "bandwidth_mbit"),
            "Limit of each relay in Mbit/s",
            "Give a limit if you pay for traffic or share the line. A useful relay has at least 10 "
            "Mbit/s.",
            hint="or none",
            example="800",
            optional=True,
            default=fixed(None),
        ),
        Question(
            ("relays", "contact_info"),
            "ContactInfo",
            "How to reach the operator of the relays, in the CIISS format. With none, it is made "
            "from the operator's mail address and web page.",
            hint="none: made from the answers above",
            example="email:relays[]example.net url:https://example.net proof:uri-rsa "
            "ciissversion:2",
            optional=True,
            default=fixed(None),
        ),
        Question(
            ("relays", "family", "ids"),
            "Family ids",
            "The public part of your family key, 43 characters, as tor --keygen-family printed it. "
            "It tells clients not to use two of your relays in one circuit.",
            hint="or none",
            example="MlKee4HVp0kUHwzAi1FxiB/TqVYsZm4l5stWPLnd7+c",
            form=Words(),
            optional=True,
            default=fixed([]),
        ),
        Question(
            ("relays", "family", "members"),
            "Fingerprints of your relays elsewhere",
            "Your relays on other boxes that have no family key: 40 hexadecimal digits each, with "
            "spaces between them.",
            hint="or none",
            example="0000000000000000000000000000000000000A01",
            form=Words(),
            optional=True,
            default=fixed([]),
        ),
    ),
)
