"""An image's bill of materials is compared with a feed of known vulnerabilities."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.core.limits import Json
from firstboot.core.refusal import Refusal
from image import audit
from image.audit import Finding, Installed, compare
from image.freeze.frozen import Module
from image.packages.catalogue import Listed
from image.packages.checksum import Checksum, Kind
from image.packages.manifest import Package
from image.packages.repository import VerifiedPackage
from image.packages.vuxml import Affected, Feed, Range, Vulnerability
from image.sbom import cyclonedx
from image.sbom.base_software import BaseSoftware
from image.sbom.components import AppliedOverlay, BaseSet, Part, Sbom, Wizard
from image.verified_file import Identity
from tests.command import exitisp


def entry(
    names: str, *ranges: dict[str, str], identifier: str = "1-2-3", topic: str = "a -- hole"
) -> Vulnerability:
    found = tuple(Range(tuple(bounds.items())) for bounds in ranges)
    return Vulnerability(identifier, topic, (Affected(tuple(names.split()), found),), ("CVE-1",))


def matches(installed: Installed, *entries: Vulnerability) -> list[str | None]:
    """Return, for each vulnerability that `installed` has, the first version without it."""
    return [one.fixed for one in compare([installed], Feed(entries, ""))]


def package(full_name: str) -> Installed:
    name, _, version = full_name.rpartition("-")
    return Installed(Part.PACKAGE, name, version)


class TestPackages:
    def test_a_version_in_the_range_is_found_with_the_first_one_that_is_not(self) -> None:
        hole = entry("tor tor-devel", {"lt": "0.4.8.22"}, {"ge": "0.4.9", "lt": "0.4.9.12"})
        assert matches(package("tor-0.4.9.11"), hole) == ["0.4.9.12"]
        assert matches(package("tor-0.4.8.21_3"), hole) == ["0.4.8.22"]
        assert matches(package("tor-0.4.8.22"), hole) == []
        assert matches(package("tor-0.4.9.12"), hole) == []

    def test_another_package_is_not_concerned(self) -> None:
        assert matches(package("nyx-1"), entry("tor", {"gt": "0"})) == []

    def test_revisions_and_epochs_count(self) -> None:
        hole = entry("a", {"lt": "1.0_2,1"})
        assert matches(package("a-1.0_1,1"), hole) == ["1.0_2,1"]
        assert matches(package("a-9.9"), hole) == ["1.0_2,1"]
        assert matches(package("a-1.0_2,1"), hole) == []

    def test_names_in_the_feed_may_be_patterns(self) -> None:
        assert matches(package("openbgpd8-8.9"), entry("openbgpd[0-9]", {"le": "8.9"})) == [None]
        assert matches(package("openbgpd-8.9"), entry("openbgpd[0-9]", {"le": "8.9"})) == []

    def test_packages_that_the_wizard_was_frozen_with_are_compared(self) -> None:
        libffi = Installed(Part.FROZEN, "libffi", "3.4")
        assert matches(libffi, entry("libffi", {"lt": "3.4.2"})) == ["3.4.2"]

    def test_an_entry_counts_once_however_often_it_matches(self) -> None:
        assert len(matches(package("a-1"), entry("a a*", {"lt": "2"}, {"lt": "3"}))) == 1

    def test_without_ranges_all_versions_are_concerned(self) -> None:
        assert matches(package("a-1"), entry("a")) == [None]


class TestModules:
    JINJA = Installed(Part.MODULE, "jinja2", "3.1.5")

    @pytest.mark.parametrize(
        "name", ["py311-Jinja2", "py39-jinja2", "py313t-Jinja2", "py3*-Jinja2"]
    )
    def test_a_module_is_known_by_its_ports(self, name: str) -> None:
        assert matches(self.JINJA, entry(name, {"lt": "3.1.6"})) == ["3.1.6"]

    @pytest.mark.parametrize("name", ["jinja2", "py311-Jinja2-time", "rubygem-jinja2", "*"])
    def test_other_ports_are_not_the_module(self, name: str) -> None:
        assert matches(self.JINJA, entry(name, {"lt": "3.1.6"})) == []

    def test_the_epoch_of_a_port_does_not_count_for_the_module(self) -> None:
        hole = entry("py311-Jinja2", {"lt": "3.1.6,1"})
        assert matches(self.JINJA, hole) == ["3.1.6"]
        assert matches(replace(self.JINJA, version="3.1.6"), hole) == []

    def test_python_itself_is_known_by_its_version(self) -> None:
        python = Installed(Part.MODULE, "python", "3.11.2")
        hole = entry("python310 python311 python312", {"lt": "3.11.9"})
        assert matches(python, hole) == ["3.11.9"]
        assert matches(python, entry("python312", {"lt": "3.12.9"})) == []

    def test_a_module_is_known_by_an_older_name_of_its_port(self) -> None:
        yaml = Installed(Part.MODULE, "pyyaml", "5.3")
        assert matches(yaml, entry("py38-yaml", {"lt": "5.4"})) == ["5.4"]


class TestBase:
    HOLE = entry("FreeBSD-kernel", {"ge": "15.0", "lt": "15.0_3"})

    @pytest.mark.parametrize(
        ("version", "found"),
        [
            ("15.0-RELEASE", ["15.0_3"]),
            ("15.0-RELEASE-p2", ["15.0_3"]),
            ("15.0-RELEASE-p3", []),
            ("14.3-RELEASE-p1", []),
            ("15.0-STABLE", []),
            ("", []),
        ],
    )
    def test_a_release_is_compared_by_its_patch_level(
        self, version: str, found: list[str | None]
    ) -> None:
        assert matches(Installed(Part.BASE, "base.txz", version), self.HOLE) == found


class TestBaseSoftware:
    @pytest.mark.parametrize(
        ("name", "version", "hole"),
        [
            ("OpenSSL", "3.5.3", entry("openssl35", {"lt": "3.5.4"})),
            ("OpenSSL", "3.5.3", entry("openssl", {"ge": "3.5.0,1", "lt": "3.5.4,1"})),
            ("OpenSSH", "10.0p1", entry("openssh-portable", {"lt": "10.0.p2,1"})),
            ("ntp", "4.2.8p17", entry("ntp", {"lt": "4.2.8p18"})),
            ("xz", "5.6.1", entry("xz", {"ge": "5.6.0", "lt": "5.6.2"})),
        ],
    )
    def test_it_is_compared_by_the_names_and_versions_of_its_ports(
        self, name: str, version: str, hole: Vulnerability
    ) -> None:
        assert matches(Installed(Part.BASE_SOFTWARE, name, version), hole)
        assert not matches(Installed(Part.BASE_SOFTWARE, name, ""), hole)

    def test_a_version_without_the_hole_is_not_found(self) -> None:
        hole = entry("openssh-portable", {"lt": "10.0.p2,1"})
        assert not matches(Installed(Part.BASE_SOFTWARE, "OpenSSH", "10.0p2"), hole)
        assert not matches(Installed(Part.BASE_SOFTWARE, "OpenSSL", "3.5.3"), hole)


def verified(full_name: str) -> VerifiedPackage:
    one = package(full_name)
    listed = Listed(Package(one.name, one.version, f"misc/{one.name}"), "x", NOTHING, 7)
    return VerifiedPackage(listed, Path("x"), "02" * 32, 7, "x", Identity(0, 0, 7, (0, 0)))


def sbom(
    *packages: str,
    version: str = "15.0-RELEASE-p2",
    software: Iterable[BaseSoftware] = (),
    modules: Iterable[Module] = (),
    frozen: str = "",
) -> str:
    return cyclonedx.render(
        Sbom(
            "exitisp.img",
            1_700_000_000,
            tuple(BaseSet(f"{name}.txz", version, "01" * 32, "x") for name in ("base", "kernel")),
            tuple(software),
            tuple(map(verified, packages)),
            (AppliedOverlay("base", "03" * 32),),
            Wizard("04" * 32, tuple(modules), tuple(map(verified, frozen.split()))),
        )
    )


NOTHING = Checksum.of(Kind.SHA256, b"")

FEED = """\
<vuxml xmlns="http://www.vuxml.org/apps/vuxml-1">
  <vuln vid="409d70ab-fc23-11f0-85c5-a8a1599412c6">
    <topic>tor -- memory \u202ecorruption</topic>
    <affects><package><name>tor</name><range><lt>0.4.9.12</lt></range></package></affects>
    <references>
      <cvename>CVE-2026-1</cvename><cvename>CVE-2026-2</cvename><cvename>CVE-2026-3</cvename>
      <cvename>CVE-2026-4</cvename>
    </references>
    <dates><entry>2026-01-28</entry></dates>
  </vuln>
  <vuln vid="9dac4f05-fc65-11f0-96db-b42e991fc52e">
    <topic>Jinja2 -- sandbox breakout</topic>
    <affects><package><name>py311-Jinja2</name><range><lt>3.1.6</lt></range></package></affects>
    <dates><entry>2025-03-01</entry></dates>
  </vuln>
