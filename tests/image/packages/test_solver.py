"""The solver finds the one best set of packages, and says what is missing where there is none."""

import itertools
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image.packages.catalogue import Catalogue, Listed, parse_packagesite
from image.packages.checksum import Checksum, Kind
from image.packages.manifest import Dependency, Package
from image.packages.solver import base_shlibs, solve
from image.tree import Tree, directory, file, symlink
from tests.image.packages.fixtures import FIXTURES, needs_fixtures

SUM = Checksum.of(Kind.SHA256, b"")


def pack(
    full_name: str,
    *,
    deps: Iterable[str] = (),
    needs: Iterable[str] = (),
    has: Iterable[str] = (),
    requires: Iterable[str] = (),
    provides: Iterable[str] = (),
    conflicts: Iterable[str] = (),
) -> Listed:
    """A package; `needs` and `has` are shared libraries, `deps` NAME or NAME-VERSION."""
    name, _, version = full_name.rpartition("-")
    package = Package(
        name,
        version,
        f"misc/{name}",
        deps=tuple(
            Dependency(one.partition("-")[0], "", one.partition("-")[2] or "1") for one in deps
        ),
        shlibs_required=tuple(needs),
        shlibs_provided=tuple(has),
        requires=tuple(requires),
        provides=tuple(provides),
        conflicts=tuple(conflicts),
        annotations={"FreeBSD_version": "1500000"},
    )
    return Listed(package, f"All/{full_name}.pkg", SUM, 1)


def solved(wanted: str, *listed: Listed, base: str = "libc.so.7") -> list[str]:
    found = solve(wanted.split(), Catalogue(listed), base.split())
    return [one.package.full_name for one in found]


def refused(wanted: str, *listed: Listed, base: str = "libc.so.7") -> str:
    with pytest.raises(Refusal) as caught:
        solved(wanted, *listed, base=base)
    return str(caught.value)


class TestChoice:
    def test_what_a_package_needs_comes_before_it(self) -> None:
        assert solved(
            "tor",
            pack("tor-1", deps=["libevent"], needs=["libzstd.so.1", "libc.so.7"]),
            pack("libevent-2", deps=["openssl"]),
            pack("zstd-1", has=["libzstd.so.1"]),
            pack("openssl-3"),
            pack("nyx-1"),
        ) == ["openssl-3", "libevent-2", "zstd-1", "tor-1"]

    def test_the_newest_version_is_taken_by_pkgs_order(self) -> None:
        assert solved("a", pack("a-1.9"), pack("a-1.10_1"), pack("a-1.10")) == ["a-1.10_1"]

    def test_the_version_of_a_dependency_may_have_moved_on(self) -> None:
        assert solved("a", pack("a-1", deps=["b-1.0"]), pack("b-1.1")) == ["b-1.1", "a-1"]

    def test_an_older_version_is_taken_where_the_newest_misses_something(self) -> None:
        newest = pack("a-2", needs=["libnew.so.1"])
        assert solved("a", newest, pack("a-1")) == ["a-1"]

    def test_the_version_with_the_library_that_is_needed_is_taken(self) -> None:
        assert solved(
            "a",
            pack("a-1", deps=["b"], needs=["libb.so.1"]),
            pack("b-2", has=["libb.so.2"]),
            pack("b-1", has=["libb.so.1"]),
        ) == ["b-1", "a-1"]

    def test_the_newest_of_what_is_wanted_outweighs_what_it_needs(self) -> None:
        assert solved(
            "a",
            pack("a-2", deps=["b"], needs=["libb.so.1"]),
            pack("a-1", deps=["b"]),
            pack("b-2"),
            pack("b-1", has=["libb.so.1"]),
        ) == ["b-1", "a-2"]

    def test_one_package_that_is_there_anyway_serves_for_a_library(self) -> None:
        assert solved(
            "a b",
            pack("a-1", needs=["libx.so.1"]),
            pack("b-1", deps=["z"]),
            pack("y-1", has=["libx.so.1"]),
            pack("z-1", has=["libx.so.1"]),
        ) == ["z-1", "a-1", "b-1"]

    def test_a_library_of_base_needs_no_package(self) -> None:
        tor, extra = pack("tor-1", needs=["libssl.so.30"]), pack("tls-1", has=["libssl.so.30"])
        assert solved("tor", tor, extra, base="libssl.so.30") == ["tor-1"]
        assert solved("tor", tor, extra) == ["tls-1", "tor-1"]

    def test_what_a_package_brings_itself_needs_no_other(self) -> None:
        own = pack("a-1", needs=["liba.so.1"], has=["liba.so.1"], requires=["x"], provides=["x"])
        assert solved("a", own, pack("b-1", has=["liba.so.1"])) == ["a-1"]

    def test_a_requirement_is_met_by_what_provides_it(self) -> None:
        assert solved("a", pack("a-1", requires=["mta"]), pack("b-1", provides=["mta"])) == [
            "b-1",
            "a-1",
        ]

    def test_a_provider_in_conflict_is_passed_over(self) -> None:
        assert solved(
            "a",
            pack("a-1", requires=["mta"], conflicts=["b"]),
            pack("b-1", provides=["mta"]),
            pack("c-1", provides=["mta"]),
        ) == ["c-1", "a-1"]

    def test_packages_that_need_each_other_are_both_there(self) -> None:
        assert sorted(solved("a", pack("a-1", deps=["b"]), pack("b-1", deps=["a"]))) == [
            "a-1",
            "b-1",
        ]

    def test_what_is_wanted_twice_is_there_once(self) -> None:
        assert solved("a a", pack("a-1")) == ["a-1"]

    def test_nothing_is_needed_for_nothing(self) -> None:
        assert solved("", pack("a-1")) == []


