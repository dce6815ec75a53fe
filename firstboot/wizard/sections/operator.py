"""Who runs the network."""

import re

from firstboot.core.document import Plain
from firstboot.wizard.question import Question, Section, Situation


def _same_mail(situation: Situation) -> Plain:
    return situation.here("operator", "abuse")


def _page_of_domain(situation: Situation) -> Plain:
    found = re.fullmatch(r".+@([A-Za-z0-9.-]+)", str(situation.here("operator", "abuse")))
    return f"https://{found[1]}" if found else None


SECTION = Section(
    "operator",
    "The operator",
    "Who runs this network. All of it is public: it is in WHOIS, on the notice that the exits "
    "show, and in what the relays say of themselves.",
    (
        Question(
            ("operator", "name"),
            "Name of the operator",
            "The organisation or the person that answers for this network, as registries have it.\n"
            "Example: Example Exit Foundation",
        ),
        Question(
            ("operator", "abuse"),
            "Mail address for complaints",
            "People who see traffic of an exit write to this address. Somebody has to read it, for "
            "the hoster and the registry ask.\n"
            "Example: abuse@example.org",
        ),
        Question(
            ("operator", "contact"),
            "Mail address for other operators",
            "Upstreams, peers and exchanges write to this address about sessions and outages.\n"
            "Example: noc@example.org",
            default=_same_mail,
        ),
        Question(
            ("operator", "url"),
            "Web page of the operator",
            "Where people read who you are and why there are exits in your network.\n"
            "Example: https://example.org",
            default=_page_of_domain,
        ),
        Question(
            ("operator", "jurisdiction"),
            "Country whose law applies",
            "Where the operator is at home; the exit notice names it to those who ask for data "
            "that are not there.\n"
            "Example: Switzerland",
        ),
    ),
)
