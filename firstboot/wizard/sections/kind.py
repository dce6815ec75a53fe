"""What kind of network the box belongs to, on which the other questions depend."""

from firstboot.wizard.prompts import OneOf, Option
from firstboot.wizard.question import Question, Section, Situation, choices, fixed

WHOSE = (
    Option("own", "yours: an AS number, prefixes, BGP with upstreams"),
    Option("provider", "a provider's, which routes them to this machine: no BGP"),
)


def with_bgp(situation: Situation) -> bool:
    """Return whether the box announces its addresses itself."""
    return situation.site("addresses") != "provider"


SECTION = Section(
    "kind",
    "The kind of network",
    "With an AS number and address space of its own, this box is a network: it announces your "
    "prefixes by BGP. In somebody else's data centre, with addresses of the provider's, it runs "
    "relays alone.",
    (
        Question(
            ("addresses",),
            "Whose addresses this box has",
            "If a registry (RIPE NCC, ARIN, APNIC, LACNIC, AFRINIC) assigned an AS number and "
            "prefixes to you, they are your own. If a data centre gave the machine its addresses "
            "and a router, they are the provider's.",
            form=OneOf(options=WHOSE),
            options=choices(*WHOSE),
            default=fixed("own"),
        ),
    ),
)
