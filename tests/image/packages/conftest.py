import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.packages.serving import Server, serving


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def pkg() -> str:
    """The program of that name that manages packages."""
    found = os.environ.get("EXITISP_PKG") or shutil.which("pkg")
    if found is None:
        pytest.skip("no pkg(8) to ask: name one in EXITISP_PKG")
    told = subprocess.run([found, "-v"], capture_output=True, text=True)
    if not re.fullmatch(r"\d+(\.\d+)+\n", told.stdout):
        pytest.skip(f"{found} is another program than pkg(8)")
    return found


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server
