"""The bill of materials: valid CycloneDX, complete, and the same for the same image."""

import hashlib
import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given, settings
from hypothesis import strategies as st
from lib4sbom.parser import SBOMParser

from image.base.sets import BaseSets, Trust, VerifiedSet
from image.freeze.frozen import Module
from image.licences import spdx
from image.packages.catalogue import Listed
from image.packages.checksum import Checksum, Kind
from image.packages.manifest import Dependency, Package
from image.packages.repository import VerifiedPackage
from image.sbom import cyclonedx
from image.sbom.base_software import BaseSoftware
from image.sbom.components import (
    AppliedOverlay,
    BaseFile,
    BaseSet,
    Part,
    Sbom,
    Wizard,
    base_files,
    base_sets,
)
from image.tree import Tree, directory, file
from image.verified_file import Identity
from tests.command import ROOT

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)

TOR = Package(
    "tor",
    "0.4.9.11_1",
    "security/tor",
    comment="Anonymizing overlay network for TCP",
    www="https://www.torproject.org/ https://example.org/",
    abi="FreeBSD:15:amd64",
    licenses=("BSD3CLAUSE",),
    deps=(Dependency("libevent", "devel/libevent", "2.1"),),
    shlibs_required=("libzstd.so.1", "libc.so.7"),
)
LIBEVENT = Package("libevent", "2.1.12,1", "devel/libevent", licenses=("BSD3CLAUSE", "OWN NAME"))
ZSTD = Package(
    "zstd",
    "1.5",
    "archivers/zstd",
    licenselogic="or",
    licenses=("BSD3CLAUSE", "GPLv2+"),
    shlibs_provided=("libzstd.so.1",),
)


def verified(package: Package, digest: str = "ab" * 32) -> VerifiedPackage:
    listed = Listed(package, f"All/{package.full_name}.pkg", Checksum.of(Kind.SHA256, b""), 7)
    return VerifiedPackage(listed, Path("x.pkg"), digest, 7, "pinned", Identity(0, 0, 7, (0, 0)))


SBOM = Sbom(
    image="exitisp.img",
    time=1_700_000_000,
    base=(
        BaseSet("base.txz", "15.0-RELEASE-p2", "01" * 32, "signed by SHA256:x", 42),
        BaseSet("kernel.txz", "", "02" * 32, "unsigned, given with --sets"),
    ),
    software=(
        BaseSoftware("OpenSSL", "3.5.7", "lib/libcrypto.so.35", "06" * 32),
        BaseSoftware("xz", "", "usr/lib/liblzma.so.5", "07" * 32),
    ),
    packages=tuple(map(verified, (LIBEVENT, ZSTD, TOR))),
    overlays=(AppliedOverlay("base", "03" * 32), AppliedOverlay("tor", "04" * 32)),
    wizard=Wizard(
        "05" * 32,
        (
            Module("python", "3.11.2", "PSF-2.0"),
            Module("jinja2", "3.1.6", "BSD-3-Clause"),
            Module("pyinstaller", "6.22", "GPL-2.0-or-later WITH Bootloader-exception"),
        ),
    ),
    files=(
        BaseFile(Part.BOOT, "boot/gptboot", "15.0-RELEASE-p2", "08" * 32),
        BaseFile(Part.KERNEL, "boot/kernel/kernel", "15.0-RELEASE-p2", "09" * 32),
    ),
)


def read(sbom: Sbom) -> dict[str, Any]:
    text = cyclonedx.render(sbom)
    assert VALIDATOR.validate_str(text) is None
    facts: dict[str, Any] = json.loads(text)
    return facts


def component(facts: dict[str, Any], name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in facts["components"] if one["name"] == name]
    assert len(found) == 1
    return found[0]


def part(one: dict[str, Any]) -> str:
    parts: list[str] = [
        said["value"] for said in one["properties"] if said["name"] == "exitisp:part"
    ]
    return parts[0]