class TestRefusal:
    def test_an_unknown_name_is_told_with_those_that_are_like_it(self) -> None:
        text = refused("openbgpd", pack("openbgpd8-1"), pack("tor-1"))
        assert text.startswith("package openbgpd: not in the repository")
        assert "openbgpd8" in text
        assert "tor" not in text.replace("repository", "")

    def test_a_missing_library_is_told_with_the_chain_that_leads_to_it(self) -> None:
        assert refused(
            "nyx tor",
            pack("nyx-1"),
            pack("tor-1", deps=["libevent"]),
            pack("libevent-2", needs=["libssl.so.30"]),
        ).startswith(
            "package tor: nothing offers libssl.so.30; tor-1 needs libevent and libevent-2 needs "
            "libssl.so.30."
        )

    @pytest.mark.parametrize(
        "lacking",
        [pack("a-1", deps=["x"]), pack("a-1", needs=["x"]), pack("a-1", requires=["x"])],
        ids=["package", "library", "requirement"],
    )
    def test_nothing_that_is_needed_is_passed_over(self, lacking: Listed) -> None:
        assert "nothing offers x; a-1 needs x." in refused("a", lacking)

    def test_packages_that_conflict_are_both_named(self) -> None:
        for pair in (
            (pack("a-1", conflicts=["b"]), pack("b-2")),
            (pack("a-1"), pack("b-2", conflicts=["a"])),
        ):
            text = refused("a b", *pair)
            assert "a-1" in text
            assert "conflicts with" in text
            assert "package b" in text or "b-2" in text

    def test_two_versions_of_one_name_are_not_both_taken(self) -> None:
        text = refused(
            "a",
            pack("a-1", needs=["libb.so.1", "libb.so.2"]),
            pack("b-1", has=["libb.so.1"]),
            pack("b-2", has=["libb.so.2"]),
        )
        assert "b-2, which cannot be beside b-1" in text or "b-1, which cannot be beside" in text


@needs_fixtures
class TestRealPackages:
    BASE = "libc.so.7 libm.so.5 libthr.so.3 libexecinfo.so.1"

    @pytest.fixture(scope="class")
    def listed(self) -> tuple[Listed, ...]:
        with (
            zstandard.open(FIXTURES / "packagesite.pkg") as packed,
            tarfile.open(fileobj=packed, mode="r|") as archive,
        ):
            for member in archive:
                if member.name == "packagesite.yaml":
                    data = archive.extractfile(member)
                    assert data
                    return parse_packagesite(data.read(), member.name).listed
        raise AssertionError("no packagesite.yaml")

    def test_daemons_need_nothing_but_base(self, listed: tuple[Listed, ...]) -> None:
        assert solved("tor openbgpd", *listed, base=self.BASE) == ["tor-0.4.9.11", "openbgpd-7.7"]

    def test_a_library_that_base_dropped_is_missed(self, listed: tuple[Listed, ...]) -> None:
        text = refused("tor", *listed, base="libc.so.7 libm.so.5 libthr.so.3")
        assert "tor-0.4.9.11 needs libexecinfo.so.1" in text

    def test_a_dependency_comes_first(self, listed: tuple[Listed, ...]) -> None:
        assert solved("fixture-tool", *listed) == ["fixture-base-1.0", "fixture-tool-1.2_1"]

    def test_a_declared_conflict_is_refused(self, listed: tuple[Listed, ...]) -> None:
        assert "conflicts with" in refused("fixture-conflict fixture-tool", *listed)


