"""The resolver, the clock, and who is told when something is wrong."""

from firstboot.core.document import Plain
from firstboot.core.partial import of
from firstboot.site.model import Clock
from firstboot.wizard.prompts import OneOf, Option, Secret, Words
from firstboot.wizard.question import Question, Section, Situation, choices, fixed

STRICTNESS = (
    Option("documents", "the strictest; some misconfigured names do not resolve"),
    Option("compatible", "those names resolve too, with a little less privacy"),
)


def _servers(_: Situation) -> Plain:
    return of(Clock().servers)


def _by_mail(situation: Situation) -> bool:
    return situation.here("alarm", "mail", "relay") is not None


def _with_account(situation: Situation) -> bool:
    return _by_mail(situation) and situation.here("alarm", "mail", "user") is not None


def _other_operators(situation: Situation) -> Plain:
    contact = situation.here("operator", "contact")
    return [contact] if contact else None


SECTION = Section(
    "services",
    "Names, time, alarms",
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
        Question(
            ("alarm", "mail", "relay"),
            "Mail relay for alarms",
            "The box can tell you when something is wrong with it, and when it is well again: by "
            "mail, through an SMTP server of yours that takes it with TLS. There is nothing about "
            "users in it. exitisp watch --test tries it afterwards.",
            hint="or none",
            example="mail.example.org",
            optional=True,
            default=fixed(None),
        ),
        Question(
            ("alarm", "mail", "to"),
            "Who gets these mails",
            "Mail addresses that somebody reads at once.",
            hint="with spaces between them",
            example="noc@example.org",
            form=Words(),
            default=_other_operators,
            when=_by_mail,
        ),
        Question(
            ("alarm", "mail", "user"),
            "Account at the mail relay",
            "The name that the box logs in with, if the relay wants one.",
            hint="or none",
            example="exit",
            optional=True,
            default=fixed(None),
            when=_by_mail,
        ),
        Question(
            ("alarm", "mail", "password"),
            "Password of that account",
            "It is kept in the site file, and shown nowhere.",
            hint="not shown",
            form=Secret(),
            when=_with_account,
        ),
        Question(
            ("alarm", "webhook", "url"),
            "Webhook for alarms",
            "The same sentences can be posted to a web server, as a JSON document. Paste its "
            "https address; whoever knows it can post there, so it is kept like a password.",
            hint="not shown; or none",
            form=Secret(),
            optional=True,
            default=fixed(None),
        ),
    ),
)
