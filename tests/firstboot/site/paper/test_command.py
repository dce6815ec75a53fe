"""The command, as a person types it."""

import stat
from pathlib import Path

import pytest

from firstboot.site.paper.details import missing
from tests.command import exitisp
from tests.firstboot.site.paper.sites import ARIN, BOTH, RIPE, site
from tests.firstboot.site.sites import ONE, changed


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)
def test_papers_are_listed_and_written(path: Path, tmp_path: Path) -> None:
    listed = exitisp("paper", path, folder=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert not (tmp_path / "papers").exists()
    written = exitisp("paper", path, "-o", "papers", folder=tmp_path)
    assert written.returncode == 0
    names = [line.removeprefix("papers/") for line in written.stdout.splitlines()]
    assert names == listed.stdout.splitlines()
    files = [one for one in (tmp_path / "papers").rglob("*") if one.is_file()]
    assert sorted(names) == sorted(str(one.relative_to(tmp_path / "papers")) for one in files)
    assert all(one.stat().st_size for one in files)
    assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {0o644}


def test_every_missing_key_is_asked_for_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    ran = exitisp("paper", ONE, "-o", "papers", folder=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.endswith(
        "10 keys are missing that papers need (see above). Add what is "
        "missing, and type the same command again.\n"
    )
    assert (
        f"{ONE}: registry.maintainer: it is missing, and every object names who may change "
        "it. Write it under registry, for instance maintainer: EXAMPLE-MNT\n" in ran.stdout
    )
    assert not (tmp_path / "papers").exists()


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("  rir: ripe\n", "registry.rir"),
        (
            "  country: NL                           # only papers need it\n",
            "operator.country",
        ),
        ("  network: EXAMPLE-ONION\n", "registry.network"),
        ("  organisation: ORG-EOC1-RIPE\n", "registry.organisation"),
        ("  maintainer: EXAMPLE-ONION-MNT\n", "registry.maintainer"),
        ("  contact: EOC2-RIPE\n", "registry.contact"),
        ("  abuse: EOC3-RIPE\n", "registry.abuse"),
        ("  peeringdb: 99999\n", "registry.peeringdb"),
        ("  domain: exit.example.net\n", "zones.domain"),
        ("  servers: [ns1.example.org, ns2.example.com]\n", "zones.servers"),
    ],
)
def test_each_missing_key_is_named_with_its_use_and_an_example(line: str, key: str) -> None:
    (said,) = map(str, missing(site((line, ""))))
    section, _, name = key.partition(".")
    assert said.startswith(f"{key}: it is missing, and ")
    assert f"Write it under {section}, for instance {name}: " in said


def test_arin_takes_papers_without_a_country_and_a_handle_for_complaints() -> None:
    assert not missing(site(("  abuse: ABUSE999-ARIN\n", ""), of=ARIN))


def test_a_site_with_errors_makes_no_papers(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_bytes(changed(("rir: ripe", "rir: rip"), of=RIPE))
    ran = exitisp("paper", "site.yaml", "-o", "papers", folder=tmp_path)
    assert ran.returncode == 1
    assert "registry.rir" in ran.stdout
    assert not (tmp_path / "papers").exists()
