"""rc's variables: jails without a port's address, ports that stay down, nothing asked of DHCP.

Sources: rc.conf(5); service jails, `NAME_svcj` and `NAME_svcj_ipaddrs`, are there too. rc(8) reads
these files as programs of sh(1). What is rendered is assignments and comments, and nothing else is
taken: whatever a shell would replace or run is a flaw.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Network

from firstboot.core.values import Address, Interface, Network, within
from firstboot.site.model import Peer, Port, PortRole, Routes
from firstboot.site.render import Rendered
from firstboot.site.verify.context import Context, Flaw
from firstboot.site.verify.directives import Directive, Table, Wanted, compare

JAILED = ("exitisp_relays", "local_unbound")
"""What sends to strangers from addresses of its own."""

ASSIGNMENT = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="([^"]*)"[ \t]*(?:\n|\Z)')
COMMENT = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
SPREAD = {
    "exitisp_ports_gateways",
    "exitisp_ports_neighbours",
    "exitisp_ports_settings",
    "exitisp_relays_setup",
    "ifconfig_lo1_aliases",
    "sshd_setup",
}
"""Variables that are read line by line, where how many blanks and empty lines there are is all one.
Others are what they are: checkyesno takes "YES" and refuses "YES " and a line that ends."""

SHELL = re.compile(r"[$`\\]")

EFFECTS = {
    "network_interfaces": "netif would raise ports that only the preflight may raise",
    "defaultrouter": "relays would have a way out that BGP did not bring",
    "ipv6_defaultrouter": "relays would have a way out that BGP did not bring",
    "gateway_enable": "the box would pass on packets of others",
    "ipv6_gateway_enable": "the box would pass on packets of others",
    "rtadvd_enable": "an exchange shuts ports that announce routers",
    "lldpd_enable": "an exchange shuts ports that speak LLDP",
    "exitisp_relays_svcj": "outside of a jail a relay could use any address of the box",
    "exitisp_relays_svcj_ipaddrs": "the addresses that a relay could send from",
    "local_unbound_svcj": "outside of a jail the resolver could use any address of the box",
    "local_unbound_svcj_ipaddrs": "the addresses that the resolver could send from",
    "exitisp_ports_settings": "ports stay down until the preflight has passed",
    "exitisp_ports_gateways": "the box would have a way out that the site does not say",
    "exitisp_ports_neighbours": "a neighbour several hops away would be reached by another way",
    "exitisp_ports_twin": "strangers' packets for the other box are lost until BGP has a route",
    "local_unbound_fib": "restarted over SSH, it would ask by the management port",
    "openbgpd_fib": "restarted over SSH, its routes would be those of the management port",
    "sshd_fib": "its answers would leave by a transit port",
    "syslogd_flags": "without -ss it has a socket of the network",
    "sshd_enable": "administrators could not log in",
    "pf_enable": "nothing would hold back foreign packets",
    "pf_fallback_rules_enable": "if pf.conf does not load, nothing would be filtered",
    "ntp_db_leapfile": "it would be fetched from whatever address the kernel picks",
}


WITH_OWN = ("etc/rc.conf.local", "etc/rc.conf.d/exitisp_ports")
"""Files that give the box its own addresses."""


def assignments(file: Rendered) -> Iterator[tuple[int, str, str]]:
    """Line, name and value of every variable that `file` sets."""
    for one in _read(file.text)[0]:
        yield one.line, one.key, one.value


def own_addresses(files: Iterable[Rendered]) -> list[str]:
    """The box's own addresses, in the order of the plan: those on a loopback, and those that a
    provider's link has."""
    return [
        word.partition("/")[0]
        for file in files
        for _, name, value in (assignments(file) if file.path in WITH_OWN else ())
        if name in ("ifconfig_lo1_aliases", "exitisp_ports_settings")
        for word in value.split()
        if word.endswith(("/32", "/128"))
    ]


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    """One of rc's files, by what it has to say."""
    directives, mistakes = _read(file.text)
    wanted = WANTED[file.path](context) if file.path in WANTED else ()
    settled = ((name, _settled(name, str(value))) for name, value in wanted)
    table = Table(tuple(settled), effects=EFFECTS)
    for line, reason in (*mistakes, *compare(directives, table)):
        yield Flaw(file.path, line, reason)


