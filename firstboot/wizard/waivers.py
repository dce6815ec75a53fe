"""Rules that were set aside, to be asked about again when a site is changed."""

from firstboot.document import Plain
from firstboot.wizard.question import Question, Section, Situation


def section(names: list[str]) -> Section:
    """A question for each waiver that there is."""
    return Section(
        "waivers",
        "Rules set aside",
        "These rules do not hold for this site, for the reasons that were given.",
        tuple(
            Question(
                ("waivers", name),
                f"Why {name} is set aside (none: it holds)",
                "A sentence for those who come after you.\n"
                "Example: The box stands in our own office.",
                optional=True,
            )
            for name in names
        ),
    )


def names(situation: Situation) -> list[str]:
    found: Plain = situation.site("waivers")
    return list(found) if isinstance(found, dict) else []
