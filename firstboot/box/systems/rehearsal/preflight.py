"""The preflight of the rehearsal: what ip(8), ss(8) and nft(8) print, and its meaning.

There are no jails, and nftables is in pf's place.
"""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from firstboot.box import preflight
from firstboot.box.host import Host
from firstboot.box.preflight import Facts, address_of
from firstboot.box.verdict import Effect, Verdict
from firstboot.core.values import Address
from firstboot.site.address_plan import allot
from firstboot.site.listening import Socket
from firstboot.site.model import PortRole, Site
from firstboot.site.services import Service

OWN = re.compile(
    r"arp saddr ip |"
    r"ip6? saddr (@own[46] |\S+ ip6? daddr \S+ tcp [sd]port 179 |\{ .* \} icmpv6 type )"
)
"""What the rules have that let something out: BGP, neighbour discovery, ARP, and own sources."""

TWIN = re.compile(r"ip6? saddr != @own[46] ip6? daddr @twin[46] ")
"""The same at the port to a twin: what strangers send to it."""

EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104
"""How ss(8) writes what sockstat(1) writes as ``*``."""


def verdicts(site: Site, host: Host, services: Sequence[Service]) -> tuple[Verdict, ...]:
    """The conditions on a box with `site` and these services."""
    rules = host.run("nft", "list", "table", "netdev", "exitisp").text
    routes = [host.run("ip", family, "route", "show", "default").text for family in ("-4", "-6")]
    interfaces = host.run("ip", "-json", "address").text
    far = {
        one.remote: default_gateways(
            host.run("ip", f"-{one.remote.version}", "route", "show", str(one.remote)).text
        )
        for one in allot(site).far
    }
    facts = Facts(
        parse_addresses(interfaces),
        tuple(parse_sockets(host.run("ss", "-H", "-lntup").text)),
        default_gateways("".join(routes)),
        bundles=parse_bundles(interfaces),
        up=interfaces_up(interfaces),
        neighbours={remote: " ".join(sorted(found)) for remote, found in far.items() if found},
    )
    return (
        Verdict(
            "nftables guards every port towards strangers", Effect.LEAK, unguarded(site, rules)
        ),
        *preflight.judge(site, facts, services),
    )


def unguarded(site: Site, rules: str) -> str:
    """Names the first port without a chain that drops by default what leaves there, or with a rule
    that accepts more than what the port itself has to say and what has an own source, in the output
    of ``nft list table``."""
    for port in site.ports:
        if not port.role.guarded:
            continue
        hook = rf'hook egress device "{re.escape(port.interface)}" [^;]*; policy drop;'
        found = re.search(hook, rules)
        if found is None:
            return f"no rules for what leaves by {port.interface}"
        chain = map(str.strip, rules[found.end() :].splitlines())
        for line in itertools.takewhile(lambda line: line != "}", chain):
            own = OWN.match(line) or (port.role is PortRole.TWIN and TWIN.match(line))
            if line.endswith("accept") and not own:
                return f"what leaves by {port.interface} passes by: {line}"
    return ""


def parse_addresses(text: str) -> dict[str, set[Address]]:
    """Addresses by interface, in the output of ``ip -json address``."""
    return {
        name: {
            address
            for one in _objects(interface.get("addr_info"))
            if (address := address_of(str(one.get("local")))) is not None
        }
        for name, interface in _interfaces(text).items()
    }


def parse_bundles(text: str) -> dict[str, frozenset[str]]:
    """The cards of each bond, in the output of ``ip -json address``."""
    pairs = [
        (str(one["master"]), card) for card, one in _interfaces(text).items() if "master" in one
    ]
    return {name: frozenset(card for master, card in pairs if master == name) for name, _ in pairs}


def interfaces_up(text: str) -> frozenset[str]:
    """The interfaces that are up, in the output of ``ip -json address``."""
    flags = {name: one.get("flags") for name, one in _interfaces(text).items()}
    return frozenset(
        name for name, all_ in flags.items() if isinstance(all_, list) and "UP" in all_
    )


def _interfaces(text: str) -> dict[str, dict[str, Any]]:
    """What ip(8) tells of each interface, by its name; nothing if that is not JSON."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {str(one["ifname"]): one for one in _objects(found) if "ifname" in one}


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list in JSON, whatever else it holds; none if `value` is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


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
        if re.fullmatch("[0-9]{1,5}", port):
            where = "*" if host in EVERYWHERE else host.strip("[]").partition("%")[0]
            yield Socket(name, words[0], where, int(port))


def default_gateways(text: str) -> frozenset[str]:
    """The gateways of the routes in the output of ``ip route show``, link-local ones with
    the interface, as the plan has them; or else their devices, or what they say instead."""
    return frozenset(_way_out(line.split()) for line in text.splitlines() if line.strip())


def _way_out(words: list[str]) -> str:
    match words:
        case [_, "via", address, "dev", device, *_] if address.lower().startswith("fe80:"):
            return f"{address}%{device}"
        case [_, "via" | "dev", where, *_]:
            return where
        case _:
            return " ".join(words)
