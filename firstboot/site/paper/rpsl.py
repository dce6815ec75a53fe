"""Objects of routing registries, as RFC 2622 writes them and RFC 4012 adds IPv6 to them.

An object is lines of ``attribute: value``; its first attribute is its class, and the value of that
its name. An empty line ends it. Only ASCII is written, because that is what every registry takes.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

COLUMN = 16
"""Where values begin, as whois servers print them."""

SUBSTITUTES = {"–": "-", "’": "'", "ß": "ss", "æ": "ae", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}  # noqa: RUF001
"""For characters that are no letter with an accent."""


@dataclass(frozen=True)
class RpslObject:
    """Attributes in order, each a name and a value of one line."""

    attributes: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> str:
        """The class: ``aut-num``."""
        return self.attributes[0][0]

    @property
    def name(self) -> str:
        return self.attributes[0][1]

    def values(self, attribute: str) -> tuple[str, ...]:
        return tuple(value for name, value in self.attributes if name == attribute)

    def __str__(self) -> str:
        return "".join(f"{name + ':':<{COLUMN}}{value}\n" for name, value in self.attributes)


def text(objects: Iterable[RpslObject]) -> str:
    return "\n".join(map(str, objects))


def ascii_text(said: str) -> str | None:
    """`said` without accents; None if it has letters that are not Latin."""
    spread = unicodedata.normalize("NFKD", said)
    plain = "".join(char for char in spread if not unicodedata.combining(char))
    plain = "".join(SUBSTITUTES.get(char, char) for char in plain)
    return plain if plain.isascii() else None