def _read(text: str) -> tuple[list[Directive], list[tuple[int, str]]]:
    found: list[Directive] = []
    mistakes: list[tuple[int, str]] = []
    at, line = 0, 1
    while at < len(text):
        before, here = at, line
        if match := COMMENT.match(text, at):
            at = match.end()
        elif match := ASSIGNMENT.match(text, at):
            at = match.end()
            if SHELL.search(match[2]):
                mistakes.append((here, f"{match[1]} has something in it that the shell replaces"))
            found.append(Directive(here, match[1], _settled(match[1], match[2])))
        else:
            end = text.find("\n", at)
            at = len(text) if end < 0 else end + 1
            said = text[before:at].strip()[:40]
            mistakes.append((here, f"{said!a} is no assignment: it would run"))
        line += text.count("\n", before, at)
    return found, mistakes


def _settled(name: str, value: str) -> str:
    """The value of a variable in `SPREAD` with single blanks and no empty lines."""
    if name not in SPREAD:
        return value
    lines = (" ".join(line.split()) for line in value.split("\n"))
    return "\n".join(line for line in lines if line)


def _pf(context: Context) -> Iterable[Wanted]:
    return ("pf_enable", "YES"), ("pf_fallback_rules_enable", "YES")


def _cron(context: Context) -> Iterable[Wanted]:
    return ("cron_enable", "YES"), ("cron_fib", "0"), ("cron_svcj", "NO")


def _openbgpd(context: Context) -> Iterable[Wanted]:
    enabled = "NO" if context.site.provided else "YES"
    return ("openbgpd_enable", enabled), ("openbgpd_fib", "0"), ("openbgpd_svcj", "NO")


def _syslogd(context: Context) -> Iterable[Wanted]:
    return ("syslogd_enable", "YES"), ("syslogd_flags", "-ss -C"), ("syslogd_svcj", "NO")


def _ntpd(context: Context) -> Iterable[Wanted]:
    return (
        ("ntpd_enable", "YES"),
        ("ntpd_sync_on_start", "YES"),
        ("ntpd_fib", "0"),
        ("ntp_db_leapfile", "NONE"),
        ("ntpd_svcj", "NO"),
    )


HOST_KEY = "/cfg/ssh/ssh_host_ed25519_key"
MAKE_HOST_KEY = f"""install -d -m 0700 /cfg/ssh && {{
ssh-keygen -y -P '' -f {HOST_KEY} >/dev/null 2>&1 || {{
[ ! -e {HOST_KEY} ] ||
warn 'The host key is damaged, so there is a new one: SSH clients will warn'
rm -f /cfg/ssh/new /cfg/ssh/new.pub &&
ssh-keygen -q -t ed25519 -N '' -C '' -f /cfg/ssh/new &&
mv /cfg/ssh/new.pub {HOST_KEY}.pub &&
mv /cfg/ssh/new {HOST_KEY}
}}
}}"""


def _sshd(context: Context) -> Iterable[Wanted]:
    managing = any(port.role is PortRole.MANAGEMENT for port in context.site.ports)
    return (
        ("sshd_enable", "YES" if managing and context.site.management.keys else "NO"),
        ("sshd_fib", "1"),
        ("sshd_svcj", "NO"),
        ("sshd_rsa_enable", "NO"),
        ("sshd_ecdsa_enable", "NO"),
        ("sshd_ed25519_enable", "NO"),
        ("sshd_setup", MAKE_HOST_KEY),
    )


