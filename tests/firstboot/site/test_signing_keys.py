"""Certificates of signing keys, and the file that carries keys to a box."""

import pytest

from firstboot.site.signing_keys import (
    CERTIFICATE,
    LARGEST,
    SigningKeys,
    compose,
    parse_carried,
    parse_certificate,
)
from tests.firstboot.site.keys import certificate, signing_keys

IDENTITY = bytes(range(32))
OF_MASTER = bytes((0, 32, 4, 0)) + IDENTITY


def test_a_certificate_says_whose_it_is_and_until_when() -> None:
    found = parse_certificate(CERTIFICATE + certificate(IDENTITY, 7200.0))
    assert (found.identity, found.signing, found.expires) == (IDENTITY, b"s" * 32, 7200)
    assert found.fingerprint == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"


def test_an_unknown_extension_is_passed_over_unless_it_says_that_it_may_not_be() -> None:
    other = bytes((0, 3, 9, 0)) + b"abc"
    body = certificate(IDENTITY, 0.0, extensions=b"\2" + other + OF_MASTER)
    assert parse_certificate(CERTIFICATE + body).identity == IDENTITY
    body = certificate(IDENTITY, 0.0, extensions=b"\2" + bytes((0, 0, 9, 1)) + OF_MASTER)
    with pytest.raises(ValueError, match="may not be ignored"):
        parse_certificate(CERTIFICATE + body)


@pytest.mark.parametrize(
    ("extensions", "why"),
    [
        (b"\0", "does not name its master key"),
        (b"\2" + OF_MASTER * 2, "does not name one master key"),
        (b"\1" + bytes((0, 31, 4, 0)) + IDENTITY[1:], "does not name one master key"),
        (b"\2" + OF_MASTER, "ends within an extension"),
        (b"\1" + bytes((255, 255, 4, 0)), "ends within an extension"),
        (b"\1" + OF_MASTER + b"more", "does not end with its signature"),
    ],
)
def test_what_is_no_certificate_is_refused(extensions: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_certificate(CERTIFICATE + certificate(IDENTITY, 0.0, extensions=extensions))


@pytest.mark.parametrize("at", [0, 1, 6])
def test_another_version_or_kind_is_refused(at: int) -> None:
    body = bytearray(certificate(IDENTITY, 0.0))
    body[at] = 7
    with pytest.raises(ValueError, match="version and kind"):
        parse_certificate(CERTIFICATE + body)


def test_what_is_carried_arrives() -> None:
    keys = (signing_keys(1), signing_keys(255))
    assert parse_carried(compose(keys)) == keys
    assert parse_carried(compose(keys).replace(b"\n", b"\r\n")) == keys
    assert len(compose(map(signing_keys, [1] * 256))) < LARGEST


def test_what_was_cut_or_changed_on_the_way_is_refused() -> None:
    whole = compose((signing_keys(1), signing_keys(2)))
    for at in range(len(whole)):
        with pytest.raises(ValueError, match=r"its end is missing|does not begin with"):
            parse_carried(whole[:at])
    with pytest.raises(ValueError, match="it is not as it was written"):
        parse_carried(whole.replace(b"relay2", b"relay3"))


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ((), "it has no relay, or one twice"),
        ((signing_keys(1), signing_keys(1)), "it has no relay, or one twice"),
        ((SigningKeys(1, b"\1" * 64, b"no certificate"),), "relay1: it is no certificate"),
        ((SigningKeys(1, b"\1" * 60, b"x"),), "a line that is no relay's"),
    ],
)
def test_what_is_whole_and_means_nothing_is_refused(
    keys: tuple[SigningKeys, ...], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        parse_carried(compose(keys))
