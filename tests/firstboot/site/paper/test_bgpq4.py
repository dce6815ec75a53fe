"""What others' filters make of the papers: bgpq4 asks a registry that has them."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstboot.core import document
from firstboot.core.refusal import Refusal
from firstboot.core.values import Network
from firstboot.site.model import Site
from firstboot.site.paper.details import details
from firstboot.site.paper.routing import objects
from firstboot.site.paper.rpsl import RpslObject
from firstboot.site.peering.command import update_peers
from firstboot.site.published import bgpq4
from tests.firstboot.site.paper.irr_server import Registry, serving
from tests.firstboot.site.paper.judges import irrd_reads
from tests.firstboot.site.paper.sites import ARIN, BOTH, RIPE, site
from tests.firstboot.site.peering.world import EXAMPLE

OTHERS = (
    "as-set: AS65536:AS-CONTENT\nmembers: AS65536, AS64510\nadmin-c: A1-RIPE\ntech-c: A1-RIPE\n"
    "mnt-by: A-MNT\nsource: RIPE\n",
    "route: 192.0.2.0/24\norigin: AS65536\nmnt-by: A-MNT\nsource: RIPE\n",
    "route: 203.0.113.0/24\norigin: AS64510\nmnt-by: A-MNT\nsource: RIPE\n",
    "route6: 2001:db8:77::/48\norigin: AS65537\nmnt-by: A-MNT\nsource: RIPE\n",
)
"""Objects of two peers and of a customer of one."""


@pytest.fixture(autouse=True)
def _with_bgpq4() -> None:
    if shutil.which("bgpq4") is None:
        pytest.skip("bgpq4 is not installed: apt-get install bgpq4")


def registry(made: list[RpslObject], with_a: bool = True) -> Registry:
    return Registry(irrd_reads([*made, *OTHERS]), with_a=with_a)


def resolved(port: int, name: str) -> set[Network]:
    found: set[Network] = set()
    for family in ("-4", "-6"):
        said = subprocess.run(
            ["bgpq4", "-p", "-h", f"127.0.0.1:{port}", family, "-j", "-l", "IT", name],
            capture_output=True,
            timeout=60,
            check=True,
        )
        for one in bgpq4.parse(said.stdout, "bgpq4"):
            found |= set(one.prefixes)
    return found


@pytest.mark.parametrize("with_a", [True, False], ids=["resolved there", "resolved here"])
@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)
def test_the_as_set_is_resolved_to_exactly_the_scopes(path: object, with_a: bool) -> None:
    made = site(of=path)
    known = details(made)
    with serving(registry(objects(made, known), with_a)) as port:
        assert resolved(port, known.as_set) == set(made.scopes)
        assert resolved(port, f"{known.form.source}::{known.as_set}") == set(made.scopes)


def test_an_as_set_without_the_own_as_lets_nothing_pass() -> None:
    made = site(of=RIPE)
    known = details(made)
    texts = [str(one).replace("members:        AS65550", "members:        AS64511") for one in
             objects(made, known)]  # fmt: skip
    with serving(Registry(irrd_reads(texts), with_a=True)) as port:
        assert resolved(port, known.as_set) == set()


@pytest.fixture
def peers() -> Iterator[int]:
    made = site(of=ARIN)
    with serving(registry(objects(made, details(made)))) as port:
        yield port


def update(folder: Path, port: int) -> Path:
    path = folder / "site.yaml"
    path.write_text(RIPE.read_text())
    host = f"127.0.0.1:{port}"
    # PeeringDB recommends no limit to anybody.
    said = EXAMPLE.read_text().replace('"info_prefixes', '"old_prefixes')
    (folder / "peeringdb.json").write_text(said)
    update_peers(path, [folder / "peeringdb.json"], [], ask_irr=True, irr_host=host, writes=True)
    return path


def test_limits_come_from_the_registry_where_nobody_recommends_one(
    tmp_path: Path, peers: int
) -> None:
    changed = document.load(update(tmp_path, peers), Site).value
    limits = {peer.name: peer.max_prefix for peer in changed.peers if peer.role.value == "peer"}
    assert limits == {"content-network": 10, "root-server": 10}


def test_a_set_that_the_registry_does_not_have_is_unknown_and_not_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(Registry([], with_a=False)) as port:
        path = update(tmp_path, port)
    assert "content-network: nobody tells how many prefixes it has" in capsys.readouterr().out
    assert path.read_text() == RIPE.read_text()


def test_an_error_beside_an_empty_set_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in = tmp_path / "bgpq4"
    stand_in.write_text(
        "#!/bin/sh\necho 'ERROR:Invalid AS number: 65550' >&2\necho '{\"A\": []}'\n"
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    update(tmp_path, 1)
    said = capsys.readouterr().out
    assert "content-network: not resolved: ERROR:Invalid AS number: 65550\n" in said


def test_a_registry_that_does_not_answer_changes_nothing(tmp_path: Path, peers: int) -> None:
    with pytest.raises(Refusal, match="Try it again, or name a file"):
        update(tmp_path, 1)
    assert (tmp_path / "site.yaml").read_text() == RIPE.read_text()