def _relays(context: Context) -> Iterable[Wanted]:
    """The jail's addresses: what is sent without a choice comes from the last of a family."""
    relays = context.plan.relays
    listening = [address for relay in relays for address in relay.listen]
    sending = [address for relay in relays for address in relay.source]
    own = list(dict.fromkeys([*listening, *sending]))[::-1]
    names = [f"relay{relay.number}" for relay in relays]
    folders = " ".join(["/data/tor", "/data/tor/family", *(f"/data/tor/{name}" for name in names)])
    return (
        ("exitisp_relays_enable", "YES"),
        ("exitisp_relays_list", " ".join(names)),
        (
            "exitisp_relays_setup",
            "ifconfig lo0 inet 127.0.0.2/32 alias &&\n"
            f"install -d -o _tor -g _tor -m 0700 {folders}",
        ),
        ("exitisp_relays_svcj", "YES"),
        ("exitisp_relays_svcj_options", "net_basic"),
        ("exitisp_relays_svcj_ipaddrs", " ".join(["127.0.0.2", *map(str, own)])),
    )


def _resolver(context: Context) -> Iterable[Wanted]:
    lans = [port for port in context.site.ports if port.role is PortRole.LAN]
    on_lan = [str(interface.ip) for port in lans for interface in port.addresses]
    own = [str(address) for address in context.plan.resolver]
    listening = dict.fromkeys(["127.0.0.1", "127.0.0.53", "::1", *on_lan])
    addresses = [*(one for one in listening if one not in own), *own]
    packaged = context.box.packaged_unbound
    return (
        ("local_unbound_enable", "YES"),
        *((("local_unbound_program", "/usr/local/sbin/unbound"),) if packaged else ()),
        ("start_postcmd", ""),
        ("local_unbound_fib", "0"),
        ("local_unbound_setup", "ifconfig lo0 inet 127.0.0.53/32 alias"),
        ("local_unbound_svcj", "YES"),
        ("local_unbound_svcj_options", "net_basic"),
        ("local_unbound_svcj_ipaddrs", " ".join(addresses)),
    )


def _ports(context: Context) -> Iterator[Wanted]:
    """Ports towards strangers, and to the twin: configured, and down."""
    guarded = [port for port in context.site.ports if port.role.guarded]
    ports = sorted(guarded, key=lambda port: port.role is not PortRole.TWIN)
    interfaces = {port.interface for port in context.site.ports}
    tagged = dict.fromkeys(port.device for port in ports if port.vlan is not None)
    below = [device for device in tagged if device not in interfaces]
    bundles = _bundles(ports)
    members = [card for port in bundles.values() for card in port.members]
    names = [*members, *below, *(port.interface for port in ports)]
    largest = {port.device: _largest(context.site.ports, port.device) for port in ports}
    settings = [line for port in bundles.values() for line in _bundle(port, largest[port.device])]
    settings += [f"{device} inet6 -auto_linklocal ifdisabled" for device in below]
    for port in ports:
        settings += _port_settings(port, largest[port.device])
        settings += [
            f"{port.interface} {_with_family(one)}/{one.max_prefixlen} alias"
            for one in _on_link(context, port)
        ]
    yield "exitisp_ports_list", " ".join(names)
    yield "exitisp_ports_settings", "\n".join(settings)
    gateways = [
        ("inet6" if remote.version == 6 else "inet", str(remote))
        for peer in context.site.peers
        if peer.routes is Routes.STATIC
        for remote in _routers(peer)
    ]
    if context.site.provided:
        gateways = [
            ("inet6" if one.version == 6 else "inet", f"{one}{link}")
            for port in ports
            for one in port.gateway
            for link in (f"%{port.interface}" if one.is_link_local else "",)
        ]
    if gateways:
        yield "exitisp_ports_gateways", "\n".join(" ".join(one) for one in gateways)
    neighbours = [
        f"{_with_family(remote)} {router}"
        for peer in context.site.peers
        for remote, router in zip(peer.addresses, _routers(peer), strict=True)
        if router != remote
    ]
    if neighbours:
        yield "exitisp_ports_neighbours", "\n".join(neighbours)
    for port in ports:
        if port.role is PortRole.TWIN:
            families = {one.version: one for one in reversed(context.plan.twins)}
            firsts = [str(families[version].network_address) for version in sorted(families)]
            yield "exitisp_ports_twin", " ".join([port.interface, *firsts])


