"""The relays: where they listen, what they send from, what Tor takes and then ignores (tor(1))."""

from collections.abc import Iterator

from firstboot.core.values import Address
from firstboot.site.render import Rendered
from firstboot.site.verify.address_roles import AddressRoles, address_of, numbered
from firstboot.site.verify.context import Context, Flaw

SENDING = {"OutboundBindAddressOR": "listening", "OutboundBindAddressExit": "exits"}
CLOSED = ("SocksPort", "ControlPort", "TransPort", "NATDPort", "DNSPort", "HTTPTunnelPort")
IGNORED = {
    "Sandbox": "is for Linux alone; Tor takes it elsewhere and does nothing",
    "OutboundBindAddress": "is overridden by the two that say for what",
    "OutboundBindAddressPT": "is for bridges",
}
"""Accepted by tor --verify-config, without the effect that its reader expects."""


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    roles = context.roles
    sources: dict[str, set[int]] = {key: set() for key in SENDING}
    seen = set()
    for line, said in numbered(file.text):
        key, _, value = (part.strip() for part in said.partition(" "))
        seen.add(key)
        for reason in _reasons(key, value, roles):
            yield Flaw(file.path, line, reason)
        if key in SENDING and (address := address_of(value)):
            sources[key].add(address.version)
    for key, versions in sources.items():
        for version in sorted({scope.version for scope in roles.scopes} - versions):
            yield Flaw(
                file.path,
                1,
                f"no {key} for IPv{version}: the kernel would take the address of the port that a "
                "packet leaves by",
            )
    if "ServerDNSResolvConfFile" not in seen:
        yield Flaw(file.path, 1, "no ServerDNSResolvConfFile: names would be asked of whom else?")


def _reasons(key: str, value: str, roles: AddressRoles) -> Iterator[str]:
    if key in IGNORED:
        yield f"{key} {IGNORED[key]}"
    elif key in SENDING:
        address = address_of(value)
        if address is None:
            yield f"{key} {value} is no address"
        elif reason := roles.foreign(address):
            yield f"{key}: {reason}"
        elif address in roles.resolver:
            yield f"{key}: {address} is where the resolver's questions come from"
        elif key == "OutboundBindAddressExit" and address in roles.listening - roles.exits:
            yield f"{key}: {address} is where other relays connect to"
    elif key in ("ORPort", "DirPort"):
        address = _listener(value)
        if address is None:
            yield f"{key} {value} names no address, so it would listen on every port"
        elif reason := roles.foreign(address):
            yield f"{key}: {reason}"
    elif key in CLOSED and value != "0":
        yield f"{key} {value} would listen for more than relays"
    elif key == "MetricsPort":
        address = _listener(value)
        if address is None or not address.is_loopback:
            yield f"MetricsPort {value} would listen outside of the loopback"
    elif key == "Schedulers" and "KISTLite" not in value.split(","):
        yield f"Schedulers {value}: KIST needs Linux"
    elif key == "SafeLogging" and value != "1":
        yield f"SafeLogging {value} would write down addresses of users"
    elif key == "Log" and value.split(" ", 1)[0].split("-")[0] in ("debug", "info"):
        yield f"Log {value} would write down what users do"


def _listener(value: str) -> Address | None:
    """The address of ``ADDRESS:PORT FLAGS``; None if there is only a port."""
    place = value.split(" ", 1)[0]
    return address_of(place.rpartition(":")[0]) if ":" in place else None
