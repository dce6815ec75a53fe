"""The resolver: who may ask, where its questions come from, what it keeps (unbound.conf(5))."""

import ipaddress
from collections.abc import Iterator

from firstboot.site.render import Rendered
from firstboot.site.verify.address_roles import (
    AddressRoles,
    address_of,
    network_of,
    numbered,
    within,
)
from firstboot.site.verify.context import Context, Flaw

CLAUSES = ("server", "remote-control")
"""All that a resolver needs that asks the authorities itself."""

RECORDS = ("log-queries", "log-replies", "log-servfail", "log-local-actions", "dnstap-enable")
"""Options that write down what users look up."""

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    roles = context.roles
    sources = set()
    for line, said in numbered(file.text):
        key, _, value = (part.strip() for part in said.partition(":"))
        value = value.strip('"')
        for reason in _reasons(key, value, roles):
            yield Flaw(file.path, line, reason)
        if key == "outgoing-interface" and (address := address_of(value)):
            sources.add(address.version)
    for version in sorted({scope.version for scope in roles.scopes} - sources):
        yield Flaw(
            file.path,
            1,
            f"no outgoing-interface for IPv{version}: the kernel would take the address of the "
            "port that a question leaves by",
        )


def _reasons(key: str, value: str, roles: AddressRoles) -> Iterator[str]:
    address = address_of(value)
    if key == "auth-zone":
        yield "zones are fetched from whatever address the kernel picks, never outgoing-interface"
    elif not value and key not in CLAUSES:
        yield f"the clause {key} has no place in a resolver that asks the authorities itself"
    elif key.startswith(("forward-", "stub-")):
        yield f"{key}: questions go to the authorities, never to a forwarder"
    elif key == "outgoing-interface":
        if address is None:
            yield f"outgoing-interface {value} is no address"
        elif reason := roles.foreign(address):
            yield f"questions would come from a foreign address: {reason}"
        elif address in roles.exits | roles.listening:
            yield f"{address} is a relay's: authorities drop questions from exits"
    elif key == "interface":
        if address is None or not (address.is_loopback or address in roles.lan):
            yield f"it would listen on {value}, which is neither the loopback nor a LAN port"
    elif key == "access-control":
        yield from _access(value, roles)
    elif key in RECORDS and value != "no":
        yield f"{key} would write down what users look up"
    elif key == "verbosity" and value not in ("0", "1"):
        yield f"verbosity {value} writes down what users look up"
    elif key == "control-interface" and not value.startswith("/"):
        yield f"the remote control would listen on {value} and not on a local socket"


def _access(value: str, roles: AddressRoles) -> Iterator[str]:
    who, _, verdict = value.rpartition(" ")
    network = network_of(who.strip())
    if network is None:
        yield f"access-control {value} names no network"
    elif verdict.startswith("allow") and not within(network, (*LOOPBACK, *roles.scopes)):
        yield f"strangers in {network} could use the resolver"
