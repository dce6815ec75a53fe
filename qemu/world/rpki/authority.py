"""Certification authorities: the trust anchor, and those below it (RFC 6487)."""

import re
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.hazmat.asn1 import PrintableString, SetOf, decode_der, encode_der, sequence
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from qemu.world.rpki import payloads
from qemu.world.rpki.payloads import Aspa, Period, Roa
from qemu.world.rpki.resources import EVERYTHING, Resources, extensions
from qemu.world.rpki.signed import sign

REPOSITORY = x509.ObjectIdentifier("1.3.6.1.5.5.7.48.5")
MANIFEST = x509.ObjectIdentifier("1.3.6.1.5.5.7.48.10")
SIGNED_OBJECT = x509.ObjectIdentifier("1.3.6.1.5.5.7.48.11")
NOTIFICATION = x509.ObjectIdentifier("1.3.6.1.5.5.7.48.13")
"""Access methods of the subject's information (RFC 6487, 4.8.8; RFC 8182, 3.2)."""

POLICY = x509.ObjectIdentifier("1.3.6.1.5.5.7.14.2")
"""The certificate policy of resource certificates (RFC 6484)."""


@sequence
class _NamePart:
    kind: x509.ObjectIdentifier
    text: PrintableString


@sequence
class _Name:
    parts: SetOf[_NamePart]


@dataclass(frozen=True)
class Place:
    """Where a repository is published: `rsync` is the URI of its folder, with a slash at its end,
    `notification` that of the file that RRDP begins with (RFC 8182)."""

    rsync: str
    notification: str


@dataclass
class Authority:
    """An authority, and the files that it publishes, by their names in its folder `name`.

    `period` is when all that it signs is valid; `manifest` is what its manifest says of itself.
    """

    name: str
    place: Place
    key: RSAPrivateKey
    certificate: x509.Certificate
    uri: str
    """Of its certificate."""

    period: Period
    manifest: Period
    files: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def anchor(cls, place: Place, period: Period) -> Self:
        """The trust anchor, which has all addresses and AS numbers, and whose certificate is
        `ta.cer`."""
        key, name = new_key(), "anchor"
        made = _certificate(key.public_key(), key, None, EVERYTHING, period, _folder(place, name))
        return cls(name, place, key, made, f"{place.rsync}ta.cer", period, period)

    def child(self, name: str, resources: Resources, manifest: Period | None = None) -> "Authority":
        """An authority below this one with some of its resources."""
        key, folder = new_key(), _folder(self.place, name)
        made = _certificate(key.public_key(), self.key, self, resources, self.period, folder)
        self.files[f"{name}.cer"] = der(made)
        uri = f"{self._folder}{name}.cer"
        return Authority(name, self.place, key, made, uri, self.period, manifest or self.period)

    def authorize(self, *roas: Roa) -> str:
        """Publish one ROA for prefixes of one origin, and return the name of its file."""
        shape = re.sub("[^0-9a-f]", "-", str(roas[0].prefix))
        resources = Resources.of([roa.prefix for roa in roas])
        name = f"AS{roas[0].origin}-{shape}.roa"
        return self._publish(name, payloads.ROA, payloads.roa(*roas), resources)

    def attest(self, aspa: Aspa) -> str:
        """Publish an ASPA, and return the name of its file."""
        resources = Resources.of([], [aspa.customer])
        payload = payloads.aspa(aspa)
        return self._publish(f"AS{aspa.customer}.asa", payloads.ASPA, payload, resources)

    def finish(self) -> None:
        """Publish the list of revocations, which is empty, and the manifest of all files."""
        revoked = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(payloads.whole(self.period.since))
            .next_update(payloads.whole(self.period.until))
            .add_extension(_key_of(self.key.public_key()), critical=False)
            .add_extension(x509.CRLNumber(1), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        self.files[f"{self.name}.crl"] = revoked.public_bytes(Encoding.DER)
        told = payloads.manifest(1, self.manifest, self.files)
        self._publish(f"{self.name}.mft", payloads.MANIFEST, told, None)

    @property
    def _folder(self) -> str:
        return f"{self.place.rsync}{self.name}/"

    @property
    def revocations(self) -> str:
        """The URI of its list of revocations."""
        return f"{self._folder}{self.name}.crl"

    def _publish(
        self,
        name: str,
        kind: x509.ObjectIdentifier,
        payload: bytes,
        resources: Resources | None,
    ) -> str:
        """Sign `payload` with a key that is used once (RFC 6487, 3)."""
        key = new_key()
        access = {SIGNED_OBJECT: f"{self._folder}{name}"}
        certificate = _certificate(
            key.public_key(), self.key, self, resources, self.period, access, ca=False
        )
        self.files[name] = sign(kind, payload, certificate, key, self.period.since)
        return name


def new_key() -> RSAPrivateKey:
    """As RFC 7935 demands it."""
    return generate_private_key(65537, 2048)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _folder(place: Place, name: str) -> dict[x509.ObjectIdentifier, str]:
    folder = f"{place.rsync}{name}/"
    return {
        REPOSITORY: folder,
        MANIFEST: f"{folder}{name}.mft",
        NOTIFICATION: place.notification,
    }


def _certificate(
    subject: RSAPublicKey,
    signer: RSAPrivateKey,
    issuer: Authority | None,
    resources: Resources | None,
    period: Period,
    access: dict[x509.ObjectIdentifier, str],
    ca: bool = True,
) -> x509.Certificate:
    """A resource certificate with `resources`, or those that its issuer has. Without an issuer it
    is that of a trust anchor."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(signer.public_key()))
        .public_key(subject)
        .serial_number(x509.random_serial_number())
        .not_valid_before(payloads.whole(period.since))
        .not_valid_after(payloads.whole(period.until))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject), critical=False)
        .add_extension(_usage(ca), critical=True)
        .add_extension(x509.SubjectInformationAccess(_access(access)), critical=False)
        .add_extension(
            x509.CertificatePolicies([x509.PolicyInformation(POLICY, None)]), critical=True
        )
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
    if issuer is not None:
        above = {AuthorityInformationAccessOID.CA_ISSUERS: issuer.uri}
        point = x509.DistributionPoint([_uri(issuer.revocations)], None, None, None)
        builder = (
            builder.add_extension(_key_of(signer.public_key()), critical=False)
            .add_extension(x509.AuthorityInformationAccess(_access(above)), critical=False)
            .add_extension(x509.CRLDistributionPoints([point]), critical=False)
        )
    for extension in extensions(resources):
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(signer, hashes.SHA256())


def _name(key: RSAPublicKey) -> x509.Name:
    """A name that says nothing but which key it is (RFC 6487, 8): the hash of it, printable."""
    digest = x509.SubjectKeyIdentifier.from_public_key(key).digest
    part = _NamePart(kind=NameOID.COMMON_NAME, text=PrintableString(digest.hex()))
    return decode_der(x509.Name, encode_der(_Name(parts=SetOf([part]))))


def _key_of(key: RSAPublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _access(told: dict[x509.ObjectIdentifier, str]) -> list[x509.AccessDescription]:
    return [x509.AccessDescription(method, _uri(uri)) for method, uri in told.items()]


def _uri(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)
