"""Addresses and sizes that the address plan chooses, unless a person does."""

from firstboot.wizard.draft import NOTES
from firstboot.wizard.prompts import Words, YesOrNo
from firstboot.wizard.question import Question, Section, Situation, fixed

BY_HAND = (NOTES, "by_hand")


def _by_hand(situation: Situation) -> bool:
    return situation.site(*BY_HAND) == "yes"


SECTION = Section(
    "addresses",
    "Addresses",
    "The box takes its addresses from the first prefix of each family: .1 for the router, .2 for "
    "the resolver, .11 and up for the relays. A provider's few addresses it takes one by one. You "
    "see them all at the end.",
    (
        Question(
            BY_HAND,
            "Give some of them by hand",
            "Answer yes only if other machines use these addresses already, or if others know an "
            "address that must not change.",
            hint="yes or no",
            form=YesOrNo(),
            default=fixed("no"),
        ),
        Question(
            ("router",),
            "Addresses of the router",
            "The box's own addresses, one of each family. With none, the plan chooses them.",
            hint="or none",
            example="198.51.100.254 2001:db8:ee::1",
            form=Words(),
            optional=True,
            default=fixed([]),
            when=_by_hand,
        ),
        Question(
            ("dns", "addresses"),
            "Addresses of the resolver",
            "The resolver sends its queries from these addresses, one of each family; nothing else "
            "uses them. With none, the plan chooses them.",
            hint="or none",
            example="198.51.100.53",
            form=Words(),
            optional=True,
            default=fixed([]),
            when=_by_hand,
        ),
        Question(
            ("relays", "or_addresses"),
            "Addresses where relays listen",
            "Of each family, one for each relay or one for every eight. With none, the plan "
            "chooses them.",
            hint="or none",
            example="198.51.100.201 198.51.100.203",
            form=Words(),
            optional=True,
            default=fixed([]),
            when=_by_hand,
        ),
        Question(
            ("relays", "exit_addresses"),
            "Addresses that exit traffic comes from",
            "Of each family, one for each relay or one for every eight. These addresses end up on "
            "block lists. With none, the plan chooses them.",
            hint="or none",
            example="198.51.100.202 198.51.100.204",
            form=Words(),
            optional=True,
            default=fixed([]),
            when=_by_hand,
        ),
        Question(
            ("dns", "cache_mib"),
            "Memory for the resolver's answers in MiB",
            "With none, the box takes what suits its memory.",
            hint="or none",
            example="2048",
            optional=True,
            default=fixed(None),
            when=_by_hand,
        ),
    ),
)
