"""Texts: which characters are allowed where, so that no value can become configuration.

Any text: no control, format or unassigned character, no quote, backslash, backtick or dollar, at
most 2000 characters. Names of ports and peers: letters, digits, dot, hyphen and underscore of
ASCII, 31 at most. Prose (the operator's name, jurisdiction, the reasons of waivers): letters and
digits of any script, spaces, and what PUNCTUATION has. Addresses of electronic mail,
URLs, servers: the forms in `firstboot.site.rules.syntax`. MD5 secrets: see
`firstboot.site.rules.secrets`.
"""

import dataclasses
import unicodedata
from collections.abc import Iterator
from typing import Any

from firstboot.core.characters import name_of, oddity
from firstboot.core.document import Key
from firstboot.core.fault import quote_value
from firstboot.site.model import Site
from firstboot.site.rules.finding import Finding, advice, error, warning
from firstboot.site.rules.limits import LONGEST
from firstboot.site.rules.syntax import EMAIL, NAME, URL, is_host

FORBIDDEN = "\"'`\\$"
PUNCTUATION = " .,:;!?()&/+@_*-–’"  # noqa: RUF001
LONGEST_PROSE = 200
LONGEST_URL = 250


def check(site: Site) -> Iterator[Finding]:
    for key, text in _texts(site, ()):
        yield from _any(key, text)
    operator = site.operator
    prose: list[tuple[Key, str]] = [
        (("operator", "name"), operator.name),
        (("operator", "jurisdiction"), operator.jurisdiction),
        *((("waivers", name), reason) for name, reason in site.waivers.items()),
    ]
    for key, text in prose:
        yield from _prose(key, text)
    for at, port in enumerate(site.ports):
        yield from _name(("ports", at, "name"), port.name)
    for at, peer in enumerate(site.peers):
        yield from _name(("peers", at, "name"), peer.name)
    for key, address in (
        (("operator", "abuse"), operator.abuse),
        (("operator", "contact"), operator.contact),
    ):
        if not EMAIL.fullmatch(address):
            yield error(
                key,
                f"{quote_value(address)} is not a mail address",
                "Write one such as abuse@example.org",
            )
    yield from _urls(site)
    yield from _servers(site)


def _texts(part: Any, key: Key) -> Iterator[tuple[Key, str]]:
    """Every text in the site, keys of mappings included."""
    if isinstance(part, str):
        yield key, part
    elif isinstance(part, tuple):
        for at, item in enumerate(part):
            yield from _texts(item, (*key, at))
    elif isinstance(part, dict):
        for name, item in part.items():
            yield key, name
            yield from _texts(item, (*key, name))
    elif dataclasses.is_dataclass(part):
        for field in dataclasses.fields(part):
            yield from _texts(getattr(part, field.name), (*key, field.name))


def _any(key: Key, text: str) -> Iterator[Finding]:
    wrong = next(
        (
            c
            for c in text
            if c in FORBIDDEN or unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"
        ),
        None,
    )
    if wrong is not None:
        yield error(key, *_wrong(wrong))
    if len(text) > LONGEST:
        yield error(key, f"the text has {len(text)} characters", f"Use at most {LONGEST}")


def _wrong(char: str) -> tuple[str, str]:
    """Why the character `char` cannot be in a text, and what to do."""
    odd = oddity(char)
    if odd:
        return f"there is {odd.name} in the text, {odd.why}", odd.remedy
    if char in "\n\r\t":
        name = "a tab" if char == "\t" else "a line break"
        return f"there is {name} in the text, which could end a line of configuration", "Delete it"
    reason = f"there is {name_of(char)} in the text, which could end a string of configuration"
    if char == "'":
        return reason, "Write the apostrophe ’ instead"  # noqa: RUF001
    return reason, "Write the text without it"


def _prose(key: Key, text: str) -> Iterator[Finding]:
    wrong = next(
        (c for c in text if c not in PUNCTUATION and unicodedata.category(c)[0] not in "LMN"), None
    )
    if not text.strip():
        yield error(key, "the text is empty", "Write a few words")
    elif text != text.strip() or len(text) > LONGEST_PROSE:
        yield error(
            key,
            f"the text has more than {LONGEST_PROSE} characters, or spaces around it",
            "Shorten it",
        )
    elif wrong is not None and wrong not in FORBIDDEN and unicodedata.category(wrong)[0] != "C":
        yield error(
            key,
            f"it has {quote_value(wrong)} in it",
            "Use letters, digits, spaces and plain punctuation",
        )


def _name(key: Key, text: str) -> Iterator[Finding]:
    if not NAME.fullmatch(text):
        yield error(
            key,
            f"{quote_value(text)} is not a name",
            "Use 1 to 31 ASCII letters, digits, dots, hyphens and underscores",
        )


def _urls(site: Site) -> Iterator[Finding]:
    url = site.operator.url
    key: Key = ("operator", "url")
    if not URL.fullmatch(url) or len(url) > LONGEST_URL:
        yield error(
            key, f"{quote_value(url)} is not a web address", "Write one such as https://example.org"
        )
    elif url.startswith("http:"):
        yield advice(key, "the page is not encrypted on its way", "Use https")


def _servers(site: Site) -> Iterator[Finding]:
    servers = site.clock.servers
    key: Key = ("clock", "servers")
    if not servers:
        yield error(
            key,
            "there is no time server, and Tor and DNSSEC fail when the clock is wrong",
            "Name some, or remove the key for the default",
        )
    if servers and not site.clock.names and len(servers) < 3:
        yield advice(
            key,
            "of fewer than three time servers a wrong one is not found out",
            "Name three or more addresses, or a name of a pool",
        )
    for at, server in enumerate(servers):
        if not is_host(server):
            yield error(
                (*key, at),
                f"{quote_value(server)} is neither a host name nor an address",
                "Write one such as ntp.example.org",
            )
        elif server.lower() in {other.lower() for other in servers[:at]}:
            yield warning((*key, at), f"{server} is listed twice", "Name another one")
