"""The resolver, the clock, releases."""

from firstboot.core.document import Plain
from firstboot.core.partial import of
from firstboot.site.model import Clock
from firstboot.wizard.prompts import OneOf, Option, Words
from firstboot.wizard.question import Question, Section, Situation, choices, fixed

STRICTNESS = (
    Option("documents", "the strictest; some misconfigured names do not resolve"),
    Option("compatible", "those names resolve too, with a little less privacy"),
)


def _servers(_: Situation) -> Plain:
    return of(Clock().servers)


SECTION = Section(
    "services",
    "Names, time, releases",
    "The box resolves names itself, forwards queries to nobody and logs none of them.",
    (
        Question(
            ("dns", "strictness"),
            "How strict the resolver is",
            "Strict means that each server learns only the part of a name that it needs, and that "
            "signatures must be right. Some servers fail with that.",
            form=OneOf(options=STRICTNESS),
            options=choices(*STRICTNESS),
            default=fixed("documents"),
        ),
        Question(
            ("clock", "servers"),
            "Time servers",
            "Names or addresses. Tor and DNSSEC fail when the clock is wrong.",
            hint="with spaces between them",
            example="ntp1.example.net 192.0.2.195",
            form=Words(),
            default=_servers,
        ),
    ),
)
