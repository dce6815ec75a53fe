"""A relay (tor(1)): where it listens and sends from, where it looks names up, what it keeps."""

import re
from collections.abc import Iterator

from firstboot.core.values import Address
from firstboot.site.address_plan import Relay
from firstboot.site.model import Policy, Site
from firstboot.site.render import Rendered
from firstboot.site.verify.context import Context, Flaw
from firstboot.site.verify.directives import Directive, Number, Table, Wanted, compare, settled

CONSTANT: tuple[Wanted, ...] = (
    ("User", "_tor"),
    ("Log", "notice syslog"),
    ("SafeLogging", "1"),
    ("AvoidDiskWrites", "1"),
    ("NoExec", "1"),
    ("SocksPort", "0"),
    ("ControlPort", "0"),
    ("ControlSocket", "0"),
    ("MetricsPortPolicy", "accept 127.0.0.0/8"),
    ("ExitRelay", "1"),
    ("ExitPolicyRejectPrivate", "1"),
    ("ExitPolicyRejectLocalInterfaces", "1"),
    ("ReevaluateExitPolicy", "1"),
    ("ServerDNSResolvConfFile", "/usr/local/etc/tor/resolv.conf"),
    ("ServerDNSAllowBrokenConfig", "1"),
    ("ServerDNSDetectHijacking", "1"),
    ("ServerDNSRandomizeCase", "1"),
    ("ServerDNSSearchDomains", "0"),
    ("Schedulers", "KISTLite"),
    ("%include", "/var/run/exitisp/family/*.conf"),
)

EFFECTS = {
    "User": "without it the relay keeps root's rights",
    "Log": "more than notice writes down what users do",
    "SafeLogging": "addresses of users would be written down",
    "SocksPort": "strangers could use it as their own client",
    "ControlPort": "strangers could control it",
    "TransPort": "strangers could use it as their own client",
    "DNSPort": "it would answer questions of others",
    "MetricsPort": "nobody outside the box may read it",
    "ORPort": "where other relays connect to",
    "DirPort": "where the exit notice is",
    "OutboundBindAddressOR": "else the kernel takes the address of the port it leaves by",
    "OutboundBindAddressExit": "else the kernel takes the address of the port it leaves by",
    "OutboundBindAddress": "it is overridden by the two that say for what",
    "ExitPolicy": "what users reach through it",
    "ServerDNSResolvConfFile": "names would be asked of others",
    "Sandbox": "it is for Linux alone; Tor takes it elsewhere and does nothing",
    "Schedulers": "KIST needs Linux",
    "%include": "whatever is in those files would count",
}

LINE = re.compile(r"\s*([%+/]?[A-Za-z0-9_]+)(?:\s+(.*?))?\s*")


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    table = _table(file, context)
    if table is None:
        yield Flaw(file.path, 1, "the site has no such relay")
        return
    directives, flaws = _read(file, table)
    yield from flaws
    for line, reason in compare(directives, table):
        yield Flaw(file.path, line, reason)


def expected(file: Rendered, context: Context) -> str | None:
    """A torrc that says what the site asks for, and nothing else; None for no relay of the site."""
    table = _table(file, context)
    if table is None:
        return None
    return "".join(f"{key} {value}\n" for key, value in settled(_read(file, table)[0], table))


def _table(file: Rendered, context: Context) -> Table | None:
    match = re.fullmatch(r"etc/local/tor/torrc@relay([0-9]{1,4})", file.path)
    relays = {str(relay.number): relay for relay in context.plan.relays}
    relay = relays.get(match[1]) if match else None
    if relay is None:
        return None
    return Table(tuple(_wanted(context, relay)), ordered=("ExitPolicy",), effects=EFFECTS)


def _read(file: Rendered, table: Table) -> tuple[list[Directive], list[Flaw]]:
    names = {key.lower(): key for key, _ in table.wanted} | {key.lower(): key for key in EFFECTS}
    directives: list[Directive] = []
    flaws: list[Flaw] = []
    for line, text in enumerate(file.text.split("\n"), 1):
        said = _without_comment(text)
        found = LINE.fullmatch(said)
        if not said.strip():
            continue
        if said.endswith("\\") or found is None or not said.isascii():
            reason = f"{said.strip()[:40]!a} cannot be read for certain"
            flaws.append(Flaw(file.path, line, reason))
            continue
        # Names of options have no case, and blanks within a value are a part of it (tor(1)).
        name = names.get(found[1].lower(), found[1])
        directives.append(Directive(line, name, found[2] or ""))
    return directives, flaws


