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
from image.licences import spdx
from image.lock import BASE_FILE
from image.packages.manifest import Package
from image.packages.repository import VerifiedPackage
from image.sbom.base_software import BaseSoftware
from image.sbom.components import AppliedOverlay, BaseSet, Part, Sbom, Wizard

NAMESPACE = uuid.UUID("5bb2a4a8-3a1c-5d0e-9f0f-0a6b5a1c7e42")
"""Serial numbers are derived from the content, in this namespace."""

TOOLS = ("exitisp", "cyclonedx-python-lib")
"""Distributions that make the file."""

_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=-]+")


def render(sbom: Sbom) -> str:
    """Return the bill of materials as JSON with a final newline. Its serial number is derived from
    the rest of it."""
    image = Component(
        name=sbom.image,
        type=ComponentType.FIRMWARE,
        bom_ref="image",
        version=metadata.version("exitisp"),
    )
    tools = [
        Component(
            name=name,
            version=metadata.version(name),
            type=ComponentType.APPLICATION,
            bom_ref=f"tool:{name}",
        )
        for name in TOOLS
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
    parts = [
        *map(_set, sbom.base),
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
            bom.register_dependency(one, software)
    for package, component in packages:
        bom.register_dependency(
            component, [other for needed, other in packages if _needs(package, needed)]
        )
    bom.serial_number = uuid.uuid5(NAMESPACE, _json(bom))
    return _json(bom)


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
        properties=[_part(Part.BASE), *_properties(properties)],
    )


def _software(one: BaseSoftware) -> Component:
    return Component(
        name=one.name,
        type=ComponentType.APPLICATION,
        bom_ref=f"base-software:{one.name}",
        version=one.version or None,
        hashes=[_sha256(one.sha256)],
        purl=PackageURL("generic", None, one.name.lower(), one.version) if one.version else None,
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
        external_references=_website(package.www),
        properties=[_part(part), *_properties(properties)],
    )


def _overlay(one: AppliedOverlay) -> Component:
    return Component(
        name=one.name,
        type=ComponentType.FILE,
        bom_ref=f"overlay:{one.name}",
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
        licenses=_licences("BSD-2-Clause"),
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
