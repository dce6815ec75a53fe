"""The AS number and the prefixes."""

from firstboot.wizard.prompts import Words
from firstboot.wizard.question import Question, Section
from firstboot.wizard.sections.kind import with_bgp

SECTION = Section(
    "network",
    "The network",
    "The numbers that your registry (RIPE NCC, ARIN, APNIC, LACNIC, AFRINIC) assigned to you, or "
    "the addresses that the provider gave to this machine.",
    (
        Question(
            ("asn",),
            "Your AS number",
            "Other networks know your network by this number. It is in the letter from your "
            "registry, or from the sponsor who asked the registry for it.",
            example="64511",
            when=with_bgp,
        ),
        Question(
            ("scopes",),
            "Your prefixes",
            "Your address space, which this box announces to the Internet. You need an IPv4 prefix "
            "of /24 or larger, because Tor relays reach each other over IPv4; have an IPv6 prefix "
            "of /48 or larger too. Everything that leaves this box comes from these prefixes. The "
            "relays get their addresses from the first prefix of each family.\nOf a provider's "
            "addresses, name those that it gave to this machine, single ones or networks: two of "
            "IPv4 at least. The machine's own on the link is one of them.",
            hint="with spaces between them",
            example="198.51.100.0/24 2001:db8:ee::/48",
            form=Words(),
        ),
    ),
)
