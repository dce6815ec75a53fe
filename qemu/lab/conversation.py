"""The wizard's conversation as data: questions and answers.

Tests and the lab play it to the wizard in a process, in a pseudo-terminal, and over the serial line
of a box.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, Protocol

from firstboot.core.keys import default_of, name_of
from firstboot.site.model import Alarm, Peer, PeerRole, Port, PortRole, Routes, Site
from firstboot.site.registries import is_private
from firstboot.wizard.terminal import MORE
from firstboot.wizard.unasked import PAPERS, UNASKED

Turn = tuple[str, str]
"""A part of a question, and the line that is typed as the answer."""

PASSWORD = "korund-Flieder-77-tausend"  # noqa: S105  of machines that end with their test or lab

MANY = 6
"""More peers than these are pasted, not answered one question at a time."""

ITS_NUMBER = "Its AS number"
PORTS_MENU = "add, change N, remove N or done"

BEGIN: Turn = ("Press Enter to begin", "")
SAVE: Turn = ("save, change, start over or quit", "save")


class Expecter(Protocol):
    """Whatever the conversation is typed at."""

    def expect(self, texts: Sequence[str]) -> int:
        """Wait until one of `texts` is printed, and return its index."""

    def send(self, line: str) -> None:
        """Type `line` and Enter."""


def play(expecter: Expecter, script: Iterable[Turn]) -> None:
    """Answer all questions of `script`, and turn the pages in between."""
    for prompt, answer in script:
        while expecter.expect([prompt, MORE]) == 1:
            expecter.send("")
        expecter.send(answer)


def conversation(site: Site) -> list[Turn]:
    """Return all that a person types on a new box so that it gets `site`."""
    return [BEGIN, *questions(site), SAVE]


def asked(site: Site) -> Site:
    """The site that the conversation makes: `site` without what the wizard asks nobody for on a
    first boot."""
    return _without(site, UNASKED)


def without_papers(site: Site) -> Site:
    """`site` without what only papers need, of which a box takes no notice."""
    return _without(site, PAPERS)


def _without(site: Site, paths: Iterable[str]) -> Site:
    for path in paths:
        site = _at_default(site, path.split("."))
    return site


def _at_default(value: Any, path: Sequence[str]) -> Any:
    """A part of a site, with the default for the key at `path`, in each entry of a list."""
    if isinstance(value, tuple):
        return tuple(_at_default(one, path) for one in value)
    name, *rest = path
    if rest:
        return replace(value, **{name: _at_default(getattr(value, name), rest)})
    (field,) = (one for one in fields(value) if name_of(one) == name)
    return replace(value, **{field.name: default_of(field)})


def questions(site: Site) -> list[Turn]:
    """Return the questions with the answers that make `site`, without beginning and end."""
    operator, relays = site.operator, site.relays
    turns: list[Turn] = [
        ("Whose addresses", site.addresses.value),
        ("Name of the operator", operator.name),
        ("Mail address for complaints", operator.abuse),
        ("Mail address for other operators", operator.contact),
        ("Web page of the operator", operator.url),
        ("Country whose law applies", operator.jurisdiction),
    ]
    numbers = [] if site.asn is None else [("Your AS number", str(site.asn))]
    numbers.append(("Your prefixes", words(site.scopes)))
    turns += [numbers[0], *waived(site, "documentation", numbers[0][0]), *numbers[1:]]
    for port in site.ports:
        prompt = "add or done" if port is site.ports[0] else "add, change N"
        turns += [(prompt, "add"), *of(port, site)]
    turns += [(PORTS_MENU, "done"), *waived(site, "no_management", PORTS_MENU)]
    if len(site.peers) > MANY:
        pasted = [*map(pasted_line, site.peers), ""]
        turns.append(("add, paste or done", "paste"))
        turns += [(f"{number:4}>", line) for number, line in enumerate(pasted, 1)]
    else:
        private = next((peer for peer in site.peers if is_private(peer.asn)), None)
        for peer in site.peers:
            prompt = "add, paste or done" if peer is site.peers[0] else "add, paste, change N"
            refused = waived(site, "private_asn", ITS_NUMBER) if peer is private else ()
            turns += [(prompt, "add"), *about(peer, refused)]
    if not site.provided:
        turns.append(("add, paste, change N, remove N or done", "done"))
    turns += [
        ("How many relays", str(relays.count)),
        ("Their names", relays.nickname),
        ("What the exits let out", relays.policy.value),
    ]
    if relays.rules:
        turns += lines("Rules (one a line", relays.rules)
    by_hand = bool(
        site.router
        or site.dns.addresses
        or site.dns.cache_mib
        or relays.or_addresses
        or relays.exit_addresses
    )
    turns += [
        ("Limit of each relay", said(relays.bandwidth_mbit)),
        ("ContactInfo", said(relays.contact_info)),
        ("Family ids", words(relays.family.ids)),
        ("Fingerprints of your relays", words(relays.family.members)),
        ("How strict the resolver is", site.dns.strictness.value),
        ("Time servers", words(site.clock.servers)),
        *alarms(site.alarm),
        *lines("SSH public keys", site.management.keys),
        ("Networks that administrators come from", words(site.management.networks)),
        ("Give some of them by hand", "yes" if by_hand else "no"),
    ]
    if by_hand:
        turns += [
            ("Addresses of the router", words(site.router)),
            ("Addresses of the resolver", words(site.dns.addresses)),
            ("Addresses where relays listen", words(relays.or_addresses)),
            ("Addresses that exit traffic comes from", words(relays.exit_addresses)),
            ("Memory for the resolver's answers", said(site.dns.cache_mib)),
        ]
    return [*turns, ("Password of root", PASSWORD), ("The same again", PASSWORD)]


def waived(site: Site, rule: str, prompt: str) -> list[Turn]:
    """What is typed after the refused answer at `prompt`, if `site` sets the rule aside."""
    reason = site.waivers.get(rule)
    return [(prompt, "waive"), ("Why may that be", reason)] if reason else []


def of(port: Port, site: Site) -> list[Turn]:
    """Return the questions about a port."""
    turns = [
        ("Network card [", port.device) if port.device else ("Network card", ""),
        *([("Cards of the bundle", words(port.members))] if port.members else []),
        ("What it leads to", port.role.value),
        ("Name for this port", port.name),
        ("VLAN tag", said(port.vlan)),
        ("Addresses of this port", words(port.addresses)),
    ]
    if port.role is PortRole.MANAGEMENT or (site.provided and port.role is PortRole.TRANSIT):
        turns.append(("Router on this link", words(port.gateway)))
    turns.append(("Largest packet", str(port.mtu)))
    if port.role is PortRole.EXCHANGE:
        turns.append(("Ethernet address for the exchange", said(port.mac)))
    return turns


def about(peer: Peer, refused: Iterable[Turn] = ()) -> list[Turn]:
    """Return the questions about a peer; `refused` is what is typed if its AS number is."""
    transit, twin = peer.role is PeerRole.TRANSIT, peer.role is PeerRole.TWIN
    return [
        ("What kind of peer", peer.role.value),
        ("Name for this peer", peer.name),
        (ITS_NUMBER, str(peer.asn)),
        *refused,
        ("Addresses of its router", words(peer.addresses)),
        *(
            [("Router on the link", words(peer.gateway)), ("Hops to it", str(peer.hops))]
            if peer.gateway
            else []
        ),
        *([("Its part of your prefixes", words(peer.networks))] if twin else []),
        *([("What it sends", peer.routes.value)] if transit else []),
        ("Secret of the session", said(peer.md5)),
        *([] if twin else [("Refuse packets from afar", "yes" if peer.gtsm else "no")]),
        ("Most routes that are taken", said(peer.max_prefix)),
        *([] if twin else [("Its object in a routing registry", said(peer.irr))]),
        *([("Community for floods", said(peer.blackhole))] if transit else []),
    ]


def pasted_line(peer: Peer) -> str:
    """A peer as the line that is pasted for it."""
    options = [f"md5={peer.md5}"] if peer.md5 else []
    options += ["gtsm"] if peer.gtsm else []
    options += [f"max={peer.max_prefix}"] if peer.max_prefix else []
    options += [f"irr={peer.irr}"] if peer.irr else []
    if peer.routes is not Routes.FULL:
        options.append(f"routes={peer.routes.value}")
    options += [f"blackhole={peer.blackhole}"] if peer.blackhole else []
    if peer.gateway:
        options += [f"gateway={comma(peer.gateway)}", f"hops={peer.hops}"]
    options += [f"networks={comma(peer.networks)}"] if peer.networks else []
    return f"{peer.name} {peer.asn} {peer.role.value} {words([*peer.addresses, *options])}"


def lines(prompt: str, values: Iterable[str]) -> list[Turn]:
    """Return the turns for values on a line each, and the empty line that ends them."""
    first, *more = values
    return [(prompt, first), *(((">"), value) for value in more), (">", "")]


def alarms(alarm: Alarm) -> list[Turn]:
    """Return the questions about who is told when something is wrong."""
    mail, turns = alarm.mail, [("Mail relay for alarms", said(alarm.mail.relay))]
    if mail.relay:
        turns += [("Who gets these mails", words(mail.to))]
        turns += [("Account at the mail relay", said(mail.user))]
    if mail.password:
        turns.append(("Password of that account", mail.password))
    return [*turns, ("Webhook for alarms", said(alarm.webhook.url))]


def words(values: Iterable[object]) -> str:
    return " ".join(map(str, values)) or "none"


def comma(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def said(value: object) -> str:
    return "none" if value is None else str(value)