def _routers(peer: Peer) -> list[Address]:
    """For each address of a peer the router on the link: its own, or the one that leads there."""
    named = {router.version: router for router in peer.gateway}
    return [named.get(remote.version, remote) for remote in peer.addresses]


def _links(context: Context) -> list[Network]:
    """Networks of outside ports that may have own addresses in them: a provider's."""
    if not context.site.provided:
        return []
    ports = [port for port in context.site.ports if port.role.outside]
    return [face.network for port in ports for face in port.addresses]


def _on_link(context: Context, port: Port) -> list[Address]:
    """Own addresses that a port answers for, beside those that it has by itself."""
    if not context.site.provided:
        return []
    networks = [face.network for face in port.addresses]
    its = {face.ip for face in port.addresses}
    return [
        one
        for one in context.plan.addresses
        if one not in its and any(one in network for network in networks)
    ]


def _bundles(ports: Iterable[Port]) -> dict[str, Port]:
    """The first port of each bundle, by its device."""
    found: dict[str, Port] = {}
    for port in ports:
        if port.members:
            found.setdefault(port.device, port)
    return found


def _largest(ports: Iterable[Port], device: str) -> int:
    """The size of packets on a device, which no VLAN on it may exceed."""
    return max(port.mtu for port in ports if port.device == device)


def _bundle(port: Port, mtu: int) -> Iterator[str]:
    """The cards before the bundle that they join, with the size of its packets."""
    for card in port.members:
        yield f"{card} mtu {mtu} -tso -lro"
        yield f"{card} inet6 -auto_linklocal ifdisabled"
    yield f"{port.device} create"
    yield f"{port.device} laggproto lacp"
    for card in port.members:
        yield f"{port.device} laggport {card}"


def _port_settings(port: Port, mtu: int) -> Iterator[str]:
    name = port.interface
    if port.mac:
        yield f"{port.device} ether {port.mac}"
    if port.vlan is not None:
        yield f"{port.device} mtu {mtu} -tso -lro"
        yield f"{name} create"
    yield f"{name} mtu {port.mtu} -tso -lro"
    if any(interface.version == 6 for interface in port.addresses):
        yield f"{name} inet6 -ifdisabled -accept_rtadv no_radr no_dad auto_linklocal"
    else:
        yield f"{name} inet6 -auto_linklocal ifdisabled"
    for interface in port.addresses:
        yield f"{name} {_with_family(interface)} alias"


