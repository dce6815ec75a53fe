"""The forms that texts may have, stricter than their standards where configuration needs it.

Every text of a site ends up in some daemon's file, in a shell's or in HTML. None of these forms
has a quote, a backslash, a dollar or a line break in it, so none can end a string or a line.
"""

import ipaddress
import re

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL}){{0,10}}\.?"

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,30}")
EMAIL = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._+-]{{0,63}}@{_LABEL}(?:\.{_LABEL}){{1,10}}")
URL = re.compile(rf"https?://{_DOMAIN}(?::[0-9]{{1,5}})?(?:/[A-Za-z0-9._~/%?=&+:@,-]{{0,200}})?")
DOMAIN = re.compile(_DOMAIN)


def is_host(text: str) -> bool:
    """Whether `text` is a domain name or an address."""
    try:
        return "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        numeric = re.fullmatch(r"[0-9.]*", text) is not None
        return len(text) <= 253 and not numeric and DOMAIN.fullmatch(text) is not None
