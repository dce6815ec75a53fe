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
    "Who runs this network. All of this is public: WHOIS, the notice that the exits show and the "
    "relays' contact information repeat it.",
    (
        Question(
            ("operator", "name"),
            "Name of the operator",
            "The organisation or person that is responsible for this network, as the registry has "
            "it.",
            example="Example Exit Foundation",
        ),
        Question(
            ("operator", "abuse"),
            "Mail address for complaints",
            "People who see an exit's traffic write to this address. Somebody must read it: the "
            "hoster and the registry ask about it.",
            example="abuse@example.org",
        ),
        Question(
            ("operator", "contact"),
            "Mail address for other operators",
            "Upstreams, peers and exchanges write to this address about sessions and outages.",
            example="noc@example.org",
            default=_same_mail,
        ),
        Question(
            ("operator", "url"),
            "Web page of the operator",
            "The page that tells people who you are and why your network has exits.",
            example="https://example.org",
            default=_page_of_domain,
        ),
        Question(
            ("operator", "jurisdiction"),
            "Country whose law applies",
            "The country where the operator is based. The exit notice names it to people who ask "
            "for data about users; there is none.",
            example="Switzerland",
        ),
    ),
)
