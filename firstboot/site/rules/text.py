"""Texts: which characters may be where, so that no value can become configuration.

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

from firstboot.core.document import Key, quote
from firstboot.site.model import Site
from firstboot.site.rules.finding import Remark, advice, error, warning
from firstboot.site.rules.limits import LONGEST
from firstboot.site.rules.syntax import EMAIL, NAME, URL, is_host

FORBIDDEN = "\"'`\\$"
PUNCTUATION = " .,:;!?()&/+@_*-–’"  # noqa: RUF001
LONGEST_PROSE = 200
LONGEST_URL = 250


def check(site: Site) -> Iterator[Remark]:
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
                f"{quote(address)} is no address for mail",
                "give one such as abuse@example.org",
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


def _any(key: Key, text: str) -> Iterator[Remark]:
    wrong = next(
        (
            c
            for c in text
            if c in FORBIDDEN or unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"
        ),
        None,
    )
    if wrong is not None:
        name = unicodedata.name(wrong, f"U+{ord(wrong):04X}").lower()
        what = "a line break" if wrong in "\n\r\x85\u2028\u2029" else f"the character {name}"
        yield error(
            key,
            f"it has {what} in it, which could end a string or a line of a configuration",
            "write it without; for an apostrophe, ’ will do",  # noqa: RUF001
        )
    if len(text) > LONGEST:
        yield error(key, f"it has {len(text)} characters", f"use {LONGEST} at most")


def _prose(key: Key, text: str) -> Iterator[Remark]:
    wrong = next(
        (c for c in text if c not in PUNCTUATION and unicodedata.category(c)[0] not in "LMN"), None
    )
    if not text.strip():
        yield error(key, "it is empty", "say it in a few words")
    elif text != text.strip() or len(text) > LONGEST_PROSE:
        yield error(
            key,
            f"it has more than {LONGEST_PROSE} characters, or spaces around it",
            "shorten it",
        )
    elif wrong is not None and wrong not in FORBIDDEN and unicodedata.category(wrong)[0] != "C":
        yield error(
            key,
            f"it has {quote(wrong)} in it",
            "use letters, digits, spaces and plain punctuation",
        )


def _name(key: Key, text: str) -> Iterator[Remark]:
    if not NAME.fullmatch(text):
        yield error(
            key,
            f"{quote(text)} is no name",
            "use 1 to 31 letters, digits, dots, hyphens and underscores of ASCII",
        )


def _urls(site: Site) -> Iterator[Remark]:
    url = site.operator.url
    key: Key = ("operator", "url")
    if not URL.fullmatch(url) or len(url) > LONGEST_URL:
        yield error(
            key, f"{quote(url)} is no URL of the web", "give one such as https://example.org"
        )
    elif url.startswith("http:"):
        yield advice(key, "it is not encrypted on its way", "serve it by HTTPS")
    releases = site.upgrade.url
    if releases is not None and (
        not URL.fullmatch(releases)
        or not releases.startswith("https:")
        or len(releases) > LONGEST_URL
    ):
        yield error(
            ("upgrade", "url"),
            f"{quote(releases)} is no HTTPS URL",
            "give one such as https://example.org/releases, or leave it out",
        )


def _servers(site: Site) -> Iterator[Remark]:
    servers = site.clock.servers
    key: Key = ("clock", "servers")
    if not servers:
        yield error(
            key,
            "there is none; Tor and DNSSEC fail when the clock is wrong",
            "name some, or leave the key out",
        )
    for at, server in enumerate(servers):
        if not is_host(server):
            yield error(
                (*key, at),
                f"{quote(server)} is neither a host name nor an address",
                "give one such as ntp.example.org",
            )
        elif server.lower() in {other.lower() for other in servers[:at]}:
            yield warning((*key, at), f"{server} is there twice", "name another one")
