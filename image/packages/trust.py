"""Trust in catalogues: fingerprints of public keys, trusted and revoked.

The rule is that of pkg(8) with ``signature_type: "fingerprints"``: a catalogue is good if at least
one of the keys that sign it is trusted, none is revoked, and a trusted key's signature verifies. A
fingerprint is the SHA-256 of the public key, byte for byte as the catalogue has it.

What is signed is the text of the SHA-256 of the data, 64 hexadecimal digits without a newline:
with RSA by PKCS#1 v1.5 and SHA-256, the key in PEM; with ECDSA and SHA-256, the key in DER
(SubjectPublicKeyInfo, RFC 5480), the signature a DER sequence of two integers; with EdDSA, which
pkg also calls ``ecc``, as `image.packages.eddsa` has it. Anything but an RSA signature begins with
``$PKGSIGN:kind$``. Sources: libpkg's pkg_repo.c, pkgsign_ossl.c,
pkgsign_ecc.c; pkg.conf(5).
"""

import hashlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from firstboot.core.limits import UCL
from firstboot.core.refusal import Refusal
from image.packages import eddsa, ucl
from image.tree import Kind, Tree
from image.verified_file import open_regular

FOLDER = "usr/share/keys/pkg"
"""The folder of the base's fingerprints."""

CURVES = (
    "secp256k1",
    "secp384r1",
    "secp521r1",
    "brainpoolP256r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
)
"""The ECDSA curves of pkg that the cryptography library supports too."""

_BASE = f"/{FOLDER} of the base system"

_HEAD = re.compile(rb"\$PKGSIGN:([A-Za-z0-9_-]{1,20})\$")


_GIVE_KEYS = (
    "Do not use this repository, unless you know its key: then name a folder with its fingerprint "
    "with --package-keys"
)


