"""Secrets of TCP's MD5 signatures: long enough, not to be guessed, one for each peer.

Anybody who sees one signed segment may try guesses at leisure (RFC 3562 asks for 12 to 24 bytes
and no words). At most 80 bytes fit (TCP_KEYLEN_MAX). Allowed is printable ASCII but space, quotes,
backslash, backtick, dollar and #, so that a secret reads the same in every file. A secret is never
part of a message.
"""

import re
from collections.abc import Iterator

from firstboot.core.guessing import strength
from firstboot.site.model import Site
from firstboot.site.rules.finding import Finding, error, warning

ALLOWED = re.compile(r"[!%&(-\[\]-_a-~]*")
SHORTEST = 12
ADVISED = 16
LONGEST = 80
BITS = 48
"""What guessing has to cost at least, for someone who knows what people choose."""


def check(site: Site) -> Iterator[Finding]:
    known = [site.operator.name, str(site.asn)]
    first: dict[str, int] = {}
    for at, peer in enumerate(site.peers):
        secret = peer.md5
        if secret is None:
            continue
        key = ("peers", at, "md5")
        remedy = (
            "Agree on a new secret with the peer: `openssl rand -base64 18 | tr +/ xy` makes one"
        )
        if not ALLOWED.fullmatch(secret):
            yield error(
                key,
                "the secret has characters that configuration files read in different ways",
                "Use ASCII letters, digits and punctuation, without space, quotes, \\, `, $ and #",
            )
        if len(secret.encode(errors="replace")) > LONGEST:
            yield error(
                key, f"the secret is longer than the {LONGEST} bytes that TCP allows", remedy
            )
            continue
        if len(secret) < SHORTEST:
            yield error(key, f"the secret is shorter than {SHORTEST} characters", remedy)
        elif strength(secret, [*known, peer.name, str(peer.asn)]) < BITS:
            yield error(
                key,
                "the secret consists of words, repetitions or sequences that are easy to guess",
                remedy,
            )
        elif len(secret) < ADVISED:
            yield warning(key, f"the secret is shorter than {ADVISED} characters", remedy)
        other = first.setdefault(secret, at)
        if site.peers[other].asn != peer.asn:
            yield error(
                key,
                f"peers[{other}] has the same secret, so that peer could sign in this one's name",
                remedy,
            )
