"""What a new box is not asked about: rules that were set aside, kernel settings.

A site that has them gets a question for each.
"""

from collections.abc import Iterator

from firstboot.wizard.question import Question, Section, Situation

REASON = """\
A sentence for those who come after you. With none, the rule holds again.
Example: The box stands in our own office."""

TUNED = """\
The value that this site uses in place of the one that suits the hardware. With none, the box uses
the latter again.
Example: none"""


def sections(situation: Situation) -> Iterator[Section]:
    """Yield the sections that have at least one question."""
    rules = tuple(
        _about(("waivers", name), f"Why {name} is set aside", REASON)
        for name in _names(situation, "waivers")
    )
    if rules:
        yield Section(
            "waivers",
            "Rules set aside",
            "These rules do not hold for this site, for the reasons given.",
            rules,
        )
    tuned = tuple(
        _about(("performance", part, name), f"{word} {name}", TUNED)
        for part, word in (("profiles", "Profile of"), ("settings", "Value of"))
        for name in _names(situation, "performance", part)
    )
    if tuned:
        yield Section(
            "tuning", "Tuning by hand", "Kernel settings that this site gives by hand.", tuned
        )


def _about(key: tuple[str, ...], text: str, explained: str) -> Question:
    return Question(key, text, explained, hint="or none", optional=True, of_mapping=True)


def _names(situation: Situation, *key: str) -> list[str]:
    found = situation.site(*key)
    return list(found) if isinstance(found, dict) else []
