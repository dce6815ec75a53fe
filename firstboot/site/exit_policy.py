"""One rule of an exit policy, as a torrc has it.

tor(1), ExitPolicy, and dir-spec, exitpattern: ``accept *:443``, ``reject6 [2001:db8::]/32:*``,
``reject 198.51.100.0/24:25-26``, ``reject private:*``.
"""

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Self

_RULE = re.compile(
    r"(?P<verb>accept|reject)(?P<six>6?) +"
    r"(?P<where>\*[46]?|private|\[[0-9A-Fa-f:.]+\](?:/[0-9]{1,3})?|[0-9.]+(?:/[0-9.]{1,15})?):"
    r"(?P<ports>\*|[0-9]{1,5}(?:-[0-9]{1,5})?)"
)


@dataclass(frozen=True)
class ExitRule:
    accepts: bool
    where: str
    """`*`, `*4`, `*6`, `private`, or empty for what `network` has."""

    network: IPv4Network | IPv6Network | None
    ports: range

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError naming what is expected."""
        found = _RULE.fullmatch(text)
        if not found:
            raise ValueError("accept or reject, an address or *, a colon, and ports or *")
        where = found["where"]
        network = None if where[0] in "*p" else _network(where)
        if found["six"] and (where == "*4" or (network is not None and network.version == 4)):
            raise ValueError("an IPv6 address or * after accept6 and reject6")
        if found["six"] and where == "*":
            where = "*6"
        return cls(
            found["verb"] == "accept", "" if network else where, network, _ports(found["ports"])
        )

    @property
    def everywhere(self) -> bool:
        return self.where == "*"


def _network(text: str) -> IPv4Network | IPv6Network:
    plain = text.replace("[", "").replace("]", "")
    try:
        network = ipaddress.ip_network(plain, strict=False)
    except ValueError:
        raise ValueError("an address such as 198.51.100.0/24 or [2001:db8::]/32") from None
    if (network.version == 6) != text.startswith("["):
        raise ValueError("IPv6 addresses in brackets, and IPv4 addresses without")
    return network


def _ports(text: str) -> range:
    if text == "*":
        return range(1, 65536)
    first, _, last = text.partition("-")
    ports = range(int(first), int(last or first) + 1)
    if not ports or ports[0] < 1 or ports[-1] > 65535:
        raise ValueError("ports from 1 to 65535, the smaller one first")
    return ports
