"""The command, as a person types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from firstboot.site.paper.drift import asking
from firstboot.site.paper.drift.command import check_papers
from firstboot.site.paper.drift.sources import read_folder
from tests.command import ROOT, exitisp
from tests.firstboot.site.paper.drift.publishing import (
    peeringdb,
    publish,
    rpki,
    the_details,
    the_site,
)
from tests.firstboot.site.paper.sites import RIPE

NO_ZONES = {
    f"dns_{name}_zone": None
    for name in ("100_51_198_in_addr_arpa", "e_e_0_0_8_b_d_0_1_0_0_2_ip6_arpa")
}
"""Signatures end; what a command judges is judged now."""


def test_without_a_folder_the_commands_that_fill_it_are_printed(tmp_path: Path) -> None:
    ran = exitisp("paper", "--check", RIPE, folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "https://www.peeringdb.com/api/net?asn=65550&depth=2' > peeringdb.json" in ran.stdout
    assert "whois -h whois.radb.net -- '-T route 198.51.100.0/24' > irr-route-1.txt" in ran.stdout
    names = [line.rpartition("> ")[2] for line in ran.stdout.splitlines() if "> " in line]
    assert len(names) == len(set(names)) > 40


def test_a_difference_is_told_and_what_breaks_nothing_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path, peeringdb_json=peeringdb(info_prefixes4=0), **NO_ZONES)
    assert check_papers(RIPE, tmp_path)
    said = capsys.readouterr().out
    assert "differs: peeringdb.json: info_prefixes4 is 0, and the site announces 1. " in said
    assert f"not compared: reverse zones, for there is no file dns* in {tmp_path}\n" in said
    assert "one difference in ROAs and ASPAs, routing registries, RDAP and PeeringDB" in said


def test_what_makes_routes_invalid_is_exit_status_1(tmp_path: Path) -> None:
    publish(tmp_path, rpki_json=rpki().replace("65550", "64511"), **NO_ZONES)
    ran = exitisp("paper", "--check", RIPE, "--from", ".", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.startswith(
        "breaks: rpki.json: 198.51.100.0/24 of AS65550 is invalid: ROAs cover it, for AS64511. "
        "Networks that validate drop the announcement"
    )


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("rpki.json", b"", "the file is empty, which says nothing about anybody"),
        ("rpki.json", b"{", "it is no JSON that can be read"),
        ("rpki.json", b"[]", "it is no output of rpki-client"),
        ("rpki.json", b'{"roas": []}', "it has no ROA of anybody"),
        ("rpki.json", b'{"roas": [{}]}', "a ROA in it has no AS number or no prefix"),
        ("irr.txt", b"hello", "'hello' is no line of an object"),
        ("irr.txt.gz", b"\x1f\x8b\x08\x00", "it cannot be unpacked"),
        ("whois.txt", b"% nothing\n", "there is no object of a registry in it"),
        ("rdap.json", b'{"errorCode": 429, "title": "slow"}', "an error of the server: slow"),
        ("rdap.json", b'{"objectClassName": "entity"}', "it is no RDAP about an AS number"),
        ("peeringdb.json", b'{"meta": {}}', "it is no PeeringDB"),
        ("peeringdb.json", b'{"data": [{"id": 1}]}', "a network in it has no AS number"),
        ("dns.zone", b"a b c d", "it is neither a zone file nor what dig prints"),
        ("dns.zone", b"$INCLUDE /etc/passwd\n", "directive '$INCLUDE' is not allowed"),
        ("dns.zone", b"$GENERATE 1-9999999 a$ A 192.0.2.1", "'$GENERATE' is not allowed"),
        ("dns.zone", b"; nothing\n", "there are neither records nor questions in it"),
    ],
)
def test_a_file_that_is_empty_or_damaged_fails_after_the_others_were_compared(
    name: str, data: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path, peeringdb_json=None, **NO_ZONES)
    (tmp_path / "peeringdb-2.json").write_text(peeringdb(info_prefixes4=0))
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Refusal, match="1 of its files cannot be read"):
        check_papers(RIPE, tmp_path)
    out = capsys.readouterr().out
    assert f"not compared: {tmp_path / name}: " in out
    assert said in out
    assert "info_prefixes4 is 0" in out


def test_a_folder_that_is_absent_empty_or_has_something_else_is_refused(tmp_path: Path) -> None:
    for folder, said in (
        (tmp_path / "none", "the folder cannot be read"),
        (tmp_path, "the folder is empty, so nothing can be compared"),
    ):
        with pytest.raises(Refusal, match=said):
            read_folder(folder, the_site(), the_details())
    (tmp_path / "roas.json").write_text(rpki())
    with pytest.raises(Refusal, match="Begin the name of a file with rpki, irr, whois, rdap"):
        read_folder(tmp_path, the_site(), the_details())


def test_a_site_with_a_providers_addresses_is_refused(tmp_path: Path) -> None:
    said = (ROOT / "examples/relays-only.yaml").read_text()
    said += "\nzones:\n  servers: [ns1.example.org, ns2.example.net]\n"
    said += "  domain: exit.example.org\n"
    (tmp_path / "site.yaml").write_text(said)
    ran = exitisp("paper", "--check", "site.yaml", folder=tmp_path)
    assert ran.returncode == 1
    assert "the addresses are a provider's" in ran.stderr + ran.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--live"], "--check"),
        (["--from", "x"], "--check"),
        (["--check", "--live"], "--from"),
        (["--check", "-o", "x"], "--output"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: list[str], said: str, tmp_path: Path
) -> None:
    ran = exitisp("paper", RIPE, *options, folder=tmp_path)
    assert ran.returncode == 1
    assert said in ran.stderr


STAND_IN = """\
#!{python}
import json, os, sys
arguments = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
answers = json.loads({answers!r})
for part, answer in answers.items():
    if part in arguments:
        sys.stdout.write(answer)
        sys.exit(0)
sys.exit("nobody answers")
"""


def programs(folder: Path, answers: dict[str, str]) -> None:
    """Stand-ins of the programs that ask."""
    folder.mkdir()
    for name in asking.PACKAGES:
        text = STAND_IN.format(python=sys.executable, answers=json.dumps(answers))
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def test_live_asks_first_and_tells_who_does_not_answer(tmp_path: Path) -> None:
    programs(tmp_path / "bin", {"peeringdb.com": peeringdb(info_prefixes4=0)})
    (tmp_path / "published").mkdir()
    (tmp_path / "published/irr-autnum.txt").write_text("aut-num: AS1\n")
    ran = subprocess.run(
        [ROOT / "exitisp", "paper", "--check", RIPE, "--from", "published", "--live"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "info_prefixes4 is 0" in ran.stdout
    assert "no answer: whois -h whois.radb.net -- '-T aut-num AS65550'" in ran.stdout
    assert [one.name for one in (tmp_path / "published").iterdir()] == ["peeringdb.json"]


def test_live_names_the_package_of_a_program_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match="apt-get install curl bind9-dnsutils whois"):
        asking.ask([the_site()], the_details(), tmp_path)
