"""A difference between what is published and the site."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Drift:
    """`source` is the file that says it, or the kind of files that should. `problem` says what
    differs, `effect` what follows from it and what to do; both are sentences without a full stop.
    `breaks`: it makes routes invalid or names bogus."""

    source: str
    problem: str
    effect: str
    breaks: bool = False

    def __str__(self) -> str:
        word = "breaks" if self.breaks else "differs"
        return f"{word}: {self.source}: {self.problem}. {self.effect}."
