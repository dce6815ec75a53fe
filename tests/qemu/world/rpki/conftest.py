"""A world for repositories, with a party of its own for each test."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from qemu.world.net import Party, Unable, World, need
from qemu.world.rpki import certificates
from qemu.world.rpki.authority import new_key
from qemu.world.rpki.servers import Repository
from tests.qemu.world.rpki.validator import Validated, validate

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Published:
    """A repository that is served, and who validates it beside it."""

    party: Party
    folder: Path
    servers: Repository

    def validate(self, *options: str, locator: str = "") -> Validated:
        return validate(self.party, self.folder, *options, locator=locator)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    try:
        need("rpki-client", "rpki-client")
        need("rsync", "rsync")
        with World(tmp_path_factory.mktemp("world")) as world:
            yield world
    except Unable as reason:
        pytest.skip(str(reason))


numbers = itertools.count()

made: list[RSAPrivateKey] = []


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has the keys of the tests before, which take long to make. No two of a repository
    are the same."""
    taken = itertools.count()

    def key() -> RSAPrivateKey:
        at = next(taken)
        if at == len(made):
            made.append(new_key())
        return made[at]

    monkeypatch.setattr("qemu.world.rpki.authority.new_key", key)


@pytest.fixture
def serve(world: World) -> Callable[[Path], Published]:
    """Serves the repository in a folder at HOST, with a certificate by an authority that the folder
    then has."""

    def served(folder: Path) -> Published:
        certificates.make(folder, HOST)
        party = world.party(f"repository{next(numbers)}")
        return Published(party, folder, Repository(party, folder))

    return served
