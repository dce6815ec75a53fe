"""crypt(3) with SHA-512, and which passwords are too weak for it."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstboot.core.passwords import ALPHABET, crypt, hashed, matches, weakness

SPECIFIED = [
    (
        "$6$saltstring",
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCo"
        "EOfaS35inz1",
    ),
    (
        "$6$rounds=10000$saltstringsaltstring",
        "Hello world!",
        "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vO"
        "uZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
    ),
    (
        "$6$rounds=5000$toolongsaltstring",
        "This is just a test",
        "$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yx"
        "dYcz/e1JSbq3y6JMxxl8audkUEm0",
    ),
    (
        "$6$rounds=1400$anotherlongsaltstring",
        "a very much longer text to encrypt.  This one even stretches over morethan one line.",
        "$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9"
        "t0oSwbtEW7o7UmJEiDwGqd8p4ur1",
    ),
    (
        "$6$rounds=77777$short",
        "we have a short salt string but not a short password",
        "$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmt"
        "lcGZelFl5CxtgfiAc0",
    ),
    (
        "$6$rounds=10$roundstoolow",
        "the minimum number is still observed",
        "$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4Z"
        "EQpyUNGc0dqbpBYYBaHHrsX.",
    ),
]


@pytest.mark.parametrize(("setting", "password", "expected"), SPECIFIED)
def test_the_specification_and_this_agree(setting: str, password: str, expected: str) -> None:
    assert crypt(password, setting) == expected


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
@settings(max_examples=20)
@given(
    password=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=100),
    salt=st.text(st.sampled_from(ALPHABET), min_size=1, max_size=16),
)
def test_openssl_and_this_agree(password: str, salt: str) -> None:
    done = subprocess.run(
        ["openssl", "passwd", "-6", "-salt", salt, "-stdin"],
        input=f"{password}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert crypt(password, f"$6${salt}") == done.stdout.strip()


def test_a_new_hash_has_a_salt_of_its_own_and_is_that_of_its_password_alone() -> None:
    one, other = hashed("korund-Flieder-77"), hashed("korund-Flieder-77")
    assert one != other
    assert matches("korund-Flieder-77", one)
    assert not matches("korund-Flieder-78", one)
    assert ":" not in one


def test_another_kind_of_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with"):
        crypt("x", "$1$salt")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("Kx7/short", "fewer than 12"),
        ("password1234", "easy to guess"),
        ("aaaaaaaaaaaaaaaa", "easy to guess"),
        ("abcdefghijklmnop", "easy to guess"),
        ("qwertyuiop123456", "easy to guess"),
        ("Zürich-Enten-9941-Bö", "not every console"),
        ("x7Kp" * 40, "more than 128"),
    ],
)
def test_weak_passwords_are_told_why(password: str, why: str) -> None:
    assert why in (weakness(password, []) or "")


@pytest.mark.parametrize(
    "password", ["korund-Flieder-77-tausend", "Vq8%kLw2!nTz", "a b c!Xu9 wRt4 pQ"]
)
def test_others_are_taken(password: str) -> None:
    assert weakness(password, []) is None
