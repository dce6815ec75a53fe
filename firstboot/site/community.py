"""A community: a mark that one network puts on a route and another one acts on.

16 bits twice (RFC 1997), ``64500:666``, or 32 bits three times (RFC 8092), ``64500:666:0``.
"""

import re
from typing import Self

from firstboot.core.fault import quote
from firstboot.core.scalars import Malformed

BLACKHOLE = "65535:666"
"""RFC 7999."""

WELL_KNOWN = "65535:"
"""Communities of RFC 1997 and those that came after it: what they do is the same everywhere."""


class Community(str):
    """In decimal, without zeros in front."""

    @classmethod
    def parse(cls, text: str) -> Self:
        expected = "a community, such as 64500:666 or 64500:666:0"
        if text.upper() == "BLACKHOLE":
            raise Malformed(expected, write=BLACKHOLE)
        if not re.fullmatch(r"(0|[1-9][0-9]{0,9})(:(0|[1-9][0-9]{0,9})){1,2}", text):
            raise Malformed(expected)
        numbers = [int(number) for number in text.split(":")]
        most = 0xFFFF if len(numbers) == 2 else 0xFFFFFFFF
        if max(numbers) > most:
            raise Malformed(expected, f"{quote(text)} has a number above {most} in it")
        if text.startswith(WELL_KNOWN) and text != BLACKHOLE:
            known = f"{quote(text)} is a well-known community, which any network acts on (RFC 1997)"
            raise Malformed(expected, known)
        return cls(text)

    @property
    def large(self) -> bool:
        """Whether it is one of three numbers."""
        return self.count(":") == 2