def _without_comment(text: str) -> str:
    """Up to the first # outside of a quoted value."""
    quoted, skip = False, False
    for at, char in enumerate(text):
        if skip:
            skip = False
        elif quoted and char == "\\":
            skip = True
        elif char == '"':
            quoted = not quoted
        elif char == "#" and not quoted:
            return text[:at]
    return text


def _wanted(context: Context, relay: Relay) -> Iterator[Wanted]:
    site, box = context.site, context.box
    yield from CONSTANT
    yield "DataDirectory", f"/data/tor/relay{relay.number}"
    yield "SyslogIdentityTag", f"relay{relay.number}"
    yield "MetricsPort", f"127.0.0.2:{9100 + relay.number} prometheus"
    yield "Nickname", relay.nickname
    yield "OfflineMasterKey", "1" if site.relays.offline_keys else "0"
    contact = (site.relays.contact_info or _contact(site)).replace("\\", "\\\\")
    yield "ContactInfo", '"{}"'.format(contact.replace('"', '\\"'))
    if box.tor >= (0, 4, 9):
        yield "FamilyKeyDirectory", "/data/tor/family"
        if site.relays.family.ids:
            yield "FamilyId", "*"
    for member in site.relays.family.members:
        yield "MyFamily", member
    for address in relay.listen:
        yield "Address", str(address)
        only = "IPv4Only" if address.version == 4 else "IPv6Only"
        yield "ORPort", f"{_spelled(address)}:{relay.port} {only}"
        yield "OutboundBindAddressOR", _spelled(address)
    for address in relay.source:
        yield "OutboundBindAddressExit", _spelled(address)
    for address in relay.notice:
        yield "DirPort", f"{_spelled(address)}:80 NoAdvertise"
    if any(relay.notice):
        yield "DirPortFrontPage", "/usr/local/etc/tor/exit-notice.html"
    yield "IPv6Exit", "1" if relay.source.v6 else "0"
    yield from _exit_policy(site, relay.number)
    yield "NumCPUs", Number(1, max(box.cores, 1))
    yield "MaxMemInQueues", Number(256, 8192, " MB")
    if site.relays.bandwidth_mbit:
        yield "RelayBandwidthRate", f"{site.relays.bandwidth_mbit} MBits"
        yield "RelayBandwidthBurst", f"{site.relays.bandwidth_mbit} MBits"


def _exit_policy(site: Site, number: int) -> Iterator[Wanted]:
    """Own and neighbouring networks cannot be reached; then what the site lets out."""
    connected = [interface.network for port in site.ports for interface in port.addresses]
    near = (*site.scopes, *connected, *site.management.networks)
    for network in dict.fromkeys(near):
        if network.version == 4:
            yield "ExitPolicy", f"reject {network}:*"
        else:
            yield "ExitPolicy", f"reject6 [{network.network_address}]/{network.prefixlen}:*"
    for destination in site.relays.block:
        six = "6" if "[" in destination else ""
        yield "ExitPolicy", f"reject{six} {destination}"
    policy, rules = site.relays.policy, site.relays.rules
    for own in site.relays.policies:
        if number in own.relays:
            policy, rules = own.policy, own.rules
    match policy:
        case Policy.REDUCED:
            yield "ReducedExitPolicy", "1"
        case Policy.WEB:
            for rule in ("accept *:80", "accept *:443", "reject *:*"):
                yield "ExitPolicy", rule
        case Policy.OWN:
            for rule in (*rules, "reject *:*"):
                yield "ExitPolicy", rule


def _contact(site: Site) -> str:
    """ContactInfo in the form of CIISS 2."""
    operator = site.operator
    mail, abuse = (text.replace("@", "[]") for text in (operator.contact, operator.abuse))
    number = "" if site.asn is None else f" asn:{site.asn}"
    return f"email:{mail} url:{operator.url} proof:uri-rsa abuse:{abuse}{number} ciissversion:2"


def _spelled(address: Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)
