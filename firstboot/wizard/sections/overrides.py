"""What a site may have and nobody is asked for on a new box: rules that were set aside, settings of
the kernel. It is asked about where it is there."""

from collections.abc import Iterator

from firstboot.wizard.question import Question, Section, Situation

REASON = """\
A sentence for those who come after you; none puts the rule into force again.
Example: The box stands in our own office."""

TUNED = """\
What the site file gives in place of what suits the hardware; none leaves it to that again.
Example: none"""


def sections(situation: Situation) -> Iterator[Section]:
    """A section for each of these, with a question for each that there is."""
    rules = tuple(
        _about(("waivers", name), f"Why {name} is set aside (or none)", REASON)
        for name in _names(situation, "waivers")
    )
    if rules:
        yield Section(
            "waivers",
            "Rules set aside",
            "These rules do not hold for this site, for the reasons that were given.",
            rules,
        )
    tuned = tuple(
        _about(("performance", part, name), f"{word} {name} (or none)", TUNED)
        for part, word in (("profiles", "Profile of"), ("settings", "Value of"))
        for name in _names(situation, "performance", part)
    )
    if tuned:
        yield Section("tuning", "Tuning by hand", "How the kernel is tuned.", tuned)


def _about(key: tuple[str, ...], text: str, explained: str) -> Question:
    return Question(key, text, explained, optional=True, of_mapping=True)


def _names(situation: Situation, *key: str) -> list[str]:
    found = situation.site(*key)
    return list(found) if isinstance(found, dict) else []
