"""rc's variables: jails without a port's address, ports that stay down, nothing asked of DHCP.

Sources: rc.conf(5); service jails, `NAME_svcj` and `NAME_svcj_ipaddrs`, are there too.
"""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch

from firstboot.lint.truth import Flaw, Truth, address_of
from firstboot.render import Rendered

ASSIGNMENT = re.compile(r'^(\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', re.MULTILINE)
JAILED = ("tor", "local_unbound")
"""What sends to strangers from addresses of its own."""

ASKING = ("dhcp", "syncdhcp", "noauto dhcp")


def assignments(file: Rendered) -> Iterator[tuple[int, str, str]]:
    """Line, name and value of every variable that `file` sets."""
    for match in ASSIGNMENT.finditer(file.text):
        value = match[2] if match[2] is not None else match[3]
        yield file.text.count("\n", 0, match.start()) + 1, match[1], value


def check(file: Rendered, truth: Truth) -> Iterator[Flaw]:
    outside = {port.interface for port in truth.site.ports if port.role.outside}
    outside |= {port.device for port in truth.site.ports if port.role.outside}
    for line, name, value in assignments(file):
        words = value.split()
        if name.endswith("_svcj_ipaddrs"):
            for word in words:
                address = address_of(word)
                if address is None:
                    yield Flaw(file.path, line, f"{name}: {word} is no address")
                elif not address.is_loopback and (reason := truth.foreign(address)):
                    yield Flaw(file.path, line, f"{name}: {reason}")
        elif name in ("rtsold_enable", "rtsol_enable", "dhclient_enable") and value == "YES":
            yield Flaw(file.path, line, f"{name}: addresses come from the site, never from others")
        elif name.startswith("ifconfig_"):
            yield from _interface(file.path, line, name, words, outside)
        elif name == "syslogd_flags" and "-ss" not in words:
            yield Flaw(file.path, line, "syslogd without -ss has a socket of the network")


def _interface(
    path: str, line: int, name: str, words: list[str], outside: set[str]
) -> Iterator[Flaw]:
    lower = [word.lower() for word in words]
    if any(word in ASKING for word in lower):
        yield Flaw(path, line, f"{name} would ask a stranger for an address")
    if "accept_rtadv" in lower:
        yield Flaw(path, line, f"{name} would take routers that strangers announce")
    device = name.removeprefix("ifconfig_").removesuffix("_ipv6")
    device = re.sub(r"_alias\d+$", "", device)
    if device.replace("_", ".") in outside or device in outside:
        if "up" in lower:
            yield Flaw(path, line, f"{name} raises a port that only the preflight may raise")
        if not name.endswith("_ipv6") and "_alias" not in name and "down" not in lower:
            yield Flaw(path, line, f"{name} does not say 'down': rc(8) would raise the port")


def check_jails(files: Iterable[Rendered]) -> Iterator[Flaw]:
    """Every service that sends to strangers is in a jail that has its addresses."""
    settings: dict[str, tuple[str, int, str]] = {}
    for file in files:
        if fnmatch(file.path, "etc/rc.conf.d/*"):
            for line, name, value in assignments(file):
                settings[name] = (file.path, line, value)
    for service in JAILED:
        path, line, enabled = settings.get(f"{service}_enable", ("", 0, "NO"))
        if enabled != "YES":
            continue
        if settings.get(f"{service}_svcj", ("", 0, "NO"))[2] != "YES":
            yield Flaw(path, line, f"{service} runs outside of a jail: any address would be its")
        elif not settings.get(f"{service}_svcj_ipaddrs", ("", 0, ""))[2]:
            yield Flaw(path, line, f"the jail of {service} has every address of the box")
