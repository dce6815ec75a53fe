"""The proof as it is told: rows that are true of the rules, and nothing for what has flaws."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from firstboot.core.refusal import Refusal
from firstboot.site.commands import verify_folder, write
from firstboot.site.verify.explain import explain, table
from firstboot.site.verify.pf.rules import Direction
from firstboot.site.verify.picture import draw
from tests.firstboot.site.verify.test_verify import BOX, LARGEST, rendered


def test_each_row_names_the_line_of_a_rule_that_passes() -> None:
    site, files = rendered(LARGEST)
    lines = next(file.text for file in files if file.path == "etc/pf.conf").split("\n")
    explanation = explain(site, BOX, files)
    default = lines.index('block drop all label "default"') + 1
    for way in explanation.ways:
        for one in way.passing:
            rule = lines[one.line - 1]
            assert rule.startswith("pass")
            assert f'label "{one.label}"' in rule
            assert ("no state" in rule) == (one.state == "no state")
        assert f"default (line {default})" in way.blocked or way.role.value == "management"
    assert [(way.port, way.direction) for way in explanation.ways] == [
        (port.name, direction) for port in site.ports for direction in Direction
    ]


def test_the_table_tells_who_passes_and_which_rule_stops_a_leak() -> None:
    site, files = rendered(LARGEST)
    told = table(explain(site, BOX, files))
    pf = next(file.text for file in files if file.path == "etc/pf.conf").split("\n")
    leak = pf.index('block out quick on { ix2 } inet from ! <own> label "LEAK4"') + 1
    out = told.split("out on exchange (ix2, exchange)")[1].split("\n\n")[0]
    (question,) = (line for line in out.split("\n") if " udp to 53 " in line)
    assert "the resolver's questions" in question
    assert "state of any port" in question
    # Eight rules of each family before it count some of these packets apart.
    of_4, of_6 = f"{leak - 16}-{leak - 9}, {leak}", f"{leak - 8}-{leak - 1}, {leak + 1}"
    assert f"LEAK4 (lines {of_4}), LEAK6 (lines {of_6})" in out
    assert "hears     198.51.100.0/24, and nothing else" in told
    assert "deny quick from ebgp ovs invalid" in told


@pytest.mark.parametrize("path", ["etc/pf.conf", "etc/local/bgpd.conf"])
def test_what_cannot_be_read_is_not_explained(path: str) -> None:
    site, files = rendered(LARGEST)
    changed = [replace(f, text="nonsense\n") if f.path == path else f for f in files]
    with pytest.raises(Refusal, match=path):
        explain(site, BOX, changed)
    with pytest.raises(Refusal, match="is missing"):
        explain(site, BOX, [file for file in files if file.path != path])


def test_verify_prints_the_proof_and_draws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site, files = rendered(LARGEST)
    write(files, tmp_path / "site")
    picture = tmp_path / "proof.svg"
    verify_folder(LARGEST, tmp_path / "site", BOX, explained=True, picture=picture)
    assert "all else is blocked" in capsys.readouterr().out
    assert picture.read_text() == draw(site, explain(site, BOX, files))
    drawn = "".join(ElementTree.fromstring(picture.read_text()).itertext())
    assert all(port.name in drawn for port in site.ports)
