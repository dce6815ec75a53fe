"""Network namespaces for the tests, which are skipped with the reason where there can be none."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from firstboot.site.model import Site
from qemu.world.net import Unable, World
from tests.live.world import SITE, Surroundings


class Worlds:
    """Makes worlds that end with the module that uses them."""

    def __init__(self, stack: ExitStack, factory: pytest.TempPathFactory) -> None:
        self._stack = stack
        self._factory = factory

    def make(self, site: Site = SITE) -> Surroundings:
        return Surroundings(self.empty(), site)

    def empty(self) -> World:
        return self._stack.enter_context(World(self._factory.mktemp("world")))


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    with ExitStack() as stack:
        yield Worlds(stack, tmp_path_factory)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    try:
        return (yield)
    except Unable as reason:
        pytest.skip(str(reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    try:
        return (yield)
    except Unable as reason:
        pytest.skip(str(reason))
