import os
import re
import shutil
import subprocess

import pytest


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