def _network(context: Context) -> Iterator[Wanted]:
    site = context.site
    inside = [port for port in site.ports if not port.role.guarded]
    lans = [port for port in inside if port.role is PortRole.LAN]
    interfaces = [port.interface for port in inside]
    tagged = list(dict.fromkeys(port.device for port in inside if port.vlan is not None))
    bundles = _bundles(inside)
    members = [card for port in bundles.values() for card in port.members]
    names = dict.fromkeys(["lo0", *members, *tagged, *interfaces])
    yield "network_interfaces", " ".join(names)
    yield "cloned_interfaces", " ".join(["lo1", *bundles])
    for port in bundles.values():
        rest = "" if port.role is PortRole.MANAGEMENT else " -tso -lro"
        for card in port.members:
            yield f"ifconfig_{card}", f"up mtu {_largest(site.ports, port.device)}{rest}"
    yield "ifconfig_lo1", "up"
    yield "ifconfig_lo1_ipv6", "inet6 -accept_rtadv"
    on_links = {
        address
        for port in site.ports
        if port.role.outside
        for address in (*_on_link(context, port), *(face.ip for face in port.addresses))
    }
    here = [one for one in context.plan.addresses if one not in on_links]
    own = [f"{_with_family(one)}/{one.max_prefixlen}" for one in here]
    yield "ifconfig_lo1_aliases", "\n".join(own)
    for device in tagged:
        vlans = [str(port.vlan) for port in inside if port.device == device and port.vlan]
        yield f"vlans_{device}", " ".join(vlans)
        if device not in interfaces:
            joined = _joined(bundles.get(device))
            yield f"ifconfig_{device}", f"up mtu {_largest(site.ports, device)}{joined}"
    for port in inside:
        yield from _inside_port(port, bundles.get(port.interface))
    for name in ("defaultrouter", "ipv6_defaultrouter", "ipv6_default_interface"):
        yield name, "NO"
    for port in inside:
        if port.role is PortRole.MANAGEMENT:
            for gateway in port.gateway:
                family = "ipv6_" if gateway.version == 6 else ""
                yield f"{family}defaultrouter_fib1", str(gateway)
    on_lans = [interface.network for port in lans for interface in port.addresses]
    beside = [*on_lans, *_links(context)]
    yield from _blackholes(
        [
            one
            for one in site.scopes
            if one not in on_lans and not any(within(one, link) for link in beside)
        ]
    )
    for name in ("gateway_enable", "ipv6_gateway_enable"):
        yield name, "YES" if lans or site.twin else "NO"
    yield "icmp_drop_redirect", "YES"
    for name in ("forward_sourceroute", "accept_sourceroute", "arpproxy_all", "ipv6_privacy"):
        yield name, "NO"


def _joined(bundle: Port | None) -> str:
    cards = bundle.members if bundle else ()
    return " laggproto lacp" * bool(cards) + "".join(f" laggport {card}" for card in cards)


def _inside_port(port: Port, bundle: Port | None) -> Iterator[Wanted]:
    variable = f"ifconfig_{port.interface.replace('.', '_')}"
    ether = f"ether {port.mac} " if port.mac and port.vlan is None else ""
    rest = "fib 1" if port.role is PortRole.MANAGEMENT else "-tso -lro"
    yield variable, f"{ether}mtu {port.mtu} {rest}{_joined(bundle)}"
    if any(interface.version == 6 for interface in port.addresses):
        yield f"{variable}_ipv6", "inet6 -accept_rtadv no_radr"
    yield f"{variable}_aliases", " ".join(map(_with_family, port.addresses))


def _blackholes(scopes: list[Network]) -> Iterator[Wanted]:
    """What comes for an address that nobody has must not leave again."""
    for version, prefix in ((4, ""), (6, "ipv6_")):
        of_family = [scope for scope in scopes if scope.version == version]
        if of_family:
            names = [f"scope{number}" for number in range(1, len(of_family) + 1)]
            yield f"{prefix}static_routes", " ".join(names)
        for number, scope in enumerate(of_family, 1):
            if isinstance(scope, IPv4Network):
                yield f"route_scope{number}", f"-net {scope} 127.0.0.1 -blackhole"
            else:
                route = f"{scope.network_address} -prefixlen {scope.prefixlen} ::1 -blackhole"
                yield f"ipv6_route_scope{number}", route


def _with_family(address: Address | Interface) -> str:
    return f"{'inet6' if address.version == 6 else 'inet'} {address}"


WANTED: dict[str, Callable[[Context], Iterable[Wanted]]] = {
    "etc/rc.conf.local": _network,
    "etc/rc.conf.d/cron": _cron,
    "etc/rc.conf.d/exitisp_ports": _ports,
    "etc/rc.conf.d/exitisp_relays": _relays,
    "etc/rc.conf.d/local_unbound": _resolver,
    "etc/rc.conf.d/ntpd": _ntpd,
    "etc/rc.conf.d/openbgpd": _openbgpd,
    "etc/rc.conf.d/pf": _pf,
    "etc/rc.conf.d/sshd": _sshd,
    "etc/rc.conf.d/syslogd": _syslogd,
}
"""What each of rc's files says, all of it."""
