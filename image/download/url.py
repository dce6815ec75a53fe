"""Addresses of servers."""

import re
import urllib.parse

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Url(str):
    """An https:// address; http:// is allowed only for a mirror on this machine (loopback)."""

    @classmethod
    def parse(cls, text: str) -> "Url":
        wanted = "an address such as https://mirror.example.org/pub/"
        if not re.fullmatch(r"https?://[A-Za-z0-9._:\[\]-]+/[A-Za-z0-9/._~%+:,-]*", text):
            raise ValueError(wanted)
        try:
            parts = urllib.parse.urlsplit(text)
            _ = parts.port
        except ValueError:
            raise ValueError(wanted) from None
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ValueError(f"{wanted}, encrypted")
        return cls(text)


class Folder(Url):
    """A Url that ends with a slash."""

    @classmethod
    def parse(cls, text: str) -> "Folder":
        if not text.endswith("/"):
            raise ValueError("the address of a folder, with a slash at its end")
        return cls(Url.parse(text))
