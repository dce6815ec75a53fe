import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image.packages import signed
from image.packages.trust import CURVES, Keys, Signature, verify
from image.tree import Tree
from tests.image.packages.asking import base_system
from tests.image.packages.fixtures import FIXTURES, needs_fixtures
from tests.image.packages.repository import Signer, trust, usual_signer

DATA = b'{"packages":[]}'


@pytest.fixture(scope="module")
def stranger() -> Signer:
    return Signer.rsa()


def signature(signer: Signer, data: bytes = DATA) -> Signature:
    return Signature.of("data", signer.sign(data), signer.pub)


def keys(*trusted: Signer, revoked: tuple[Signer, ...] = ()) -> Keys:
    return Keys(
        {signer.fingerprint: "trusted-key" for signer in trusted},
        {signer.fingerprint: "revoked-key" for signer in revoked},
    )


def test_a_signature_by_a_trusted_key_holds() -> None:
    signer = usual_signer()
    assert verify(DATA, [signature(signer)], keys(signer), "data") == signer.fingerprint


def test_one_trusted_signature_among_several_is_enough(stranger: Signer) -> None:
    signer = usual_signer()
    both = [signature(stranger, b"other data"), signature(signer)]
    assert verify(DATA, both, keys(signer), "data") == signer.fingerprint


@pytest.mark.parametrize(
    "curve",
    [
        ec.SECP256K1(),
        ec.SECP384R1(),
        ec.SECP521R1(),
        ec.BrainpoolP256R1(),
        ec.BrainpoolP384R1(),
        ec.BrainpoolP512R1(),
    ],
    ids=lambda curve: curve.name,
)
def test_signatures_on_pkgs_curves_hold(curve: ec.EllipticCurve) -> None:
    assert curve.name in CURVES
    signer = Signer.ecdsa(curve)
    assert verify(DATA, [signature(signer)], keys(signer), "data") == signer.fingerprint
    with pytest.raises(Refusal, match="it does not hold for this data"):
        verify(DATA + b" ", [signature(signer)], keys(signer), "data")


def test_signatures_with_eddsa_hold() -> None:
    for _ in range(8):
        signer = Signer.eddsa()
        assert verify(DATA, [signature(signer)], keys(signer), "data") == signer.fingerprint
        with pytest.raises(Refusal, match="it does not hold for this data"):
            verify(DATA + b" ", [signature(signer)], keys(signer), "data")


@pytest.mark.parametrize(
    ("kind", "public", "signed"),
    [
        (
            "ecdsa",
            "3056301006072a8648ce3d020106052b8104000a03420004e4eccf4c75ab44bc7f994b9d6c478272"
            "0e4b201250378ef144e0652b47ac761f0c6bb26a95a5a1a6e84bd7208d95a5dd04ae40621014909930"
            "d9920d58209f08",
            "3046022100c747f17783c65bd1d76048f2fb774a9fe97807a80a76721d721134d12857f1170221008f"
            "4f5499b1cb398a9ee5516c0836d9e0364246a7d1283b06c7be84bcf55d0dd5",
        ),
        (
            "eddsa",
            "305e0c03706b670201010c036563630c0857454932353531390101ff034200041fccda624c3d25bde9"
            "9b380fc383f6a30f435771e7077d8c21256ee2b4cf63000379028bc8bdb93d23ee988635ebf9b964d1"
            "aff7d4e679d47f99cce7eba0c6fd",
            "30460221009961bd410ae102aec6435fb3705a40442060c4e896db488e90dc2b4ed0330336022100d5"
            "22a368b7674286724e0097ad2c93acf1cdebedbc70ce73e5a0067690424905",
        ),
    ],
)
def test_what_pkg_itself_has_signed_holds(kind: str, public: str, signed: str) -> None:
    """Keys and signatures of DATA by `pkg key` 2.8.99.1."""
    signer = Signer(bytes.fromhex(public), lambda _: bytes.fromhex(signed), kind)
    assert verify(DATA, [signature(signer)], keys(signer), "data") == signer.fingerprint
    with pytest.raises(Refusal, match="it does not hold for this data"):
        verify(DATA + b" ", [signature(signer)], keys(signer), "data")


@pytest.mark.parametrize("change", [b"", b"\0", bytes(95), bytes(96)])
def test_a_key_that_is_no_point_is_refused(change: bytes) -> None:
    public = Signer.eddsa().public
    forged = Signer(public[: 96 - len(change)] + change, Signer.eddsa().sign, "eddsa")
    with pytest.raises(Refusal, match=r"cannot be read|does not hold"):
        verify(DATA, [signature(forged)], keys(forged), "data")


def test_a_curve_that_pkg_does_not_know_is_refused_by_name() -> None:
    signer = Signer.ecdsa(ec.SECP256R1())
    with pytest.raises(Refusal, match="secp256r1"):
        verify(DATA, [signature(signer)], keys(signer), "data")


def test_a_kind_that_is_not_known_is_refused_by_name() -> None:
    signer = Signer(b"a key", lambda _: b"signature", "awful")
    with pytest.raises(Refusal, match="'awful'"):
        verify(DATA, [signature(signer)], keys(signer), "data")


def test_the_key_need_not_name_its_kind_as_the_signature_does() -> None:
    signer = Signer.ecdsa(ec.SECP384R1())
    one = Signature.of("data", signer.sign(DATA), signer.public)
    assert verify(DATA, [one], keys(signer), "data") == signer.fingerprint


def test_altered_data_is_refused() -> None:
    signer = usual_signer()
    with pytest.raises(Refusal) as refused:
        verify(DATA + b"\n", [signature(signer)], keys(signer), "data")
    assert f"the signature of {signer.fingerprint} (trusted-key) is refused" in str(refused.value)


