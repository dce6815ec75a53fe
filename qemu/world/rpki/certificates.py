"""Who answers for the names of web servers in the simulated Internet: one authority, and a server's
certificate by it (RFC 5280)."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY, SERVER = "authority.pem", "server.pem"

LIFETIME = timedelta(days=30)


def make(folder: Path, host: str) -> None:
    """Write into `folder` the certificate of an authority (AUTHORITY), and one by it for `host`, a
    name or an address, with its key (SERVER)."""
    ours, hers = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The simulated Internet")])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ours.public_key())
    authority = (
        builder(issuer, issuer, ours.public_key())
        .add_extension(x509.BasicConstraints(True, 0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ours.public_key()), critical=False)
        .sign(ours, hashes.SHA256())
    )
    server = (
        builder(x509.Name([]), issuer, hers.public_key())
        .add_extension(x509.SubjectAlternativeName([_name(host)]), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(ours, hashes.SHA256())
    )
    key = hers.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / AUTHORITY).write_bytes(authority.public_bytes(Encoding.PEM))
    place = folder / SERVER
    place.touch(0o600)
    place.write_bytes(key + server.public_bytes(Encoding.PEM))


def builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    """A certificate that is good for LIFETIME, without extensions."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
