"""What the overlays ask of a repository, and what of it the repository has."""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from firstboot.core.refusal import Refusal
from image.overlay import Overlay, Wanted


@dataclass(frozen=True, slots=True)
class Missing:
    """An optional package that the repository does not have: which, for which overlay, and what
    the box is without."""

    names: tuple[str, ...]
    overlay: str
    reason: str

    def __str__(self) -> str:
        names = " or ".join(self.names)
        return f"no package {names}, which overlay '{self.overlay}' would use: {self.reason}"


@dataclass(frozen=True, slots=True)
class Choice:
    """`names` are those of the packages to install, each once, in the overlays' order."""

    names: tuple[str, ...]
    missing: tuple[Missing, ...]


def choose(overlays: Iterable[Overlay], offered: Container[str]) -> Choice:
    """What to install of the packages named in `offered`. Raises Refusal, naming the overlay's
    line, if none that would do is offered for what is not optional."""
    names: dict[str, None] = {}
    missing = []
    for one in overlays:
        for at, wanted in enumerate(one.recipe.value.packages):
            found = next((name for name in wanted.names if name in offered), None)
            if found is not None:
                names[found] = None
            elif wanted.optional:
                missing.append(Missing(wanted.names, one.name, wanted.reason))
            else:
                raise _lacking(one, at, wanted)
    return Choice(tuple(names), tuple(missing))


def _lacking(overlay: Overlay, at: int, wanted: Wanted) -> Refusal:
    return Refusal(
        overlay.recipe.where("packages", at),
        expected=f"a repository with the package {' or '.join(wanted.names)}",
        found="one without",
        remedy="give another repository, or leave the overlay out",
    )
