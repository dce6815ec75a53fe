"""Whatever is read is understood or refused in one of the ways that the reader declares: never with
another exception, and never without an end.

Each target gets a hundred inputs, the same at every run. ``EXITISP_FUZZ=60`` makes new ones, for 60
seconds for each target. What is found once is kept in `found/TARGET/`, and tried at every run.
"""

import ast
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings

from tests.command import ROOT
from tests.conftest import FUZZ_SECONDS
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import EXEMPT, TARGETS

INPUTS = 100

INPUTS_OF_A_ROUND = 1000
"""Of a long run, which makes rounds until its time is over."""

FOUND = Path(__file__).with_name("found")


def attempt(name: str, data: bytes) -> None:
    target = TARGETS[name]
    with suppress(*target.refuses):
        target.read(data)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_understood(name: str) -> None:
    """A change of an input that is refused at its first byte reaches nothing."""
    seeds = TARGETS[name].seeds()
    assert seeds
    for seed in seeds:
        TARGETS[name].read(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_almost_good_is_understood_or_refused(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    tried, longest = 0, 0.0

    @settings(
        max_examples=INPUTS_OF_A_ROUND if FUZZ_SECONDS else INPUTS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(TARGETS[name].seeds()))
    def try_one(data: bytes) -> None:
        nonlocal tried, longest
        note(f"Keep the input as a file in tests/fuzz/found/{name}/, and mend the reader.")
        start = time.monotonic()
        attempt(name, data)
        tried, longest = tried + 1, max(longest, time.monotonic() - start)

    end = time.monotonic() + FUZZ_SECONDS
    try_one()
    while time.monotonic() < end:
        try_one()
    record_property("inputs", tried)
    record_property("longest", f"{longest:.3f} s")


@pytest.mark.parametrize(
    "path", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_what_was_found_once_stays_mended(path: Path) -> None:
    attempt(path.parent.name, path.read_bytes())


def test_every_folder_of_found_inputs_has_its_target() -> None:
    assert {path.name for path in FOUND.iterdir() if path.is_dir()} <= set(TARGETS)


@cache
def readers() -> frozenset[str]:
    return frozenset(find_readers())


def find_readers() -> Iterator[str]:
    """The public functions and methods whose first parameter is bytes, the functions that are
    called parse, read or load something and take text or a path, and what makes a value of text."""
    for folder in ("image", "firstboot"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            module = ".".join(part for part in parts if part != "__init__")
            tree = ast.parse(path.read_text())
            named = [("", one) for one in tree.body]
            for one in tree.body:
                if isinstance(one, ast.ClassDef) and not one.name.startswith("_"):
                    named += [(f"{one.name}.", inner) for inner in one.body]
            for owner, one in named:
                if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
                    kind = takes(one)
                    reads = one.name.startswith(("parse", "read", "load", "list_", "schema_of"))
                    value = owner and one.name == "parse" and first(one) == "cls"
                    if kind == "bytes" or (kind == "str" and value):
                        yield f"{module}.{owner}{one.name}"
                    elif kind in ("str", "Path") and reads and not owner:
                        yield f"{module}.{one.name}"


def first(function: ast.FunctionDef) -> str:
    return function.args.args[0].arg if function.args.args else ""


def takes(function: ast.FunctionDef) -> str:
    """The type of its first parameter."""
    taken = [one for one in function.args.args if one.arg not in ("self", "cls")]
    return ast.unparse(taken[0].annotation) if taken and taken[0].annotation else ""


def test_no_reader_is_forgotten() -> None:
    assert readers() - set(TARGETS) - set(EXEMPT) == set()


def test_nothing_is_a_target_that_is_none_any_more() -> None:
    assert set(EXEMPT) <= readers()
    assert not set(EXEMPT) & set(TARGETS)
