"""Certificates of authorities are put where certctl(8) puts them."""

import datetime
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from firstboot.core.refusal import Refusal
from image.base.certificates import plant, subject_hash
from image.tree import Tree, directory, file

COMMON, UNIT = NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME
Names = list[tuple[x509.ObjectIdentifier, str]]
NAMES: tuple[Names, ...] = (
    [(COMMON, "A root")],
    [(NameOID.COUNTRY_NAME, "DE"), (UNIT, "  Blanks   and\tTABS "), (COMMON, "ROOT")],
    [(COMMON, "Größe und Ärger")],
    [(COMMON, "x" * 60), (UNIT, "y" * 64), (NameOID.ORGANIZATION_NAME, "z" * 64)],
    [],
)


def certificate(name: Names, serial: int = 1) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(*one) for one in name])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), serial, day, day)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_the_hash_is_that_of_openssl(tmp_path: Path, name: Names) -> None:
    pem = certificate(name)
    (tmp_path / "pem").write_bytes(pem)
    said = subprocess.run(
        ["openssl", "x509", "-noout", "-hash", "-in", str(tmp_path / "pem")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert subject_hash(der(pem)) == said.strip()


def base(**certificates: bytes) -> Tree:
    tree = Tree()
    for path in ("usr", "usr/share", "usr/share/certs"):
        tree[path] = directory()
    for folder in ("trusted", "untrusted"):
        tree[f"usr/share/certs/{folder}"] = directory()
    for number, (name, pem) in enumerate(certificates.items()):
        folder = "untrusted" if name.startswith("un") else "trusted"
        tree[f"usr/share/certs/{folder}/{name}.pem"] = file(b"# text\n" + pem, mtime=number)
    return tree


def test_each_has_a_file_and_the_trusted_ones_have_one_together() -> None:
    first, second = certificate(NAMES[0]), certificate(NAMES[0], serial=2)
    other, bad = certificate(NAMES[1]), certificate(NAMES[2])
    tree = base(a=first, b=second, c=other, d=bad, un=bad)
    plant(tree)
    names = sorted(
        f"{subject_hash(der(one))}.{number}" for one, number in ((first, 0), (first, 1), (other, 0))
    )
    assert sorted(path.rpartition("/")[2] for path in tree.below("etc/ssl/certs")) == names
    assert tree.below("etc/ssl/untrusted") == [f"etc/ssl/untrusted/{subject_hash(der(bad))}.0"]
    kept = {tree[path].content.read() for path in tree.below("etc/ssl/certs")}
    assert kept == {first, second, other}
    bundle = tree["etc/ssl/cert.pem"]
    assert (bundle.mode, bundle.mtime) == (0o444, 4)
    assert (
        set(re.findall(rb"-----BEGIN.*?END CERTIFICATE-----\n", bundle.content.read(), re.S))
        == kept
    )


def test_without_certificates_nothing_is_made() -> None:
    tree = base()
    plant(tree)
    assert "etc" not in tree


@pytest.mark.parametrize("text", [b"AAAA", b"MIIB", b"A"])
def test_one_that_cannot_be_read_is_refused(text: bytes) -> None:
    pem = b"-----BEGIN CERTIFICATE-----\n" + text + b"\n-----END CERTIFICATE-----\n"
    with pytest.raises(Refusal, match=r"/usr/share/certs/trusted/a\.pem: a certificate in it"):
        plant(base(a=pem))
