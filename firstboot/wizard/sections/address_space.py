"""The AS number and the address space."""

from firstboot.wizard.prompts import Words
from firstboot.wizard.question import Question, Section

SECTION = Section(
    "network",
    "The network",
    "The numbers that your registry (RIPE NCC, ARIN, APNIC, LACNIC, AFRINIC) assigned to you.",
    (
        Question(
            ("asn",),
            "Your AS number",
            "The number by which other networks know yours. It is in the letter of your registry, "
            "or of the sponsor who asked the registry for it.\n"
            "Example: 64511",
        ),
        Question(
            ("scopes",),
            "Your prefixes, spaces between them",
            "The address space that is yours, and that this box announces to everybody. An IPv4 "
            "prefix of /24 or larger is needed, for Tor relays reach each other over IPv4; an IPv6 "
            "prefix of /48 or larger should be there too. Everything that leaves this box comes "
            "from these prefixes; the relays get their addresses from the first of each family.\n"
            "Example: 198.51.100.0/24 2001:db8:ee::/48",
            form=Words(),
        ),
    ),
)
