"""A site as the YAML file that it is read from, with a comment for every key.

What a site leaves to its default is there as a comment, so that the file says what could be said.
`site.load` of what `compose` wrote gives an equal site. Texts are quoted wherever YAML would read
something else in them; secrets always are.
"""

import dataclasses
import re
import textwrap
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

import yaml

from firstboot.site.model import Site

WIDTH = 98
SHORT = 90
"""Characters of a list in one line."""

HEADER = """\
The site: everything that makes this exit ISP this one. Every daemon's configuration follows from
this file and is never edited itself. `./exitisp check` judges the file, `./exitisp render` shows
what follows from it. It holds secrets: keep its mode at 0600.
"""

EXPLAINED = {
    "schema": "Version of this file's form.",
    "operator": "Who runs this network, and how they are reached. All of it is public.",
    "operator.name": "As registries and the exit notice have it.",
    "operator.abuse": "Electronic mail address that complaints go to.",
    "operator.contact": "Electronic mail address that other operators use.",
    "operator.url": "Where people read what this operator does.",
    "operator.jurisdiction": "Whose law applies.",
    "asn": "The own autonomous system number.",
    "scopes": "The own address space, announced to everybody: /24 or larger, /48 or larger. The "
    "first of each family has the addresses of the plan.",
    "ports": "Network ports of the box: transit, exchange and LAN ports as there are, one port for "
    "management.",
    "ports.name": "What people call it.",
    "ports.device": "The driver and the number, as `ifconfig -l` lists them on the box: ix0.",
    "ports.role": "transit (to an upstream), exchange, lan (other machines of the operator) or "
    "management (on a routing table of its own).",
    "ports.addresses": "With prefix lengths. A LAN's are in the scopes, all others are not.",
    "ports.gateway": "Of the management port alone: the way out of its routing table.",
    "ports.mtu": "Size of a packet in bytes; exchanges say theirs.",
    "ports.vlan": "IEEE 802.1Q tag, 1 to 4094, if the port is a VLAN of the device.",
    "ports.mac": "Ethernet address that the exchange has on file; of exchange ports alone.",
    "peers": "Networks that speak BGP to this one.",
    "peers.name": "What people call it.",
    "peers.asn": "Its autonomous system number.",
    "peers.role": "transit (sends the whole Internet), peer (sends its own and its customers') or "
    "route-server (of an exchange).",
    "peers.addresses": "Of its router, one of each family, in the network of a port.",
    "peers.md5": "Secret of TCP's MD5 signatures (RFC 2385): 16 to 80 characters nobody guesses.",
    "peers.gtsm": "Whether IPv4 packets from afar are refused by their TTL (RFC 5082); both ends "
    "have to agree.",
    "peers.max_prefix": "Routes taken before the session is closed; left out, what suits the role.",
    "peers.irr": "Object of a routing registry that lists the peer's routes: AS-EXAMPLE.",
    "relays": "The Tor exit relays of the box.",
    "relays.count": "How many, about one a core. Eight share an IPv4 address.",
    "relays.nickname": "{n} is the number of the relay; 19 letters and digits at most.",
    "relays.contact_info": "In the form of CIISS; left out, it is made from the operator's.",
    "relays.policy": "What exits let out: reduced (Tor's reduced policy), web (ports 80 and 443), "
    "default (Tor's) or own (the rules).",
    "relays.rules": "Of the policy own, the first that fits decides: accept *:443.",
    "relays.bandwidth_mbit": "Of each relay, in Mbit/s; left out, no limit.",
    "relays.family": "Relays that belong together, so that no circuit passes two of them.",
    "relays.family.ids": "Public parts of family keys, as `tor --keygen-family` prints them.",
    "relays.family.members": "Fingerprints of relays elsewhere that know no family keys.",
    "relays.or_addresses": "Where other relays connect to, in place of the plan's: one of each "
    "family for every eight relays.",
    "relays.exit_addresses": "Where exit traffic comes from, in place of the plan's: one of each "
    "family for every eight relays.",
    "dns": "The resolver.",
    "dns.strictness": "documents (the strictest, some misconfigured names do not resolve) or "
    "compatible.",
    "dns.cache_mib": "Memory for answers in MiB; left out, what suits the box.",
    "dns.addresses": "Where questions come from, in place of the plan's: one of each family, used "
    "for nothing else.",
    "router": "The box's own addresses in place of the plan's, one of each family.",
    "management": "Who may log in, from where.",
    "management.keys": "SSH public keys, one line each; two administrators at least.",
    "management.networks": "Networks that log-ins may come from; nobody else is let in.",
    "performance": "How the kernel is tuned, where the profiles of its hardware do not fit.",
    "performance.profiles": "By device: none, for a port that no profile is to touch.",
    "performance.settings": "By sysctl(8)'s name: numbers in place of those that a profile sets.",
    "upgrade": "Where new releases come from.",
    "upgrade.url": "Where they are announced; left out, upgrades are by hand.",
    "clock": "The time of day, which Tor and DNSSEC cannot do without.",
    "clock.servers": "NTP servers, by name or address.",
    "waivers": "Rules that are set aside on purpose, each with the reason: no_management (there is "
    "no management port), documentation (numbers and addresses are examples).",
}
"""What every key is for, by its path without the places in lists."""


