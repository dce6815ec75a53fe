"""Rules of an exit policy, and the destinations in them, as a torrc has them.

tor(1), ExitPolicy, and dir-spec, exitpattern: ``accept *:443``, ``reject6 [2001:db8::]/32:*``,
``reject 198.51.100.0/24:25-26``, ``reject private:*``.
"""

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Self

from firstboot.core.fault import quote
from firstboot.core.scalars import Malformed

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


class Destination(str):
    """Addresses, and ports of them: ``198.51.100.0/24:25``, ``[2001:db8::]/32:*``. It is spelled as
    in a rule of an exit policy; what is read may leave out the ports, which are then all, and with
    them the brackets."""

    @classmethod
    def parse(cls, text: str) -> Self:
        expected = "an address or a prefix, such as 203.0.113.7, 2001:db8::/32 or 203.0.113.7:25"
        if text.startswith("*") or "private" in text:
            raise Malformed(expected, f"{quote(text)} names no single destination")
        where, ports = text, "*"
        if text.startswith("[") or text.count(":") == 1:
            where, colon, ports = text.rpartition(":")
            if not colon or where.count("[") != where.count("]"):
                raise Malformed(expected)
        plain = re.sub(r"^\[([^][]*)\]", r"\1", where)
        try:
            network = ipaddress.ip_network(plain)
            _ports(ports)
        except ValueError:
            raise _not_reached(text, plain, ports, expected) from None
        if network.version == 4:
            spelled = str(network.network_address if network.prefixlen == 32 else network)
        else:
            length = "" if network.prefixlen == 128 else f"/{network.prefixlen}"
            spelled = f"[{network.network_address}]{length}"
        return cls(f"{spelled}:{ports}")

    @property
    def network(self) -> IPv4Network | IPv6Network:
        return ipaddress.ip_network(re.sub(r"[][]", "", self.rpartition(":")[0]))

    @property
    def rejected(self) -> str:
        """The rule that keeps exits from it."""
        return f"reject{'6' if self.startswith('[') else ''} {self}"


def _not_reached(text: str, plain: str, ports: str, expected: str) -> Malformed:
    """Why `text` is no destination."""
    try:
        network = ipaddress.ip_network(plain, strict=False)
    except ValueError:
        return Malformed(expected)
    if network.prefixlen < network.max_prefixlen and str(network) != plain:
        problem = f"{quote(text)} has bits set behind the prefix length (host bits)"
        return Malformed(expected, problem, str(network))
    return Malformed(expected, f"{quote(ports)} are no ports from 1 to 65535")


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
    if not re.fullmatch(r"[0-9]{1,5}(-[0-9]{1,5})?", text):
        raise ValueError("ports from 1 to 65535, the smaller one first")
    first, _, last = text.partition("-")
    ports = range(int(first), int(last or first) + 1)
    if not ports or ports[0] < 1 or ports[-1] > 65535:
        raise ValueError("ports from 1 to 65535, the smaller one first")
    return ports