class TestBaseLibraries:
    def test_libraries_are_the_files_of_the_two_folders(self) -> None:
        tree = Tree()
        for path in ("lib", "lib/casper", "usr", "usr/lib", "usr/lib32", "usr/lib/libdir.so.1"):
            tree[path] = directory()
        for path in ("lib/libc.so.7", "lib/casper/libcap_dns.so.2", "usr/lib32/libold.so.1"):
            tree[path] = file(b"")
        for path in ("usr/lib/libssl.so.30", "usr/lib/libc.a", "usr/lib/crt1.o"):
            tree[path] = file(b"")
        tree["usr/lib/libssl.so"] = symlink("libssl.so.30")
        assert base_shlibs(tree) == {"libc.so.7", "libssl.so.30", "libssl.so"}


NAMES = "abcd"
LIBRARIES = ("libx.so.1", "liby.so.1")
BASE = "libc.so.7"


@dataclass(frozen=True)
class Universe:
    listed: tuple[Listed, ...]
    wanted: tuple[str, ...]


@st.composite
def universes(draw: st.DrawFn) -> Universe:
    def some(values: Iterable[str], size: int = 2) -> list[str]:
        return draw(st.lists(st.sampled_from(sorted(values)), max_size=size, unique=True))

    listed = []
    for name in NAMES:
        for version in range(draw(st.integers(1, 3))):
            listed.append(
                pack(
                    f"{name}-{version}",
                    deps=some(set(NAMES) - {name}),
                    needs=some([*LIBRARIES, BASE], 1),
                    has=some(LIBRARIES),
                    requires=some(["p"], 1) if draw(st.booleans()) else (),
                    provides=some(["p"], 1),
                    conflicts=some(NAMES, 1) if draw(st.booleans()) else (),
                )
            )
    wanted = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True))
    return Universe(tuple(draw(st.permutations(listed))), tuple(wanted))


def holds(packages: tuple[Package, ...]) -> bool:
    """Whether `packages` find all they need among themselves and do not conflict."""
    names = {one.name for one in packages}
    libraries = {BASE}.union(*(one.shlibs_provided for one in packages))
    provided = set().union(*(one.provides for one in packages))
    return all(
        {dep.name for dep in one.deps} <= names
        and set(one.shlibs_required) <= libraries
        and set(one.requires) <= provided
        and not set(one.conflicts) & (names - {one.name})
        for one in packages
    )


def every_solution(universe: Universe) -> Iterator[tuple[tuple[Listed, ...], tuple[object, ...]]]:
    """All sets of packages that hold and have what is wanted, each with its cost."""
    versions = {
        name: sorted(
            (one for one in universe.listed if one.package.name == name),
            key=lambda one: -int(one.package.version),
        )
        for name in NAMES
    }
    for pick in itertools.product(*([None, *range(len(versions[name]))] for name in NAMES)):
        behind = {name: at for name, at in zip(NAMES, pick, strict=True) if at is not None}
        chosen = tuple(versions[name][at] for name, at in behind.items())
        if set(universe.wanted) <= set(behind) and holds(tuple(one.package for one in chosen)):
            of_wanted = tuple(behind[name] for name in universe.wanted)
            yield chosen, (of_wanted, sum(behind.values()), len(behind), sorted(behind.items()))


@settings(max_examples=150)
@given(universes())
def test_the_solution_is_the_one_that_brute_force_finds(universe: Universe) -> None:
    solutions = list(every_solution(universe))
    if not solutions:
        with pytest.raises(Refusal, match="package "):
            solve(universe.wanted, Catalogue(universe.listed), [BASE])
        return
    found = solve(universe.wanted, Catalogue(universe.listed), [BASE])
    best, _ = min(solutions, key=lambda one: one[1])
    assert {one.path for one in found} == {one.path for one in best}
    assert len(found) == len(best)
    for size in range(len(found)):
        for fewer in itertools.combinations(found, size):
            packages = tuple(one.package for one in fewer)
            has_wanted = set(universe.wanted) <= {one.name for one in packages}
            assert not (has_wanted and holds(packages))


@settings(max_examples=50)
@given(universes(), st.randoms(use_true_random=False))
def test_the_order_of_the_catalogue_does_not_matter(universe: Universe, random: object) -> None:
    def outcome(listed: Iterable[Listed]) -> list[str] | str:
        try:
            found = solve(universe.wanted, Catalogue(tuple(listed)), [BASE])
        except Refusal as refusal:
            return str(refusal)
        return [one.path for one in found]

    shuffled = list(universe.listed)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert outcome(universe.listed) == outcome(shuffled)
