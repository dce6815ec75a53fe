"""What was said so far, as a table for people: no more than 75 columns, no secrets."""

import textwrap
from collections.abc import Iterable, Iterator

from firstboot.core.document import Plain
from firstboot.site.rules.ssh_key import SshKey
from firstboot.wizard.draft import Tree

WIDTH = 75
LABEL = 18
"""Columns of what stands before the values."""

LONGEST_LABEL = 40

NOT_YET = "-"


def summary(answers: Tree, kind: str = "") -> str:
    """Return a table of `answers`, which may be incomplete. A `kind` of machine heads it."""
    head = [f"{kind}: not a release, and not for the Internet."] if kind else []
    return "\n".join([*head, *_lines(answers)])


def ports(answers: Tree) -> list[str]:
    """What is known of each port, in a line or two each."""
    return [_entry(port, _port(port)) for port in _parts(answers, "ports")]


def peers(answers: Tree) -> list[str]:
    """What is known of each peer, in a line or two each."""
    return [_entry(peer, _peer(peer)) for peer in _parts(answers, "peers")]


def _lines(answers: Tree) -> Iterator[str]:
    operator, relays, family = (
        _part(answers, "operator"),
        _part(answers, "relays"),
        _part(_part(answers, "relays"), "family"),
    )
    dns, management = _part(answers, "dns"), _part(answers, "management")
    yield "Operator"
    yield _row("name", operator.get("name"))
    yield _row("complaints", operator.get("abuse"))
    yield _row("other operators", operator.get("contact"))
    yield _row("web page", operator.get("url"))
    yield _row("law of", operator.get("jurisdiction"))
    yield "Network"
    yield _row("AS number", answers.get("asn"))
    yield _row("prefixes", answers.get("scopes"))
    yield "Ports"
    yield from ports(answers) or ["  none yet"]
    yield "Peers"
    yield from peers(answers) or ["  none yet"]
    yield "Relays"
    yield _row("how many", relays.get("count"))
    yield _row("names", relays.get("nickname"))
    yield _row("let out", relays.get("policy"))
    yield from _given("rules", relays.get("rules"))
    yield from _given("limit, Mbit/s", relays.get("bandwidth_mbit"))
    yield from _given("contact", relays.get("contact_info"))
    yield from _given("family ids", family.get("ids"))
    yield from _given("family members", family.get("members"))
    yield "Services"
    yield _row("resolver", dns.get("strictness"))
    yield _row("time servers", _part(answers, "clock").get("servers"))
    yield from _given("releases", _part(answers, "upgrade").get("url"))
    yield "Management"
    yield _row("keys", [_key(str(key)) for key in _list(management.get("keys"))], ", ")
    yield _row("from", management.get("networks"))
    yield from _by_hand(answers)
    performance = _part(answers, "performance")
    for title, entries in (
        ("Kernel", _part(performance, "settings")),
        ("Profiles", _part(performance, "profiles")),
        ("Rules set aside", _part(answers, "waivers")),
    ):
        if entries:
            yield title
        for name, value in entries.items():
            yield _row(name, value)


def _by_hand(answers: Tree) -> Iterator[str]:
    relays, dns = _part(answers, "relays"), _part(answers, "dns")
    lines = [
        *_given("router", answers.get("router")),
        *_given("resolver", dns.get("addresses")),
        *_given("relays listen", relays.get("or_addresses")),
        *_given("exits", relays.get("exit_addresses")),
        *_given("cache, MiB", dns.get("cache_mib")),
    ]
    if lines:
        yield "By hand"
        yield from lines


def _port(port: Tree) -> Iterator[str]:
    device, vlan = port.get("device"), port.get("vlan")
    yield f"{port.get('role') or NOT_YET}"
    yield f"on {device}" + (f", VLAN {vlan}" if vlan else "")
    yield _joined(port.get("addresses"))
    if port.get("gateway"):
        yield f"router {_joined(port.get('gateway'))}"
    if port.get("mtu") not in (None, "1500"):
        yield f"MTU {port.get('mtu')}"
    if port.get("mac"):
        yield f"Ethernet address {port.get('mac')}"


def _peer(peer: Tree) -> Iterator[str]:
    yield f"{peer.get('role') or NOT_YET}"
    yield f"AS{str(peer.get('asn') or '?').removeprefix('AS')}"
    yield _joined(peer.get("addresses"))
    if peer.get("md5"):
        yield "signed"
    if peer.get("gtsm") == "yes":
        yield "GTSM"
    if peer.get("max_prefix"):
        yield f"{peer.get('max_prefix')} routes at most"
    if peer.get("irr"):
        yield f"{peer.get('irr')}"


def _key(text: str) -> str:
    try:
        key = SshKey.parse(text)
    except ValueError:
        return "no key"
    return key.comment or key.kind


def _entry(part: Tree, facts: Iterable[str]) -> str:
    return _row(str(part.get("name") or "(no name)"), "; ".join(fact for fact in facts if fact))


def _given(label: str, value: Plain) -> list[str]:
    """A row for what is not left to its default."""
    return [_row(label, value)] if value else []


def _row(label: str, value: Plain, between: str = " ") -> str:
    text = _joined(value, between) or NOT_YET
    start = f"  {' '.join(label.split())[:LONGEST_LABEL]:{LABEL - 3}} "
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * LABEL,
        break_on_hyphens=False,
    )


def _joined(value: Plain, between: str = " ") -> str:
    if isinstance(value, list):
        return between.join(str(item) for item in value)
    return "" if value is None else str(value)


def _part(tree: Tree, name: str) -> Tree:
    found = tree.get(name)
    return found if isinstance(found, dict) else {}


def _parts(tree: Tree, name: str) -> list[Tree]:
    return [item for item in _list(tree.get(name)) if isinstance(item, dict)]


def _list(value: Plain) -> list[Plain]:
    return value if isinstance(value, list) else []
