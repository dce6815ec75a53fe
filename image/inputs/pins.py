"""Packages as the lock file pins them."""

from dataclasses import replace

from firstboot.core.refusal import Refusal
from image.lock import Natural, PackageName, PackagePath, PackagePin, PackageVersion, Sha256
from image.packages.catalogue import Listed
from image.packages.checksum import Checksum, Kind
from image.packages.compact import read_package
from image.packages.manifest import Package
from image.packages.repository import VerifiedPackage


def pin(package: VerifiedPackage, needs: tuple[PackageName, ...] = ()) -> PackagePin:
    """Return the pin of a package that needs those named `needs`."""
    listed = package.listed
    return PackagePin(
        PackageName(listed.package.name),
        PackageVersion(listed.package.version),
        PackagePath(listed.path),
        Sha256(package.sha256),
        Natural(package.size),
        needs,
    )


def listed(pin: PackagePin) -> Listed:
    """Return what a pin says of a package."""
    checksum = Checksum(Kind.SHA256, bytes.fromhex(pin.sha256))
    return Listed(Package(pin.name, pin.version, ""), pin.path, checksum, pin.size)


def described(package: VerifiedPackage) -> VerifiedPackage:
    """Add the compact manifest to a package. Raises Refusal if it is another package."""
    said = read_package(package)
    if said.full_name != package.listed.package.full_name:
        raise Refusal(
            package.path,
            f"the file is the package {said.full_name}, but the lock file says "
            f"{package.listed.package.full_name}",
            "Empty pins in the lock file, and run ./exitisp lock --update",
        )
    return replace(package, listed=replace(package.listed, package=said))
