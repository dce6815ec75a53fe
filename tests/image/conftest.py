from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.base.upstream import BASE, KERNEL, Keys, Upstream, manifest_of, serving
from tests.image.packages import serving as packages
from tests.image.packages.serving import Server


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys") / "builder")


@pytest.fixture(scope="session")
def strangers_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys") / "stranger")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def upstream(keys: Keys) -> Iterator[Upstream]:
    with serving(keys) as upstream:
        yield upstream


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as --sets takes it, unsigned."""
    folder = tmp_path / "sets"
    folder.mkdir()
    files = {"base.txz": BASE, "kernel.txz": KERNEL}
    for name, data in {**files, "MANIFEST": manifest_of(files)}.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    with packages.serving() as server:
        yield server
