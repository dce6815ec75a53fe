"""A password as /etc/master.passwd keeps it: crypt(3) with SHA-512, ``$6$``.

Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", 2007; FreeBSD: lib/libcrypt/crypt-sha512.c.
Written out because Python has had no crypt module since 3.13.
"""

import hashlib
import re
import secrets as randomness

from firstboot.core.guessing import strength

ROUNDS = 5000
"""What crypt(3) takes where nothing is said."""

OUR_ROUNDS = 50_000
MOST_ROUNDS = 999_999_999
LEAST_ROUNDS = 1000
LONGEST_SALT = 16
SHORTEST = 12
BITS = 48
LONGEST = 128
"""Characters; FreeBSD's login(1) takes passwords of 128 bytes (_PASSWORD_LEN)."""

ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def weakness(password: str, known: list[str]) -> str | None:
    """What is wrong with `password` for a person who knows `known` words; None if nothing is."""
    if len(password) < SHORTEST:
        return (
            f"it has fewer than {SHORTEST} characters; four or five random words are easy to keep"
        )
    if len(password.encode(errors="replace")) > LONGEST:
        return f"it has more than {LONGEST} bytes; use fewer"
    if not password.isascii() or not password.isprintable():
        return "it has characters that not every console can type; use letters, digits and marks"
    if strength(password, known) < BITS:
        return "it has words, repetitions or sequences that are easy to guess; use random words"
    return None


def hashed(password: str) -> str:
    """`password` with a new salt, ready for /etc/master.passwd."""
    salt = "".join(randomness.choice(ALPHABET) for _ in range(LONGEST_SALT))
    return crypt(password, f"$6$rounds={OUR_ROUNDS}${salt}")


def matches(password: str, stored: str) -> bool:
    """Whether `stored` was made of `password`."""
    return randomness.compare_digest(crypt(password, stored), stored)


def crypt(password: str, setting: str) -> str:
    """The hash of `password` with the salt and the rounds of `setting`: ``$6$salt`` or
    ``$6$rounds=10000$salt``, of which a hash may follow. Raises ValueError for another setting."""
    found = re.match(r"\$6\$(?:rounds=([0-9]{1,12})\$)?([^$]*)", setting)
    if not found:
        raise ValueError("a setting that begins with $6$")
    rounds = ROUNDS if found[1] is None else min(max(int(found[1]), LEAST_ROUNDS), MOST_ROUNDS)
    salt = found[2][:LONGEST_SALT]
    said = "" if found[1] is None else f"rounds={rounds}$"
    return f"$6${said}{salt}${_encoded(_digest(password.encode(), salt.encode(), rounds))}"


def _digest(password: bytes, salt: bytes, rounds: int) -> bytes:
    """Steps 1 to 21 of the specification."""
    other = _sha(password + salt + password)
    mixed = password + salt + _repeated(other, len(password))
    length = len(password)
    while length:
        mixed += other if length & 1 else password
        length >>= 1
    digest = _sha(mixed)
    long_password = _repeated(_sha(password * len(password)), len(password))
    long_salt = _repeated(_sha(salt * (16 + digest[0])), len(salt))
    for number in range(rounds):
        odd = number & 1
        block = long_password if odd else digest
        if number % 3:
            block += long_salt
        if number % 7:
            block += long_password
        digest = _sha(block + (digest if odd else long_password))
    return digest


def _sha(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


def _repeated(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


def _encoded(digest: bytes) -> str:
    """Step 22: three bytes become four characters, in an order of its own; 86 in all."""
    order = [(at, at + 21, at + 42) for at in range(21)]
    turns = [order[at][at % 3 :] + order[at][: at % 3] for at in range(21)]
    groups = [(digest[a] << 16) | (digest[b] << 8) | digest[c] for a, b, c in turns]
    text = "".join(_characters(group, 4) for group in groups)
    return text + _characters(digest[63], 2)


def _characters(number: int, count: int) -> str:
    return "".join(ALPHABET[number >> 6 * place & 63] for place in range(count))