@given(st.binary(max_size=600))
def test_no_other_bytes_are_a_signature(data: bytes) -> None:
    signer = usual_signer()
    one = Signature.of("data", data, signer.public)
    with pytest.raises(Refusal):
        verify(DATA, [one], keys(signer), "data")


def test_a_stranger_is_refused_with_both_fingerprints(stranger: Signer) -> None:
    with pytest.raises(Refusal) as refused:
        verify(DATA, [signature(stranger)], keys(usual_signer()), "data")
    assert usual_signer().fingerprint in refused.value.problem
    assert stranger.fingerprint in refused.value.problem
    assert "--package-keys" in refused.value.remedy


def test_a_strangers_signature_under_a_trusted_key_is_refused(stranger: Signer) -> None:
    one = Signature.of("data", stranger.sign(DATA), usual_signer().public)
    with pytest.raises(Refusal, match="it does not hold for this data"):
        verify(DATA, [one], keys(usual_signer()), "data")


def test_data_that_nobody_signed_is_refused() -> None:
    with pytest.raises(Refusal, match=r"not signed; trusted: \S+"):
        verify(DATA, [], keys(usual_signer()), "data")


def test_a_revoked_key_spoils_all_signatures(stranger: Signer) -> None:
    both = [signature(usual_signer()), signature(stranger)]
    with pytest.raises(Refusal, match="revoked-key"):
        verify(DATA, both, keys(usual_signer(), revoked=(stranger,)), "data")


def test_a_key_that_is_trusted_and_revoked_is_revoked() -> None:
    signer = usual_signer()
    with pytest.raises(Refusal, match="revoked"):
        verify(DATA, [signature(signer)], keys(signer, revoked=(signer,)), "data")


def test_a_key_of_another_kind_than_its_signature_says_is_refused() -> None:
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signer = Signer(pem, lambda _: b"signature")
    with pytest.raises(Refusal, match="no RSA key"):
        verify(DATA, [signature(signer)], keys(signer), "data")


def test_a_key_that_cannot_be_read_is_refused() -> None:
    signer = Signer(b"-----BEGIN PUBLIC KEY-----", lambda _: b"signature")
    with pytest.raises(Refusal, match="cannot be read"):
        verify(DATA, [signature(signer)], keys(signer), "data")


def test_keys_come_from_a_folder_or_a_base_system(tmp_path: Path, stranger: Signer) -> None:
    folder = trust(tmp_path / "keys", usual_signer(), revoked=[stranger])
    of_folder = Keys.of_folder(folder)
    assert of_folder.trusted == {usual_signer().fingerprint: "signer0"}
    assert of_folder.revoked == {stranger.fingerprint: "signer0"}
    of_tree = Keys.of_tree(base_system(usual_signer(), revoked=(stranger,)))
    assert of_tree.trusted.keys() == of_folder.trusted.keys()
    assert of_tree.revoked.keys() == of_folder.revoked.keys()


def test_what_the_base_has_revoked_is_revoked_whoever_trusts_it(
    tmp_path: Path, stranger: Signer
) -> None:
    given_keys = Keys.of_folder(trust(tmp_path / "keys", stranger))
    both = given_keys.revoking(base_system(revoked=(stranger,)))
    with pytest.raises(Refusal, match="revoked"):
        verify(DATA, [signature(stranger)], both, "data")


def test_a_base_system_without_keys_is_refused() -> None:
    with pytest.raises(Refusal, match="no fingerprint of a trusted key is there"):
        Keys.of_tree(Tree())


def test_a_folder_without_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="--package-keys"):
        Keys.of_folder(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        'function: "sha256"\n',
        'function: "sha1"\nfingerprint: "' + "0" * 64 + '"\n',
        'function: "sha256"\nfingerprint: "0000"\n',
        "{{{",
    ],
)
def test_a_faulty_fingerprint_is_left_out_and_told(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trust(tmp_path, usual_signer())
    (folder / "trusted" / "bad").write_text(text)
    assert list(Keys.of_folder(folder).trusted) == [usual_signer().fingerprint]
    assert "trusted/bad" in capsys.readouterr().err


def test_a_faulty_fingerprint_among_the_revoked_is_refused(tmp_path: Path) -> None:
    folder = trust(tmp_path, usual_signer())
    (folder / "revoked").mkdir(exist_ok=True)
    (folder / "revoked" / "bad").write_text("{{{")
    with pytest.raises(Refusal, match="revoked/bad"):
        Keys.of_folder(folder)


def test_one_key_may_be_the_only_one_that_counts(stranger: Signer) -> None:
    both = keys(usual_signer(), stranger)
    only = both.only(usual_signer().fingerprint, "lock")
    assert verify(DATA, [signature(usual_signer())], only, "data") == usual_signer().fingerprint
    with pytest.raises(Refusal, match="which the base trusts for another project; only"):
        verify(DATA, [signature(stranger)], only, "data")
    with pytest.raises(Refusal, match="is not among those that are trusted"):
        both.only("0" * 64, "lock")


@needs_fixtures
def test_a_real_catalogue_holds_for_its_key_alone() -> None:
    keys = Keys.of_folder(FIXTURES / "keys")
    content = signed.read((FIXTURES / "data.pkg").read_bytes(), "data", "data.pkg")
    assert verify(content.data, content.signatures, keys, "data.pkg") in keys.trusted
    swapped = Keys(keys.revoked, keys.trusted)
    with pytest.raises(Refusal, match="revoked"):
        verify(content.data, content.signatures, swapped, "data.pkg")
    assert hashlib.sha256(content.signatures[0].key).hexdigest() in keys.trusted
