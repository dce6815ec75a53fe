"""How hard a secret is to guess, for somebody who knows what people choose."""

import itertools
import math
import re

WORDS = (
    "administrator", "admin", "bgpd", "bgp", "border", "changeit", "changeme", "cisco", "default",
    "example", "exchange", "exit", "foobar", "foo", "gateway", "hello", "hunter", "internet",
    "iloveyou", "isp", "juniper", "letmein", "login", "master", "md5", "network", "noc", "onion",
    "openbgpd", "openbsd", "passphrase", "password", "passwd", "pass", "peering", "peer", "pwd",
    "qwertyuiop", "qwertz", "qwerty", "asdfgh", "relay", "root", "router", "secret", "server",
    "session", "shared", "test", "tor", "transit", "upstream", "welcome", "zxcvbn",
)  # fmt: skip

LOOKALIKES = str.maketrans("@4301!5$7", "aaeoiisst")


def strength(secret: str, known: list[str]) -> float:
    """Estimate the bits that a guesser has to try to find `secret`.

    The guesser knows common words and the words in `known`, replaces look-alikes (``p4ss``), and
    tries repetitions and runs of neighbouring characters (``abcd``, ``1234``) first.
    """
    rest = secret.lower()
    words = {*WORDS, *(word.lower() for text in known for word in re.findall(r"\w{3,}", text))}
    for word in sorted(words, key=lambda word: (-len(word), word)):
        plain = rest.translate(LOOKALIKES)
        at = plain.find(word)
        while at >= 0:
            rest = rest[:at] + "\0" + rest[at + len(word) :]
            plain = rest.translate(LOOKALIKES)
            at = plain.find(word)
    rest = re.sub(r"(.{1,12}?)\1+", r"\1", rest)
    steps = [ord(b) - ord(a) for a, b in itertools.pairwise(rest)]
    counted = 1 + sum(abs(step) > 1 for step in steps)
    classes = ((r"[a-z]", 26), (r"[A-Z]", 26), (r"[0-9]", 10), (r"[^a-zA-Z0-9]", 32))
    pool = sum(size for pattern, size in classes if re.search(pattern, secret))
    return min(counted, len(set(rest)) * 2) * math.log2(max(pool, 2))