class TestContent:
    def test_everything_in_the_image_is_named_with_its_hash(self) -> None:
        facts = read(SBOM)
        hashed = {
            one["bom-ref"]: one["hashes"][0]["content"]
            for one in facts["components"]
            if part(one) != "module"
        }
        assert hashed == {
            "base:base.txz": "01" * 32,
            "base:kernel.txz": "02" * 32,
            "boot:/boot/gptboot": "08" * 32,
            "kernel:/boot/kernel/kernel": "09" * 32,
            "base-software:OpenSSL": "06" * 32,
            "base-software:xz": "07" * 32,
            "package:libevent-2.1.12,1": "ab" * 32,
            "package:zstd-1.5": "ab" * 32,
            "package:tor-0.4.9.11_1": "ab" * 32,
            "overlay:base": "03" * 32,
            "overlay:tor": "04" * 32,
            "wizard": "05" * 32,
        }

    def test_software_of_the_base_says_version_and_file(self) -> None:
        facts = read(SBOM)
        openssl, xz = component(facts, "OpenSSL"), component(facts, "xz")
        assert (part(openssl), openssl["version"]) == ("base-software", "3.5.7")
        assert {"name": "exitisp:file", "value": "/lib/libcrypto.so.35"} in openssl["properties"]
        assert "version" not in xz
        (needs,) = (one for one in facts["dependencies"] if one["ref"] == "base:base.txz")
        software = {"base-software:OpenSSL", "base-software:xz"}
        assert set(needs["dependsOn"]) == {*software, "boot:/boot/gptboot"}

    def test_a_package_says_version_origin_and_why_it_is_trusted(self) -> None:
        tor = next(
            one for one in read(SBOM)["components"] if one["bom-ref"] == "package:tor-0.4.9.11_1"
        )
        assert tor["version"] == "0.4.9.11_1"
        assert tor["purl"].startswith("pkg:generic/freebsd/tor@0.4.9.11_1?abi=FreeBSD")
        assert tor["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
        assert tor["externalReferences"][0]["url"] == "https://www.torproject.org/"
        assert {"name": "exitisp:origin", "value": "security/tor"} in tor["properties"]
        assert {"name": "exitisp:provenance", "value": "pinned"} in tor["properties"]

    def test_dependencies_are_listed(self) -> None:
        needs = {one["ref"]: one.get("dependsOn", []) for one in read(SBOM)["dependencies"]}
        assert needs["package:tor-0.4.9.11_1"] == ["package:libevent-2.1.12,1", "package:zstd-1.5"]
        assert needs["wizard"] == ["module:jinja2", "module:pyinstaller", "module:python"]
        assert {"wizard", "base:base.txz", "overlay:tor", "package:zstd-1.5"} <= set(needs["image"])

    def test_modules_of_the_wizard_are_named(self) -> None:
        facts = read(SBOM)
        assert component(facts, "jinja2")["purl"] == "pkg:pypi/jinja2@3.1.6"
        assert component(facts, "python")["purl"] == "pkg:generic/python@3.11.2"
        assert component(facts, "pyinstaller")["licenses"] == [
            {"expression": "GPL-2.0-or-later WITH Bootloader-exception"}
        ]

    def test_boot_programs_and_kernel_are_those_of_the_tree(self) -> None:
        tree = Tree()
        for path in ("bin", "boot", "boot/kernel"):
            tree[path] = directory()
        tree["bin/freebsd-version"] = file(b'USERLAND_VERSION="15.1-STABLE"\n')
        tree["boot/loader.efi"] = file(b"MZ")
        tree["boot/kernel/kernel"] = file(b"kernel")
        boot, kernel = base_files(tree, "15.1-STABLE")
        assert (boot.part, boot.path, boot.version) == (Part.BOOT, "boot/loader.efi", "15.1-STABLE")
        assert (kernel.part, kernel.sha256) == (Part.KERNEL, hashlib.sha256(b"kernel").hexdigest())

    def test_every_component_has_a_licence_and_a_name_for_other_programs(self) -> None:
        for one in read(SBOM)["components"]:
            if part(one) != "package":
                assert one["licenses"], one["name"]
            if part(one) != "overlay" and one.get("version"):
                assert one["purl"], one["name"]

    def test_what_the_dictionary_of_the_nvd_has_is_named_as_there(self) -> None:
        nginx = replace(
            TOR, annotations={"cpe": "cpe:2.3:a:torproject:tor:0.4.9.11:::::freebsd15:x64"}
        )
        facts = read(replace(SBOM, packages=(verified(nginx),)))
        names = {one["bom-ref"]: one["cpe"] for one in facts["components"] if "cpe" in one}
        assert names == {
            "base:base.txz": "cpe:2.3:o:freebsd:freebsd:15.0:p2:*:*:*:*:*:*",
            "kernel:/boot/kernel/kernel": "cpe:2.3:o:freebsd:freebsd:15.0:p2:*:*:*:*:*:*",
            "base-software:OpenSSL": "cpe:2.3:a:openssl:openssl:3.5.7:-:*:*:*:*:*:*",
            "package:tor-0.4.9.11_1": ("cpe:2.3:a:torproject:tor:0.4.9.11:*:*:*:*:freebsd15:x64:*"),
            "module:python": "cpe:2.3:a:python:python:3.11.2:*:*:*:*:*:*:*",
        }

    @pytest.mark.parametrize("said", ["", "x", "cpe:2.3:a:b", "cpe:2.3:a:b c:d:1"])
    def test_an_annotation_that_is_no_cpe_is_left_out(self, said: str) -> None:
        odd = verified(replace(TOR, annotations={"cpe": said}))
        facts = read(replace(SBOM, packages=(odd,)))
        tor = next(one for one in facts["components"] if one["bom-ref"].startswith("package:tor"))
        assert "cpe" not in tor

    def test_another_implementation_reads_the_same_components(self, tmp_path: Path) -> None:
        """lib4sbom shares no code with the library that writes the file."""
        path = tmp_path / "exitisp.cdx.json"
        path.write_text(cyclonedx.render(SBOM))
        parser = SBOMParser()
        parser.parse_file(str(path))
        said = [(one["name"], one.get("version")) for one in parser.get_packages()]
        facts = json.loads(path.read_text())["components"]
        assert sorted(said, key=str) == sorted(
            ((one["name"], one.get("version")) for one in facts), key=str
        )

    def test_the_base_says_its_version_and_build(self) -> None:
        base = component(read(SBOM), "base.txz")
        assert base["version"] == "15.0-RELEASE-p2"
        assert {"name": "exitisp:build", "value": "42"} in base["properties"]

    @pytest.mark.parametrize(
        ("script", "version"),
        [
            (b'#!/bin/sh\nUSERLAND_VERSION="15.1-STABLE-HBSD"\n', "15.1-STABLE-HBSD"),
            (b'USERLAND_VERSION="$(reboot)"\n', ""),
            (None, ""),
        ],
    )
    def test_the_version_of_the_base_is_what_its_own_program_says(
        self, script: bytes | None, version: str
    ) -> None:
        tree = Tree()
        tree["bin"] = directory()
        if script is not None:
            tree["bin/freebsd-version"] = file(script, 0o555)
        one = VerifiedSet(
            "base", Path("base.txz"), "01" * 32, 7, Trust.SIGNED, "x", Identity(0, 0, 7, (0, 0))
        )
        kernel = replace(one, name="kernel", path=Path("kernel.txz"))
        base, _ = base_sets(BaseSets(one, kernel, 42), tree)
        assert base == BaseSet("base.txz", version, "01" * 32, "signed by x", 42)

    def test_packages_that_the_wizard_was_frozen_with_belong_to_the_wizard(self) -> None:
        python = verified(Package("python311", "3.11.2", "lang/python311"), "ef" * 32)
        assert SBOM.wizard
        wizard = replace(SBOM.wizard, packages=(python, verified(ZSTD)))
        facts = read(replace(SBOM, wizard=wizard))
        assert part(component(facts, "python311")) == "frozen"
        assert component(facts, "python311")["hashes"][0]["content"] == "ef" * 32
        assert sum(one["name"] == "zstd" for one in facts["components"]) == 2
        needs = {one["ref"]: one.get("dependsOn", []) for one in facts["dependencies"]}
        assert {"frozen:python311-3.11.2", "module:python"} <= set(needs["wizard"])
        assert "frozen:python311-3.11.2" not in needs["image"]

    def test_time_and_tools_are_listed(self) -> None:
        facts = read(SBOM)["metadata"]
        assert facts["timestamp"] == "2023-11-14T22:13:20+00:00"
        assert facts["component"]["name"] == "exitisp.img"
        tools = {one["name"]: one for one in facts["tools"]["components"]}
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        asked = {re.split("[<>=]", one)[0] for one in project["dependencies"]}
        assert set(tools) == {"exitisp", *asked}
        assert tools["ziglang"]["purl"].startswith("pkg:pypi/ziglang@")
        assert all(one["licenses"] and one["version"] for one in tools.values())

    def test_an_image_of_only_the_base_has_one(self) -> None:
        assert (
            len(
                read(replace(SBOM, software=(), packages=(), overlays=(), wizard=None, files=()))[
                    "components"
                ]
            )
            == 2
        )


class TestReproducible:
    def test_the_same_components_give_the_same_bytes_in_any_order(self) -> None:
        turned = replace(
            SBOM,
            software=SBOM.software[::-1],
            packages=SBOM.packages[::-1],
            base=SBOM.base[::-1],
            overlays=SBOM.overlays[::-1],
        )
        assert cyclonedx.render(turned) == cyclonedx.render(SBOM)

    @pytest.mark.parametrize(
        "other",
        [
            replace(SBOM, time=SBOM.time + 1),
            replace(SBOM, overlays=(AppliedOverlay("base", "99" * 32),)),
            replace(SBOM, packages=(verified(TOR, "cd" * 32),)),
        ],
        ids=["time", "overlay", "package"],
    )
    def test_other_components_have_another_serial_number(self, other: Sbom) -> None:
        assert read(other)["serialNumber"] != read(SBOM)["serialNumber"]

    @settings(max_examples=25)
    @given(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30),
    )
    def test_it_is_valid_whatever_a_package_says(self, comment: str, licence: str) -> None:
        odd = replace(TOR, comment=comment, licenses=(licence,), www=comment)
        read(replace(SBOM, packages=(verified(odd),)))


class TestLicences:
    @pytest.mark.parametrize(
        ("names", "logic", "expression"),
        [
            (["BSD3CLAUSE"], "single", "BSD-3-Clause"),
            (["GPLv2+"], "single", "GPL-2.0-or-later"),
            (["GPLv3"], "single", "GPL-3.0-only"),
            (["MIT", "ISCL"], "and", "MIT AND ISC"),
            (["BSD2CLAUSE", "CC0-1.0"], "or", "BSD-2-Clause OR CC0-1.0"),
            (["PD"], "single", "LicenseRef-PD"),
            (["MPL", "BSD3CLAUSE"], "or", "LicenseRef-MPL OR BSD-3-Clause"),
            (["BSD3CLAUSE", "BSD3CLAUSE"], "and", "BSD-3-Clause"),
            ([], "single", ""),
        ],
    )
    def test_names_of_the_ports_tree_become_those_of_spdx(
        self, names: list[str], logic: str, expression: str
    ) -> None:
        assert spdx(names, logic) == expression
