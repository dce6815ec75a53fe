"""The preflight of the rehearsal: what ip(8), ss(8) and nft(8) print, and its meaning.

There are no jails, and nftables is in pf's place.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from firstboot.box import preflight
from firstboot.box.host import Host
from firstboot.box.preflight import Facts, address_of
from firstboot.box.verdict import Verdict
from firstboot.core.values import Address
from firstboot.site.listening import Socket
from firstboot.site.model import Site
from firstboot.site.services import Service

EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104
"""How ss(8) writes what sockstat(1) writes as ``*``."""


def verdicts(site: Site, host: Host, services: Sequence[Service]) -> tuple[Verdict, ...]:
    """The conditions on a box with `site` and these services."""
    rules = host.run("nft", "list", "table", "netdev", "exitisp").text
    routes = [host.run("ip", family, "route", "show", "default").text for family in ("-4", "-6")]
    facts = Facts(
        parse_addresses(host.run("ip", "-json", "address").text),
        tuple(parse_sockets(host.run("ss", "-H", "-lntup").text)),
        default_gateway("".join(routes)),
        tuple(one.label for one in services if one.needed and host.run(*one.ready).status != 0),
    )
    return (
        Verdict("nftables guards every port towards strangers", unguarded(site, rules)),
        *preflight.judge(site, facts, services),
    )


def unguarded(site: Site, rules: str) -> str:
    """Names the first port without a chain that drops by default what leaves there, in the output
    of ``nft list table``."""
    for port in site.ports:
        hook = rf'hook egress device "{re.escape(port.interface)}" [^;]*; policy drop;'
        if port.role.outside and not re.search(hook, rules):
            return f"no rules for what leaves by {port.interface}"
    return ""


def parse_addresses(text: str) -> dict[str, set[Address]]:
    """Addresses by interface, in the output of ``ip -json address``."""
    try:
        found: list[dict[str, Any]] = json.loads(text)
    except ValueError:
        return {}
    return {
        interface["ifname"]: {
            address
            for one in interface.get("addr_info", ())
            if (address := address_of(str(one.get("local")))) is not None
        }
        for interface in found
        if "ifname" in interface
    }


def parse_sockets(text: str) -> Iterator[Socket]:
    """The sockets in the output of ss(8): protocol, state, two queues, address and port, the
    peer's address and port, process."""
    for line in text.splitlines():
        words = line.split()
        if len(words) < 6:
            continue
        host, _, port = words[4].rpartition(":")
        owner = re.search(r'\(\("([^"]+)"', line)
        name = owner[1] if owner else "somebody"
        if port.isdigit():
            where = "*" if host in EVERYWHERE else host.strip("[]").partition("%")[0]
            yield Socket(name, words[0], where, int(port))


def default_gateway(text: str) -> str:
    """The gateway, or else the device, of the first route in the output of ``ip route show
    default``; empty without one."""
    found = re.search(r"^default (?:via|dev) (\S+)", text, re.MULTILINE)
    return found[1] if found else text.strip()
