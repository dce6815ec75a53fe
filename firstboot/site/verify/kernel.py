"""Settings of the kernel (sysctl.conf(5)): an exchange's rules, no leak, no record; then tuning."""

import re
from collections.abc import Iterator

from firstboot.core.resources import overlays
from firstboot.site import profiles
from firstboot.site.model import PortRole
from firstboot.site.render import Rendered
from firstboot.site.verify.context import Context, Flaw
from firstboot.site.verify.directives import Directive, Table, Wanted, compare

CONSTANT: tuple[Wanted, ...] = (
    ("net.inet.ip.redirect", "0"),
    ("net.inet6.ip6.redirect", "0"),
    ("net.inet.icmp.drop_redirect", "1"),
    ("net.inet6.icmp6.rediraccept", "0"),
    ("net.link.ether.inet.proxyall", "0"),
    ("net.inet6.ip6.accept_rtadv", "0"),
    ("net.inet6.ip6.rfc6204w3", "0"),
    ("net.inet6.ip6.no_radr", "1"),
    ("net.inet.ip.sourceroute", "0"),
    ("net.inet.ip.accept_sourceroute", "0"),
    ("net.inet6.ip6.use_tempaddr", "0"),
    ("net.inet6.ip6.prefer_tempaddr", "0"),
    ("net.inet.ip.ttl", "64"),
    ("net.inet.ip.random_id", "1"),
    ("net.inet.tcp.hostcache.enable", "0"),
    ("net.route.multipath", "0"),
)

FIRMWARE_LLDP = {"ixl": "fw_lldp", "ice": "fw_lldp_agent"}
"""Of cards that speak LLDP by themselves, where pf does not see it."""

EFFECTS = {
    "net.inet.icmp.reply_src": "errors would leave from the port's address",
    "net.inet.ip.redirect": "an exchange shuts ports that send redirects",
    "net.inet6.ip6.redirect": "an exchange shuts ports that send redirects",
    "net.link.ether.inet.proxyall": "an exchange shuts ports that answer for others",
    "net.inet.tcp.hostcache.enable": "it keeps who talked to whom for an hour",
    "net.inet6.ip6.use_tempaddr": "packets would leave from addresses that nobody planned",
}


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    found = []
    for number, line in enumerate(file.text.split("\n"), 1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        match = re.fullmatch(r"([a-z0-9_.]+)=(-?[A-Za-z0-9_.]+)", said)
        if match is None:
            yield Flaw(file.path, number, f"{said[:40]!a} is no setting")
            continue
        found.append(Directive(number, match[1], match[2]))
    for number, reason in compare(found, Table(tuple(_wanted(context)), effects=EFFECTS)):
        yield Flaw(file.path, number, reason)


def _first_with_own_address(context: Context) -> str:
    """The interface whose first IPv4 address is the router's: of a provider's addresses, one that
    is on the link is on the port."""
    router = context.plan.router.v4
    for port in context.site.ports:
        if port.role.outside and any(face.ip == router for face in port.addresses):
            return port.interface
    return "lo1"


def _wanted(context: Context) -> Iterator[Wanted]:
    site, box = context.site, context.box
    yield from CONSTANT
    yield "net.inet.icmp.reply_src", _first_with_own_address(context)
    if any(port.role is PortRole.EXCHANGE for port in site.ports):
        yield "net.link.ether.inet.max_age", "14400"
    lldp = {}
    outside = (card for port in site.ports if port.role.outside for card in port.cards)
    for card in outside:
        driver = card.rstrip("0123456789")
        if driver in FIRMWARE_LLDP:
            unit = card.removeprefix(driver)
            lldp[f"dev.{driver}.{unit}.{FIRMWARE_LLDP[driver]}"] = "0"
    yield from lldp.items()
    machine = profiles.Machine(box.cores, box.memory_mib, box.devices)
    for choice in profiles.choose(site, machine, overlays()):
        for setting in choice.settings:
            yield setting.name, str(setting.value)
