"""Limits and as-sets of peers, changed in a site file."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from firstboot.core import document, durable
from firstboot.core.refusal import Refusal
from firstboot.site.model import Peer, Site
from firstboot.site.peering.command import update_peers
from firstboot.site.peering.edit import edited
from firstboot.site.peering.update import updates
from firstboot.site.published.bgpq4 import Resolved
from firstboot.site.published.fields import a_prefix
from tests.command import exitisp
from tests.firstboot.site.paper.sites import RIPE, site
from tests.firstboot.site.peering.world import EXAMPLE, answer, example, with_net


def update(path: Path, *sources: Path, **other: Any) -> None:
    options = {"ask_irr": False, "irr_host": "", "writes": True, **other}
    update_peers(path, sources or [EXAMPLE], options.pop("irr", []), **options)


def copy(folder: Path, *changes: tuple[str, str]) -> Path:
    path = folder / "site.yaml"
    text = RIPE.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    path.chmod(0o600)
    return path


def peer(path: Path, name: str) -> Peer:
    peers = document.load(path, Site).value.peers
    return next(one for one in peers if one.name == name)


def changes(name: str, **said: Any) -> tuple[dict[str, str], tuple[str, ...]]:
    """What is changed of the content network of the example, if PeeringDB says `said`."""
    resolved = said.pop("resolved", [])
    found = updates(site(), with_net(65536, **said), resolved)
    (one,) = [one for one in found if one.peer.name == name]
    return dict(one.changes), one.notes


def test_a_limit_is_the_larger_recommendation_of_both_families() -> None:
    assert changes("content-network") == ({"max_prefix": "400"}, ())
    assert changes("content-network", info_prefixes6=900)[0] == {"max_prefix": "900"}


def test_transits_and_route_servers_are_left_alone() -> None:
    assert [one.peer.name for one in updates(site(), example(), [])] == [
        "content-network",
        "root-server",
    ]


@pytest.mark.parametrize("unknown", [None, 0])
def test_a_limit_that_nobody_recommends_comes_from_the_registry_or_not_at_all(
    unknown: int | None,
) -> None:
    said = {"info_prefixes4": unknown, "info_prefixes6": unknown}
    found, notes = changes("content-network", **said)
    assert found == {}
    assert notes == ("nobody tells how many prefixes it has",)
    prefixes = tuple(a_prefix(f"10.0.{number}.0/24") for number in range(100))
    resolved = [Resolved("AS65536:AS-CONTENT", prefixes)]  # type: ignore[arg-type]
    assert changes("content-network", **said, resolved=resolved)[0] == {"max_prefix": "150"}


def test_a_registry_with_more_than_the_limit_is_told() -> None:
    prefixes = tuple(a_prefix(f"10.0.{number}.0/24") for number in range(50))
    resolved = [Resolved("RIPE::AS65536:AS-CONTENT", prefixes)]  # type: ignore[arg-type]
    said = {"info_prefixes4": 20, "info_prefixes6": 0}
    found, notes = changes("content-network", **said, resolved=resolved)
    assert found == {"max_prefix": "20"}
    assert "resolved to 50 prefixes of a family, and it recommends a limit of 20" in notes[0]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ARIN::AS-NEW", "ARIN::AS-NEW"),
        ("RIPE:AS-NEW", "RIPE::AS-NEW"),
        ("AS-NEW", "AS-NEW"),
        ("RIPE::AS65536:AS-CONTENT", None),
        ("", None),
        ("AS-A AS-B", None),
        ("AS-A; rm", None),
        ("a: b", None),
    ],
)
def test_an_as_set_is_taken_if_it_is_one(said: str, expected: str | None) -> None:
    assert changes("content-network", irr_as_set=said)[0].get("irr") == expected


def test_comments_and_order_of_the_file_stay(tmp_path: Path) -> None:
    path = copy(tmp_path)
    before = path.read_text().splitlines()
    update(path)
    after = path.read_text().splitlines()
    assert [line for line in after if line not in before] == [
        "    max_prefix: 400",
        "    max_prefix: 2",
    ]
    assert [line for line in after if "max_prefix" not in line] == before
    assert peer(path, "content-network").max_prefix == 400
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    update(path)
    assert path.read_text().splitlines() == after, "a second time nothing is left to change"


def test_a_value_is_replaced_and_its_comment_stays(tmp_path: Path) -> None:
    path = copy(tmp_path, ("    irr: RIPE::", "    max_prefix: 7   # agreed\n    irr: RIPE::"))
    update(path)
    assert "    max_prefix: 400   # agreed\n" in path.read_text()


@pytest.mark.parametrize(
    "peers",
    [
        "peers:\n- {name: a, asn: 65536, role: peer}\n- asn: 1\n  irr: AS1 # x\n",
        'peers: [{name: a, "asn": 65536}, {asn: 1, irr: "AS1"}]\n',
        "peers:\r\n  - name: a\r\n    asn: 65536\r\n  - irr: AS1\r\n    asn: 1",
        "peers:\n  -\n    asn: 65536   # ours\n\n  - irr:   AS1\n    asn: 1",
    ],
)
def test_every_layout_of_yaml_reads_as_what_was_asked_for(peers: str) -> None:
    edits = {0: {"max_prefix": "7", "irr": "RIPE::AS1:AS-A"}, 1: {"irr": "AS2"}}
    made = edited(peers, edits, "site.yaml")
    first, second = yaml.safe_load(made)["peers"]
    assert (first["asn"], first["max_prefix"], first["irr"]) == (65536, 7, "RIPE::AS1:AS-A")
    assert (second["asn"], second["irr"]) == (1, "AS2")
    assert ("# x" in peers) == ("# x" in made)


def test_without_write_the_difference_is_shown_and_the_file_stays(tmp_path: Path) -> None:
    path = copy(tmp_path)
    before = path.read_bytes()
    ran = exitisp("peers", "--update", "site.yaml", "--from", EXAMPLE, folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "+    max_prefix: 400\n" in ran.stdout
    assert "Nothing was written" in ran.stdout
    assert path.read_bytes() == before


def test_no_secret_is_in_the_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "Qd8Zr3LkT5yVb1NcX7wPjM2s"
    path = copy(tmp_path, ("    asn: 65536\n", f"    md5: {secret}\n    asn: 65536\n"))
    update(path, writes=False)
    said = capsys.readouterr().out
    assert "********" in said
    assert secret not in said


def test_a_disk_without_room_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copy(tmp_path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(durable, "write", full)
    with pytest.raises(Refusal, match=r"No space left on device\); it is what it was"):
        update(path)
    assert path.read_bytes() == before


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    path = copy(tmp_path)
    (tmp_path / "link.yaml").symlink_to("site.yaml")
    update(tmp_path / "link.yaml")
    assert (tmp_path / "link.yaml").is_symlink()
    assert "max_prefix: 400" in path.read_text()


def test_output_of_bgpq4_is_read_from_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"prefix": f"10.{n // 256}.{n % 256}.0/24", "exact": True} for n in range(500)]
    (tmp_path / "irr.json").write_text(json.dumps({"RIPE::AS65536:AS-CONTENT": rows}))
    update(copy(tmp_path), irr=[tmp_path / "irr.json"])
    assert "its set is resolved to 500 prefixes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"[]", "it is no output of bgpq4 -j"),
        (b'{"AS1": {}}', "a set in it is no list of prefixes"),
        (b'{"AS1": [{}]}', "an entry in it has no prefix"),
    ],
)
def test_damaged_output_changes_nothing(data: bytes, said: str, tmp_path: Path) -> None:
    path = copy(tmp_path)
    before = path.read_bytes()
    (tmp_path / "irr.json").write_bytes(data)
    with pytest.raises(Refusal) as refused:
        update(path, irr=[tmp_path / "irr.json"])
    assert said in str(refused.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Add --suggest or --update"),
        (["--suggest", "--update"], "--update"),
        (["--suggest", "--write"], "--write"),
        (["--update", "-o", "x"], "--output"),
        (["--update", "--irr-host", "x"], "--irr-host"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: list[str], said: str, tmp_path: Path
) -> None:
    copy(tmp_path)
    ran = exitisp("peers", "site.yaml", *options, folder=tmp_path)
    assert ran.returncode == 1
    assert said in ran.stderr


def curl(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (folder / "curl").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "curl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_peeringdb_is_asked_about_the_peers_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(tmp_path, "net")
    asked = tmp_path / "asked"
    curl(tmp_path, monkeypatch, f'echo "$*" > {asked}; cat {tmp_path / "net.json"}')
    path = copy(tmp_path)
    options = {"ask_irr": False, "irr_host": "", "writes": True, "ask_peeringdb": True}
    update_peers(path, [], [], **options)  # type: ignore[arg-type]
    assert asked.read_text().split()[-1].endswith("/api/net?asn__in=65536,65537")
    assert peer(path, "content-network").max_prefix == 400


@pytest.mark.parametrize("script", ["echo 429 >&2; exit 22", "exit 0", "echo '<html>'"])
def test_an_answer_that_is_none_changes_nothing(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curl(tmp_path, monkeypatch, script)
    path = copy(tmp_path)
    before = path.read_bytes()
    with pytest.raises(Refusal, match=r"www\.peeringdb\.com"):
        update(path, ask_peeringdb=True)
    assert path.read_bytes() == before


def test_a_missing_bgpq4_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match="sudo apt-get install bgpq4"):
        update(copy(tmp_path), ask_irr=True)
