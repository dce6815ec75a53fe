"""Every file of the three examples, kept as documentation and compared to the byte.

After a change that is meant:
``pytest tests/firstboot/site/daemons/test_golden.py --renew-golden``, read the
difference (``git diff tests/golden``), commit both.
"""

import difflib
import shutil

import pytest

from firstboot.site.render import render
from tests.firstboot.site.daemons.sites import BOX, EXAMPLES, ROOT, example

GOLDEN = ROOT / "tests" / "golden"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_renders_as_it_did(name: str, request: pytest.FixtureRequest) -> None:
    folder = GOLDEN / name
    found = {file.path: file.text for file in render(example(name), BOX, ROOT / "overlays")}
    if request.config.getoption("--renew-golden"):
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in found.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return
    paths = [path for path in folder.rglob("*") if path.is_file()]
    kept = {path.relative_to(folder).as_posix(): path.read_text() for path in paths}
    lines = [
        line
        for path in sorted(kept.keys() | found.keys())
        for line in difflib.unified_diff(
            kept.get(path, "").splitlines(),
            found.get(path, "").splitlines(),
            f"golden/{name}/{path}" if path in kept else "/dev/null",
            path if path in found else "/dev/null",
            n=1,
            lineterm="",
        )
    ]
    assert not lines, "\n".join(["renew with --renew-golden if this is meant:", *lines])
    assert kept.keys() == found.keys()
