"""The resolver, the clock, releases."""

from firstboot.core.document import Plain
from firstboot.core.partial import of
from firstboot.site.model import Clock
from firstboot.wizard.prompts import OneOf, Option, Words
from firstboot.wizard.question import Question, Section, Situation, choices, fixed

STRICTNESS = (
    Option("documents", "the strictest; some misconfigured names do not resolve"),
    Option("compatible", "these resolve too, with a little less privacy and assurance"),
)


def _servers(_: Situation) -> Plain:
    return of(Clock().servers)


SECTION = Section(
    "services",
    "Names, time, releases",
    "The box resolves names itself, asks nobody else to, and writes down nothing that is asked.",
    (
        Question(
            ("dns", "strictness"),
            "How strict the resolver is",
            "Strict means that no more of a name is told to a server than it needs to know, and "
            "that signatures are insisted on. Some servers cannot cope with that.\n"
            "Example: documents",
            form=OneOf(options=STRICTNESS),
            options=choices(*STRICTNESS),
            default=fixed("documents"),
        ),
        Question(
            ("clock", "servers"),
            "Time servers",
            "By name or address, spaces between. Tor and DNSSEC fail when the clock is wrong.\n"
            "Example: ntp1.example.net 192.0.2.195",
            form=Words(),
            default=_servers,
        ),
        Question(
            ("upgrade", "url"),
            "Where releases are announced (or none)",
            "With none, upgrades are by hand.\nExample: https://example.org/releases",
            optional=True,
            default=fixed(None),
        ),
    ),
)
