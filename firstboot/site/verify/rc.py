"""rc's variables: jails without a port's address, ports that stay down, nothing asked of DHCP.

Sources: rc.conf(5); service jails, `NAME_svcj` and `NAME_svcj_ipaddrs`, are there too.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch

from firstboot.core.values import Address
from firstboot.site.render import Rendered
from firstboot.site.verify.address_roles import AddressRoles, address_of
from firstboot.site.verify.context import Context, Flaw

ASSIGNMENT = re.compile(r'^(\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', re.MULTILINE)
JAILED = ("exitisp_relays", "local_unbound")
"""What sends to strangers from addresses of its own."""

ASKING = ("dhcp", "syncdhcp")

PLACES = ("etc/rc.conf.local", "etc/rc.conf.d/*")
"""Where rc(8) reads what is rendered."""


def assignments(file: Rendered) -> Iterator[tuple[int, str, str]]:
    """Line, name and value of every variable that `file` sets."""
    for match in ASSIGNMENT.finditer(file.text):
        value = match[2] if match[2] is not None else match[3]
        yield file.text.count("\n", 0, match.start()) + 1, match[1], value


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    roles = context.roles
    ports = [port for port in roles.site.ports if port.role.outside]
    outside = {name for port in ports for name in (port.interface, port.device)}
    for line, name, value in assignments(file):
        words = value.split()
        for reason in _reasons(name, words, roles, outside):
            yield Flaw(file.path, line, f"{name}: {reason}")


def _reasons(name: str, words: list[str], roles: AddressRoles, outside: set[str]) -> Iterator[str]:
    lower = [word.lower() for word in words]
    if name.endswith("_svcj_ipaddrs"):
        yield from _foreign(words, roles)
    elif name in ("rtsold_enable", "rtsol_enable", "dhclient_enable") and words == ["YES"]:
        yield "addresses come from the site, never from others"
    elif name == "network_interfaces" and {"auto", *outside} & set(words):
        yield "netif would raise a port that only the preflight may raise"
    elif name == "syslogd_flags" and "-ss" not in words:
        yield "syslogd without -ss has a socket of the network"
    elif name == "exitisp_ports_settings":
        if "up" in lower:
            yield "a port would be raised that only the preflight may raise"
        addresses = _addresses(words)
        for address in addresses - roles.ports:
            yield f"{address} is not the address of a transit or exchange port"
    elif name.startswith("ifconfig_"):
        if _device(name) in {device.replace(".", "_") for device in outside}:
            yield "netif raises what it configures, and only the preflight may raise this port"
        if re.fullmatch(r"lo[1-9][0-9]*", _device(name)):
            yield from _foreign([str(address) for address in _addresses(words)], roles)
    if name.startswith("ifconfig_") or name == "exitisp_ports_settings":
        if any(word in ASKING for word in lower):
            yield "a stranger would be asked for an address"
        if "accept_rtadv" in lower:
            yield "routers would be taken that strangers announce"


def _foreign(words: list[str], roles: AddressRoles) -> Iterator[str]:
    for word in words:
        address = address_of(word)
        if address is None:
            yield f"{word} is no address"
        elif not address.is_loopback and (reason := roles.foreign(address)):
            yield reason


def _addresses(words: list[str]) -> set[Address]:
    """What follows `inet` or `inet6`, where that is an address."""
    pairs = itertools.pairwise(words)
    found = (address_of(after.split("/")[0]) for word, after in pairs if word in ("inet", "inet6"))
    return {address for address in found if address is not None}


def _device(name: str) -> str:
    """The interface of ``ifconfig_INTERFACE_aliases``; rc writes its dots as underscores."""
    return re.sub(r"_(ipv6|aliases|descr|alias\d+)$", "", name.removeprefix("ifconfig_"))


def check_together(files: Iterable[Rendered]) -> Iterator[Flaw]:
    """What takes all of rc's files to say: that netif has a list of ports, and that every service
    that sends to strangers is in a jail that has its addresses."""
    settings: dict[str, tuple[str, int, str]] = {}
    for file in files:
        if any(fnmatch(file.path, place) for place in PLACES):
            for line, name, value in assignments(file):
                settings[name] = (file.path, line, value)
    if "network_interfaces" not in settings:
        yield Flaw(PLACES[0], 1, "no network_interfaces: netif would raise every port there is")
    for service in JAILED:
        path, line, enabled = settings.get(f"{service}_enable", ("", 0, "NO"))
        if enabled != "YES":
            continue
        if settings.get(f"{service}_svcj", ("", 0, "NO"))[2] != "YES":
            yield Flaw(path, line, f"{service} runs outside of a jail: any address would be its")
        elif not settings.get(f"{service}_svcj_ipaddrs", ("", 0, ""))[2]:
            yield Flaw(path, line, f"the jail of {service} has every address of the box")
