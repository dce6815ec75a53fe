"""Changes that docs/changes.md shows: each can be made, and the box then says what stands there."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from firstboot.box.apply import apply_site
from firstboot.core import document
from firstboot.site.check import examine_text
from firstboot.site.model import Site
from tests.firstboot.box.box import ROOT, make
from tests.firstboot.box.conftest import quick as quick

EXAMPLE = (ROOT / "examples" / "one-port-of-each.yaml").read_text()
SECTION = re.compile(r"^## (.*?)\n.*?^```diff\n(.*?)^```\n\n```text\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Change:
    name: str
    lines: list[str]
    told: list[str]

    @property
    def site(self) -> str:
        before, after = ("".join(f"{one[1:]}\n" for one in self._but(sign)) for sign in "+-")
        assert EXAMPLE.count(before) == 1, before
        return EXAMPLE.replace(before, after)

    def _but(self, sign: str) -> list[str]:
        return [line for line in self.lines if line[:1] != sign]


def changes() -> list[Change]:
    page = (ROOT / "docs" / "changes.md").read_text()
    sections = re.split(r"(?m)^(?=## )", page)
    found = [match for section in sections if (match := SECTION.match(section))]
    assert len(found) == page.count("```diff")
    return [Change(m[1], m[2].splitlines(), m[3].splitlines()) for m in found]


@pytest.mark.parametrize("change", changes(), ids=lambda change: change.name)
def test_a_change_does_what_the_page_says(change: Change, tmp_path: Path) -> None:
    before = document.parse(EXAMPLE.encode(), "before", Site)
    examined = examine_text(change.site.encode(), "after")
    after = examined.site
    assert after is not None
    assert not examined.errors, [str(finding) for finding in examined.findings]
    box = make(tmp_path / "box", before.value)
    apply_site(before, box.machine, lambda text: None)
    box.is_like(after.value)
    told: list[str] = []
    apply_site(after, box.machine, told.append)
    kept = next(at for at, line in enumerate(told) if "what every boot runs" in line)
    assert told[kept + 1 :] == change.told
