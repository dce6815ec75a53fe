"""The forms of answers: how a typed line becomes a part of a site, and how that is shown.

A form raises ValueError for what it refuses, with one or two whole sentences. Whether an answer
makes sense is for the rules of the site to say.
"""

import re
from dataclasses import dataclass
from typing import Protocol

from firstboot.core import passwords
from firstboot.core.document import Plain

NONE = "none"
"""What a person types to say that there is no such thing."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of several possible answers: its value in the site, and what that means."""

    value: str
    meaning: str


class Form(Protocol):
    """How one kind of answer is typed and shown.

    A `secret` answer is not echoed. An answer of `several` lines ends with an empty line. An answer
    that is asked for `twice` must not be mistyped.
    """

    @property
    def secret(self) -> bool: ...

    @property
    def several(self) -> bool: ...

    @property
    def twice(self) -> bool: ...

    def parse(self, text: str) -> Plain:
        """Return the answer in `text`, which has no spaces around it. Raises ValueError."""

    def show(self, value: Plain) -> str:
        """Return `value` as a line that could be typed again, without anything secret."""


@dataclass(frozen=True)
class Text:
    """A line, taken as it is."""

    secret: bool = False
    several: bool = False
    twice: bool = False

    def parse(self, text: str) -> Plain:
        return text

    def show(self, value: Plain) -> str:
        return NONE if value is None else str(value)


@dataclass(frozen=True)
class Secret(Text):
    """A line that is not echoed."""

    secret: bool = True

    def show(self, value: Plain) -> str:
        return NONE if value is None else "the one that is set"


@dataclass(frozen=True)
class NewPassword(Secret):
    """A password, typed twice. Only its hash is kept."""

    twice: bool = True

    def parse(self, text: str) -> Plain:
        weak = passwords.weakness(text, [])
        if weak:
            raise ValueError(f"{weak[0].upper()}{weak[1:]}.")
        return passwords.hashed(text)


@dataclass(frozen=True)
class Words(Text):
    """Several values in one line, with spaces or commas between them."""

    def parse(self, text: str) -> Plain:
        return [word for word in re.split(r"[\s,]+", text) if word]

    def show(self, value: Plain) -> str:
        return " ".join(map(str, value)) if isinstance(value, list) and value else NONE


@dataclass(frozen=True)
class Lines(Text):
    """Several values, pasted one a line. `what` is the plural of what they are."""

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
        raise ValueError("Answer yes or no.")


@dataclass(frozen=True)
class OneOf(Text):
    """One of `options`, or enough of its first letters to tell it from the others."""

    options: tuple[Option, ...] = ()

    def parse(self, text: str) -> Plain:
        fitting = [o.value for o in self.options if o.value.startswith(text.lower())]
        if text.lower() in fitting:
            return text.lower()
        if len(fitting) == 1:
            return fitting[0]
        values = [option.value for option in self.options]
        raise ValueError(f"Answer {', '.join(values[:-1])} or {values[-1]}, or its number.")
