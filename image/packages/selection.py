"""Choose the packages that the overlays ask for from those that a repository has."""

import sys
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from firstboot.core.refusal import Refusal
from image.overlay import Overlay, Wanted
from image.packages.catalogue import Listed
from image.packages.repository import Repository, check_abi
from image.packages.solver import base_shlibs, solve
from image.tree import Tree


@dataclass(frozen=True, slots=True)
class Missing:
    """An optional package that the repository does not have: its possible names, the overlay that
    asks for it, and what the box lacks without it."""

    names: tuple[str, ...]
    overlay: str
    reason: str

    def __str__(self) -> str:
        names = " or ".join(self.names)
        return f"no package {names}, which overlay '{self.overlay}' would use: {self.reason}"


@dataclass(frozen=True, slots=True)
class Choice:
    """`names` are the packages to install, each once, in the order of the overlays."""

    names: tuple[str, ...]
    missing: tuple[Missing, ...]


def choose(overlays: Iterable[Overlay], offered: Container[str]) -> Choice:
    """Choose the packages to install from those named in `offered`. Raises Refusal with the
    overlay's line if none of the names of a required package is offered."""
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
        f"the repository has no package {' or '.join(wanted.names)}",
        "Give a repository that has it with --packages, or leave the overlay out",
    )


def solve_newest(
    repository: Repository, overlays: Sequence[Overlay], base: Tree
) -> tuple[tuple[Listed, ...], tuple[Missing, ...]]:
    """Return the packages to install from `repository`, and the missing ones. An optional package
    whose needs cannot be met counts as missing; standard error says why. Raises Refusal."""
    catalogue, shlibs = repository.catalogue, base_shlibs(base)
    offered = {one.package.name for one in catalogue.listed}
    choice = choose(overlays, offered)
    try:
        solution = solve(choice.names, catalogue, shlibs)
    except Refusal:
        broken = {}
        for name in _optional(overlays) & set(choice.names):
            try:
                solve([name], catalogue, shlibs)
            except Refusal as refusal:
                broken[name] = refusal
        if not broken:
            raise
        for name in sorted(broken):
            print(f"{name} is left out: {broken[name]}", file=sys.stderr)
        choice = choose(overlays, offered - broken.keys())
        solution = solve(choice.names, catalogue, shlibs)
    check_abi(solution)
    return solution, choice.missing


def _optional(overlays: Sequence[Overlay]) -> set[str]:
    """Return the names that no overlay requires."""
    rules = [rule for one in overlays for rule in one.recipe.value.packages]
    needed = {name for rule in rules if not rule.optional for name in rule.names}
    return {name for rule in rules if rule.optional for name in rule.names} - needed