@dataclass(frozen=True, slots=True)
class Keys:
    """Fingerprints (SHA-256 in hexadecimal) with the names of their files. `elsewhere` are keys of
    other projects: trusted by the base, but not to sign this repository."""

    trusted: Mapping[str, str]
    revoked: Mapping[str, str]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    remedy: str = _GIVE_KEYS
    """What to do about a catalogue that none of the trusted keys signs."""

    @classmethod
    def of_folder(cls, folder: Path) -> "Keys":
        """The fingerprints in `folder`, with ``trusted/`` and perhaps ``revoked/`` in it. Raises
        Refusal, also if none is trusted."""
        files = {}
        try:
            for kind in ("trusted", "revoked"):
                if kind == "trusted" or (folder / kind).is_dir():
                    for path in sorted((folder / kind).iterdir()):
                        with open_regular(path) as file:
                            files[kind, path.name] = file.read(UCL + 1)
        except OSError as error:
            raise Refusal(
                error.filename or folder,
                f"cannot be read as a folder of fingerprints with trusted/ and revoked/, "
                f"such as /usr/share/keys/pkg: {error.strerror or error}",
                "Correct --package-keys",
            ) from error
        return cls._of(files, str(folder))

    @classmethod
    def of_signatures(cls, signatures: "Iterable[Signature]") -> "Keys":
        """Trust whoever signs."""
        return cls({one.fingerprint: "whose key lies beside it" for one in signatures}, {})

    @classmethod
    def of_tree(cls, tree: Tree) -> "Keys":
        """The fingerprints of a base system. Raises Refusal, also if it trusts none."""
        return cls._of(_files(tree), _BASE)

    def revoking(self, tree: Tree) -> "Keys":
        """Add the keys that the base system `tree` has revoked. Raises Refusal."""
        return Keys(self.trusted, {**_read(_files(tree), _BASE)["revoked"], **self.revoked})

    def only(self, fingerprint: str, where: str) -> "Keys":
        """Trust the key with that `fingerprint` alone. Raises Refusal if it is not among the
        trusted keys."""
        if fingerprint not in self.trusted:
            raise Refusal(
                where,
                f"the key {fingerprint} is not among those that are trusted: "
                f"{_listed(self.trusted)}",
                "Use the base sets of the system that the repository is for",
            )
        others = {key: name for key, name in self.trusted.items() if key != fingerprint}
        return Keys({fingerprint: self.trusted[fingerprint]}, self.revoked, others)

    @classmethod
    def _of(cls, files: Mapping[tuple[str, str], bytes], where: str) -> "Keys":
        found = _read(files, where)
        if not found["trusted"]:
            raise Refusal(
                where,
                "no fingerprint of a trusted key is there",
                "Name a folder of fingerprints with --package-keys, or build with --packages none",
            )
        return cls(found["trusted"], found["revoked"])


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a catalogue, and the public key that comes with it.

    `name` is the name of both members without ``.sig`` and ``.pub``.
    """

    name: str
    kind: str
    data: bytes
    key: bytes

    @classmethod
    def of(cls, name: str, sig: bytes, pub: bytes) -> "Signature":
        """Make one from its two members; each may begin with the name of its kind."""
        head = _HEAD.match(sig)
        return cls(name, head[1].decode() if head else "rsa", _bare(sig), _bare(pub))

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.key).hexdigest()


def verify(data: bytes, signatures: Sequence[Signature], keys: Keys, where: str) -> str:
    """Return the fingerprint of a trusted key whose signature of `data` verifies. Raises Refusal.

    `where` names the data in refusals.
    """
    for one in signatures:
        if one.fingerprint in keys.revoked:
            raise Refusal(
                where,
                f"signed by {one.fingerprint} ({keys.revoked[one.fingerprint]}), a key that "
                f"is revoked",
                "Do not use this repository",
            )
    trusted = [one for one in signatures if one.fingerprint in keys.trusted]
    if not trusted:
        for one in signatures:
            if one.fingerprint in keys.elsewhere:
                raise Refusal(
                    where,
                    f"signed by {one.fingerprint} ({keys.elsewhere[one.fingerprint]}), which the "
                    f"base trusts for another project; only {_listed(keys.trusted)} may sign here",
                    "Use the repository of the base's own project. To trust this one, name a "
                    "folder with its fingerprint with --package-keys",
                )
        raise Refusal(
            where,
            f"signed by {_listed(one.fingerprint for one in signatures)}, which is not "
            f"trusted; trusted: {_listed(keys.trusted)}"
            if signatures
            else f"not signed; trusted: {_listed(keys.trusted) or 'whoever signs it'}",
            keys.remedy,
        )
    fault = ""
    for one in trusted:
        fault = _fault(data, one)
        if not fault:
            return one.fingerprint
    raise Refusal(
        where,
        f"the signature of {trusted[-1].fingerprint} "
        f"({keys.trusted[trusted[-1].fingerprint]}) is refused: {fault}",
        "Fetch it again. If that does not help, do not use this repository",
    )


def _fault(data: bytes, signature: Signature) -> str:
    """Return what is wrong with a signature of `data`; empty if it verifies."""
    text = hashlib.sha256(data).hexdigest().encode()
    try:
        if signature.kind == "rsa":
            key = load_pem_public_key(signature.key)
            if not isinstance(key, rsa.RSAPublicKey):
                return "a key that is no RSA key"
            key.verify(signature.data, text, padding.PKCS1v15(), hashes.SHA256())
        elif signature.kind == "ecdsa":
            point = load_der_public_key(signature.key)
            if not isinstance(point, ec.EllipticCurvePublicKey):
                return "a key that is on no elliptic curve"
            if point.curve.name not in CURVES:
                return f"a key on the curve {point.curve.name}, of which pkg makes no use"
            point.verify(signature.data, text, ec.ECDSA(hashes.SHA256()))
        elif signature.kind in ("eddsa", "ecc"):
            eddsa.public_key(signature.key).verify(eddsa.signature(signature.data), text)
        else:
            return f"a signature of the kind '{signature.kind}', which cannot be verified here"
    except InvalidSignature:
        return "it does not hold for this data"
    except (ValueError, UnsupportedAlgorithm) as error:
        return f"a key or a signature that cannot be read ({error})"
    return ""


def _files(tree: Tree) -> dict[tuple[str, str], bytes]:
    """Return the files of fingerprints in a base system, by kind and name."""
    files = {}
    for path in sorted(tree.below(FOLDER)) if FOLDER in tree else ():
        kind, _, name = path.removeprefix(f"{FOLDER}/").partition("/")
        entry = tree[path]
        if kind in ("trusted", "revoked") and name and entry.kind is Kind.FILE:
            files[kind, name] = entry.content.read() if entry.size <= UCL else b""
    return files


def _read(files: Mapping[tuple[str, str], bytes], where: str) -> dict[str, dict[str, str]]:
    """Return file names by fingerprint for each kind, trusted and revoked.

    Leaves out a malformed file among the trusted ones, as pkg does, with a warning on standard
    error. Raises Refusal for one among the revoked, where leaving it out would trust a key.
    """
    found: dict[str, dict[str, str]] = {"trusted": {}, "revoked": {}}
    for (kind, name), data in files.items():
        try:
            found[kind][_fingerprint(data, f"{where}: {kind}/{name}")] = name
        except Refusal as refusal:
            if kind == "revoked":
                raise
            print(f"{refusal} The file is left out.", file=sys.stderr)
    return found


def _fingerprint(data: bytes, where: str) -> str:
    """Read a file such as ``function: "sha256"``, ``fingerprint: "..."``. Raises Refusal."""
    facts = ucl.parse(data, where)
    fingerprint = facts.get("fingerprint", "").lower()
    if facts.get("function") != "sha256" or not re.fullmatch(r"[0-9a-f]{64}", fingerprint):
        raise Refusal(
            where,
            f"'{' '.join(facts.values())[:80]}' is not"
            ' function: "sha256" and a fingerprint of 64 hexadecimal digits',
            "Correct or remove the file",
        )
    return fingerprint


def _bare(member: bytes) -> bytes:
    head = _HEAD.match(member)
    return member[head.end() :] if head else member


def _listed(fingerprints: Iterable[str]) -> str:
    return ", ".join(fingerprints)
