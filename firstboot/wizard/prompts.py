"""The forms of answers: how a line that is typed becomes a part of a site, and how it is shown.

What a form refuses, it refuses with ValueError and half a sentence; whether an answer makes sense
is for the site's own rules to say.
"""

import re
from dataclasses import dataclass
from typing import Protocol

from firstboot.core import passwords
from firstboot.core.document import Plain

NONE = "none"
"""What is typed where nothing is meant."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of several answers: what it is in the site, and what it means."""

    value: str
    meaning: str


class Form(Protocol):
    """`secret` answers are not echoed, those of `several` lines end with an empty one, and `twice`
    is for what must not be mistyped."""

    @property
    def secret(self) -> bool: ...

    @property
    def several(self) -> bool: ...

    @property
    def twice(self) -> bool: ...

    def parse(self, text: str) -> Plain:
        """The answer in `text`, which has no spaces around it. Raises ValueError."""

    def show(self, value: Plain) -> str:
        """`value` in a line, as it could be typed again; nothing of a secret."""


@dataclass(frozen=True)
class Text:
    """A line as it is."""

    secret: bool = False
    several: bool = False
    twice: bool = False

    def parse(self, text: str) -> Plain:
        return text

    def show(self, value: Plain) -> str:
        return NONE if value is None else str(value)


@dataclass(frozen=True)
class Secret(Text):
    """A line that nobody is to see."""

    secret: bool = True

    def show(self, value: Plain) -> str:
        return NONE if value is None else "the one that is set"


@dataclass(frozen=True)
class NewPassword(Secret):
    """A password, typed twice; what is kept is its hash alone."""

    twice: bool = True

    def parse(self, text: str) -> Plain:
        weak = passwords.weakness(text, [])
        if weak:
            raise ValueError(weak)
        return passwords.hashed(text)


@dataclass(frozen=True)
class Words(Text):
    """Several values in a line, with spaces or commas between them."""

    def parse(self, text: str) -> Plain:
        return [word for word in re.split(r"[\s,]+", text) if word]

    def show(self, value: Plain) -> str:
        return " ".join(map(str, value)) if isinstance(value, list) and value else NONE


@dataclass(frozen=True)
class Lines(Text):
    """Several values, a line each, as they are pasted; `what` they are, for counting them."""

    what: str = "lines"
    several: bool = True

    def parse(self, text: str) -> Plain:
        return [line.strip() for line in text.splitlines() if line.strip()]

    def show(self, value: Plain) -> str:
        return f"the {len(value)} {self.what}" if isinstance(value, list) and value else NONE


@dataclass(frozen=True)
class YesOrNo(Text):
    def parse(self, text: str) -> Plain:
        for answer in ("yes", "no"):
            if answer.startswith(text.lower()):
                return answer
        raise ValueError("the answer is yes or no")


@dataclass(frozen=True)
class OneOf(Text):
    """One of `options`, or as many of its first letters as tell it from the others."""

    options: tuple[Option, ...] = ()

    def parse(self, text: str) -> Plain:
        fitting = [o.value for o in self.options if o.value.startswith(text.lower())]
        if text.lower() in fitting:
            return text.lower()
        if len(fitting) == 1:
            return fitting[0]
        raise ValueError(
            "the answer is one of " + ", ".join(o.value for o in self.options) + ", or its number"
        )
