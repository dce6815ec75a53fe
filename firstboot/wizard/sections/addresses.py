"""Addresses and sizes that the plan decides, unless a person does."""

from firstboot.wizard.draft import NOTES
from firstboot.wizard.prompts import Words, YesOrNo
from firstboot.wizard.question import Question, Section, Situation, fixed

BY_HAND = (NOTES, "by_hand")


def _by_hand(situation: Situation) -> bool:
    return situation.site(*BY_HAND) == "yes"


SECTION = Section(
    "addresses",
    "Addresses",
    "Router, resolver and relays get their addresses from the first prefix of each family: .1 the "
    "router, .2 the resolver, .11 and up the relays. Which they are is shown at the end.",
    (
        Question(
            BY_HAND,
            "Give some of them by hand (yes or no)",
            "Only if other machines of yours have such addresses already, or addresses are known "
            "elsewhere and must not change.\nExample: no",
            form=YesOrNo(),
            default=fixed("no"),
        ),
        Question(
            ("router",),
            "Addresses of the router (or none)",
            "The box's own, one of each family. None leaves it to the plan.\n"
            "Example: 198.51.100.254 2001:db8:ee::1",
            form=Words(),
            optional=True,
            default=fixed([]),
            when=_by_hand,
        ),
        Question(
            ("dns", "addresses"),
            "Addresses of the resolver (or none)",
            "Where its questions come from, one of each family, and used for nothing else. None "
            "leaves it to the plan.\nExample: 198.51.100.53",
            form=Words(),
            optional=True,
            default=fixed([]),
            when=_by_hand,
        ),
        Question(
            ("relays", "or_addresses"),
            "Addresses where relays listen (or none)",
            "One of each family for every eight relays. None leaves it to the plan.\n"
            "Example: 198.51.100.201 198.51.100.203",
            form=Words(),
            optional=True,
            default=fixed([]),
            when=_by_hand,
        ),
        Question(
            ("relays", "exit_addresses"),
            "Addresses that exit traffic comes from (or none)",
            "One of each family for every eight relays; they end up on block lists. None leaves it "
            "to the plan.\nExample: 198.51.100.202 198.51.100.204",
            form=Words(),
            optional=True,
            default=fixed([]),
            when=_by_hand,
        ),
        Question(
            ("dns", "cache_mib"),
            "Memory for the resolver's answers in MiB (or none)",
            "None leaves it to what suits the box.\nExample: 2048",
            optional=True,
            default=fixed(None),
            when=_by_hand,
        ),
    ),
)
