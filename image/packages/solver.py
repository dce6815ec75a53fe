"""Find the packages of a catalogue to install so that the wanted ones work.

A solution has at most one version of each name, and meets every need of its packages: the packages
that one depends on, by name and in any version, as pkg does it; what it `requires`, provided by
some package; its shared libraries, from a package or from base. Unlike pkg, the solver ignores no
missing need. No two packages of a solution conflict.

The solver takes the solution with the newest versions of the wanted packages, in the order in
which they are wanted; of these the one whose packages are together the fewest versions behind the
newest; of these the smallest; of these the first by name. So the solution contains no package that
nothing needs, and the order of the catalogue does not matter.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum

from firstboot.core.refusal import Refusal
from image.packages import version
from image.packages.catalogue import Catalogue, Listed
from image.packages.manifest import Package
from image.tree import Kind as EntryKind
from image.tree import Tree

_LIBRARY = re.compile(r"(?:usr/)?lib/(lib[^/]+\.so(?:\.[0-9.]+)?)")


def base_shlibs(tree: Tree) -> frozenset[str]:
    """Return the names of base's shared libraries for packages: files of `lib` and `usr/lib`.

    Those of `usr/lib32` have another ABI. libpkg's pkgbase.c reads the folders the same way.
    """
    files = (path for path, entry in tree.items() if entry.kind is not EntryKind.DIRECTORY)
    return frozenset(match[1] for match in map(_LIBRARY.fullmatch, files) if match)


def solve(
    wanted: Sequence[str], catalogue: Catalogue, shlibs: Collection[str]
) -> tuple[Listed, ...]:
    """Return the packages to install for those named `wanted`; the needs of one come before it.

    `shlibs` are the names of base's shared libraries. Raises Refusal with the chain of needs that
    leads to what is missing or in conflict.
    """
    offers = _Offers.of(catalogue, frozenset(shlibs))
    for name in wanted:
        if not catalogue.by_name(name):
            raise _unknown(name, offers)
    search = _Search(tuple(dict.fromkeys(wanted)), offers)
    search.go_on({}, {})
    if search.best is None:
        assert search.dead_end
        raise search.dead_end
    return _in_order(search.wanted, search.best.chosen, offers)


class _By(Enum):
    """How a package meets a need: by its name, by what it `provides`, or by a library in it."""

    NAME = "name"
    PROVIDED = "provided"
    SHLIB = "shlib"


@dataclass(frozen=True, slots=True)
class _Need:
    by: _By
    what: str


_Choice = tuple[str, int]
"""A package by name, and how many versions it is behind the newest."""

_Chosen = Mapping[str, int]
"""Choices of different names."""


@dataclass(frozen=True)
class _Offers:
    """The catalogue by name, the newest version first, and the packages that meet each need."""

    shlibs: frozenset[str]
    versions: Mapping[str, tuple[Listed, ...]]
    meeting: Mapping[_Need, tuple[_Choice, ...]]

    @classmethod
    def of(cls, catalogue: Catalogue, shlibs: frozenset[str]) -> "_Offers":
        versions = {}
        meeting: dict[_Need, list[_Choice]] = {}
        for name in sorted({one.package.name for one in catalogue.listed}):
            versions[name] = tuple(sorted(catalogue.by_name(name), key=_age, reverse=True))
            for behind, one in enumerate(versions[name]):
                for need in dict.fromkeys(_met(one.package)):
                    meeting.setdefault(need, []).append((name, behind))
        return cls(shlibs, versions, {need: tuple(all_) for need, all_ in meeting.items()})

    def package(self, choice: _Choice) -> Package:
        name, behind = choice
        return self.versions[name][behind].package

    def needs(self, package: Package) -> Iterator[_Need]:
        """Yield what `package` needs from packages; it may meet a need itself."""
        yield from (_Need(_By.NAME, one.name) for one in package.deps)
        yield from (_Need(_By.PROVIDED, what) for what in package.requires)
        for library in package.shlibs_required:
            if library not in self.shlibs:
                yield _Need(_By.SHLIB, library)


def _age(one: Listed) -> tuple[object, ...]:
    return version.key(one.package.version), one.package.version, one.path


def _met(package: Package) -> Iterator[_Need]:
    yield _Need(_By.NAME, package.name)
    yield from (_Need(_By.PROVIDED, what) for what in package.provides)
    yield from (_Need(_By.SHLIB, what) for what in package.shlibs_provided)


_Cost = tuple[tuple[int, ...], int, int]
"""Versions behind the newest: of each wanted package, and of all together; number of packages."""


@dataclass(frozen=True, slots=True)
class _Solution:
    cost: _Cost
    chosen: _Chosen

    @property
    def rank(self) -> tuple[_Cost, list[_Choice]]:
        """Less is better."""
        return self.cost, sorted(self.chosen.items())


@dataclass
class _Search:
    """Tries every solution that may be better than the best so far (branch and bound)."""

    wanted: tuple[str, ...]
    offers: _Offers
    best: _Solution | None = None
    dead_end: Refusal | None = None
    """The first dead end, which is that of the newest versions."""

    seen: set[frozenset[_Choice]] = field(default_factory=set)

    def go_on(self, chosen: _Chosen, because: Mapping[str, tuple[str, _Need]]) -> None:
        """Search on from `chosen`; `because` maps each name to the package and need it is for."""
        while True:
            state = frozenset(chosen.items())
            cost = self._cost(chosen)
            if state in self.seen or (self.best and cost > self.best.cost):
                return
            self.seen.add(state)
            unmet = self._unmet(chosen)
            if not unmet:
                solution = _Solution(cost, chosen)
                if self.best is None or solution.rank < self.best.rank:
                    self.best = solution
                return
            candidates = {need: self._candidates(need, chosen) for need in unmet}
            need = min(unmet, key=lambda one: len(candidates[one]))
            if not candidates[need]:
                self.dead_end = self.dead_end or self._refusal(need, unmet[need], chosen, because)
                return
            *others, last = candidates[need]
            reason = unmet[need], need
            for name, behind in others:
                self.go_on({**chosen, name: behind}, {**because, name: reason})
            chosen, because = {**chosen, last[0]: last[1]}, {**because, last[0]: reason}

    def _unmet(self, chosen: _Chosen) -> dict[_Need, str]:
        """Return the needs that `chosen` does not meet, each with its package ("" if wanted)."""
        packages = [self.offers.package(choice) for choice in chosen.items()]
        met = {need for package in packages for need in _met(package)}
        wanted = {_Need(_By.NAME, name): "" for name in self.wanted}
        needed = {need: one.name for one in reversed(packages) for need in self.offers.needs(one)}
        return {need: whose for need, whose in {**needed, **wanted}.items() if need not in met}

    def _candidates(self, need: _Need, chosen: _Chosen) -> list[_Choice]:
        return [
            choice
            for choice in self.offers.meeting.get(need, ())
            if choice[0] not in chosen and not self._enemies(choice, chosen)
        ]

    def _enemies(self, choice: _Choice, chosen: _Chosen) -> list[str]:
        """Return the packages of `chosen` that `choice` conflicts with."""
        one = self.offers.package(choice)
        others = map(self.offers.package, chosen.items())
        return [
            other.full_name
            for other in others
            if other.name in one.conflicts or one.name in other.conflicts
        ]

    def _cost(self, chosen: _Chosen) -> _Cost:
        """Return a lower bound of the cost of all solutions that contain `chosen`."""
        behind = tuple(chosen.get(name, 0) for name in self.wanted)
        return behind, sum(chosen.values()), len(chosen)

    def _refusal(
        self,
        need: _Need,
        whose: str,
        chosen: _Chosen,
        because: Mapping[str, tuple[str, _Need]],
    ) -> Refusal:
        chain: list[str] = []
        what, above = need, whose
        while above:
            package = self.offers.package((above, chosen[above]))
            chain.insert(0, f"{package.full_name} needs {what.what}")
            above, what = because[above]
        found = []
        for choice in self.offers.meeting.get(need, ()):
            enemies = self._enemies(choice, chosen)
            objection = f"conflicts with {' and '.join(enemies)}"
            if not enemies:
                objection = f"cannot be beside {self._version(choice[0], chosen)}"
            found.append(f"{self.offers.package(choice).full_name}, which {objection}")
        unmet = f"nothing offers {need.what}"
        if found:
            unmet = f"{need.what} cannot be installed: {', and '.join(found)}"
        return Refusal(
            f"package {what.what}",
            f"{unmet}; {' and '.join(chain)}" if chain else unmet,
            "Take another repository, or this one when its packages fit together again"
            if chain
            else "Ask for one of them only",
        )

    def _version(self, name: str, chosen: _Chosen) -> str:
        return self.offers.package((name, chosen[name])).full_name


def _unknown(name: str, offers: _Offers) -> Refusal:
    close = get_close_matches(name, offers.versions)
    return Refusal(
        f"package {name}",
        f"not in the repository, which has {', '.join(close)}"
        if close
        else "not in the repository",
        "Correct the name in the overlay that asks for it, or take another repository",
    )


def _in_order(wanted: Iterable[str], chosen: _Chosen, offers: _Offers) -> tuple[Listed, ...]:
    """Sort `chosen` so that needs come first; packages that need each other keep their order."""
    packages = {name: offers.package((name, chosen[name])) for name in sorted(chosen)}
    meeting: dict[_Need, list[str]] = {}
    for name, package in packages.items():
        for need in _met(package):
            meeting.setdefault(need, []).append(name)

    def before(name: str) -> Iterator[str]:
        return (other for need in offers.needs(packages[name]) for other in meeting[need])

    ordered: dict[str, Listed] = {}
    begun: set[str] = set()
    under_way = [("", iter(wanted))]
    while under_way:
        name, rest = under_way[-1]
        following = next((other for other in rest if other not in begun), None)
        if following is not None:
            begun.add(following)
            under_way.append((following, before(following)))
        else:
            under_way.pop()
            if name:
                ordered[name] = offers.versions[name][chosen[name]]
    return tuple(ordered.values())