</vuxml>
"""


def test_python_counts_once_where_its_package_is_known(tmp_path: Path) -> None:
    modules = [Module("python", "3.11.2", "PSF-2.0"), Module("jinja2", "3.1.6", "BSD-3-Clause")]
    (tmp_path / "sbom").write_text(sbom("tor-1", modules=modules))
    names = [one.name for one in audit.read_sbom(tmp_path / "sbom")]
    assert sorted(names) == ["base.txz", "jinja2", "python", "tor"]
    (tmp_path / "sbom").write_text(sbom("tor-1", modules=modules, frozen="python311-3.11.2"))
    names = [one.name for one in audit.read_sbom(tmp_path / "sbom")]
    assert sorted(names) == ["base.txz", "jinja2", "python311", "tor"]


class TestCommand:
    def test_findings_are_in_a_table_and_in_the_exit_status(self, tmp_path: Path) -> None:
        (tmp_path / "one.cdx.json").write_text(
            sbom("tor-0.4.9.11", "nyx-2.1", modules=[Module("jinja2", "3.1.5", "BSD-3-Clause")])
        )
        (tmp_path / "vuln.xml").write_text(FEED)
        ran = exitisp("audit", "one.cdx.json", "--feed", "vuln.xml", folder=tmp_path)
        assert ran.returncode == 1, ran.stderr
        lines = ran.stdout.splitlines()
        assert lines[0].startswith("package  installed  fixed in")
        assert lines[1].split("  ")[0] == "tor"
        assert "0.4.9.11 " in lines[1]
        assert "0.4.9.12 " in lines[1]
        assert "CVE-2026-1 CVE-2026-2 CVE-2026-3 +1" in lines[1]
        assert lines[1].endswith("tor -- memory ?corruption")
        assert lines[2].startswith("jinja2")
        assert lines[3] == (
            "known vulnerabilities: 2, in 2 of 4 components (entries of the feed: 2, the newest of "
            "2026-01-28)"
        )
        assert ran.stderr == ""

    def test_a_feed_is_kept_and_used_when_none_is_given(self, tmp_path: Path) -> None:
        (tmp_path / "dist").mkdir()
        (tmp_path / "dist" / "exitisp.img").touch()
        (tmp_path / "dist" / "exitisp.cdx.json").write_text(sbom("tor-0.4.9.12"))
        (tmp_path / "vuln.xml").write_text(FEED)
        assert "--feed: no VuXML feed is given" in exitisp("audit", folder=tmp_path).stderr
        given = exitisp("audit", "--feed", "vuln.xml", folder=tmp_path)
        (tmp_path / "vuln.xml").unlink()
        kept = exitisp("audit", folder=tmp_path)
        assert given.returncode == kept.returncode == 0, kept.stderr
        assert given.stdout == kept.stdout
        assert kept.stdout.startswith("known vulnerabilities: 0, in 0 of 2 components ")


def run(folder: Path, sbom_text: str, feed: str = FEED) -> int:
    (folder / "sbom").write_text(sbom_text)
    (folder / "feed").write_text(feed)
    return audit.audit(folder / "sbom", folder / "feed", folder / "cache")


def test_a_base_that_cannot_be_compared_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, sbom(version="15.1-STABLE-HBSD")) == 0
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert "base.txz is not compared" in told.err
    assert "15.1-STABLE-HBSD" in told.err


def test_software_of_the_base_is_found_or_reported_as_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    software = [
        BaseSoftware("Unbound", "1.20.0", "usr/sbin/local-unbound", "05" * 32),
        BaseSoftware("OpenSSL", "", "lib/libcrypto.so.35", "06" * 32),
    ]
    feed = FEED.replace("<name>tor</name>", "<name>unbound</name>").replace("0.4.9.12", "1.25.1")
    assert run(tmp_path, sbom(software=software), feed) == 1
    told = capsys.readouterr()
    assert re.search(r"^Unbound +1\.20\.0 +1\.25\.1 ", told.out, re.MULTILINE)
    assert "OpenSSL of the base is not compared: its version is unknown" in told.err
    assert "may have fixes for its software without a new version" in told.err


def test_a_bad_feed_leaves_the_kept_one_alone(tmp_path: Path) -> None:
    assert run(tmp_path, sbom("tor-1")) == 0
    with pytest.raises(Refusal):
        run(tmp_path, sbom("tor-1"), FEED[:-30])
    assert (tmp_path / "cache" / "vuln.xml").read_text() == FEED


def described(**component: object) -> str:
    properties = [{"name": "exitisp:part", "value": "package"}]
    return json.dumps({"components": [{"properties": properties, **component}]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "[" * 100_000,
        '{"components": 7}',
        described(),
        described(name=1),
        described(name="tor", version=7),
        described(name="tor", properties=[]),
        described(name="tor", properties=[{"name": "exitisp:part", "value": "wheel"}]),
    ],
    ids=lambda text: text[:40],
)
def test_another_file_than_a_bill_of_materials_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refusal, match="not the bill of materials of an image"):
        run(tmp_path, text)


def test_files_that_are_missing_or_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refusal, match="none: "):
        audit.audit(tmp_path / "none", None, tmp_path)
    monkeypatch.setattr(audit, "BILL_OF_MATERIALS", Json(100, 100))
    with pytest.raises(Refusal, match="larger than 100 bytes"):
        run(tmp_path, sbom())


def test_every_line_of_the_table_is_one_finding() -> None:
    one = package("tor-1")
    hole = entry("tor", {"le": "1"}, topic="two\nlines \x1b[31m")
    text = audit.table([Finding(one, hole, None)] * 2)
    assert len(text.splitlines()) == 3
    assert "\x1b" not in text