SECRETS = ("peers.md5",)

LONGEST_KEY = 1000
"""Characters; YAML wants a question mark before keys of more than 1024."""


def compose(site: Site) -> str:
    """The file that `site` is read from. It has secrets in it: its mode is to be 0600."""
    parts = [_comment(HEADER)]
    for field in dataclasses.fields(site):
        parts.append(_field(site, field, "", explain=True, complete=False))
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _record(record: Any, path: str, explain: bool, complete: bool) -> list[str]:
    """The lines of a dataclass's fields, where `complete` asks for defaults in plain too."""
    fields = dataclasses.fields(record)
    return [line for f in fields for line in _field(record, f, f"{path}.", explain, complete)]


def _field(
    record: Any, field: dataclasses.Field[Any], prefix: str, explain: bool, complete: bool
) -> list[str]:
    name = field.name.rstrip("_")
    value = getattr(record, field.name)
    path = prefix + name
    left_out = not complete and value == _default(field)
    lines = _entry(name, value, path, explain, complete or left_out)
    if left_out:
        lines = [f"# {line}".rstrip() for line in lines] if explain else []
    return [*_comment(EXPLAINED.get(path, "")), *lines] if explain else lines


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _entry(name: str, value: Any, path: str, explain: bool, complete: bool) -> list[str]:
    if dataclasses.is_dataclass(value):
        return [f"{name}:", *_indented(_record(value, path, explain, complete))]
    if isinstance(value, dict) and value:
        return [f"{name}:", *_indented(line for pair in value.items() for line in _pair(*pair))]
    if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        return [f"{name}:", *_indented(_records(value, path, explain))]
    if isinstance(value, tuple) and value:
        items = [_scalar(item) for item in value]
        in_one_line = f"{name}: [{', '.join(items)}]"
        if len(in_one_line) <= SHORT:
            return [in_one_line]
        return [f"{name}:", *_indented(f"- {item}" for item in items)]
    if isinstance(value, str) and path in SECRETS:
        return [f"{name}: {_quoted(value)}"]
    return [f"{name}: {_scalar(value)}".rstrip()]


def _records(records: tuple[Any, ...], path: str, explain: bool) -> Iterator[str]:
    """The first one has comments and the defaults; the others are what they say."""
    for at, record in enumerate(records):
        dashed = False
        if at:
            yield ""
        for line in _record(record, path, explain and at == 0, complete=False):
            first = not dashed and not line.startswith("#")
            dashed = dashed or first
            yield f"- {line}" if first else f"  {line}" if dashed else line


def _pair(key: str, value: str) -> list[str]:
    name = _scalar(key)
    if len(name) > LONGEST_KEY:
        return [f"? {name}", f": {_scalar(value)}"]
    return [f"{name}: {_scalar(value)}"]


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return _scalar(value.value)
    if value in ((), {}):
        return "{}" if value == {} else "[]"
    text = str(value)
    return text if isinstance(value, int) or _is_plain(text) else _quoted(text)


_PLAIN = re.compile(
    r"[A-Za-z0-9/](?:[A-Za-z0-9./_@+*;()=-]|:(?=[A-Za-z0-9/*])| (?=[A-Za-z0-9*(]))*"
)


def _is_plain(text: str) -> bool:
    """Whether YAML reads `text` as itself and as text, inside of brackets too."""
    if not _PLAIN.fullmatch(text):
        return False
    guesses = yaml.SafeLoader.yaml_implicit_resolvers.get(text[0], [])
    return not any(guess.match(text) for _, guess in guesses)


def _quoted(text: str) -> str:
    return '"' + "".join(_character(char) for char in text) + '"'


def _character(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH - 6)]


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}".rstrip() for line in lines]
