"""The peers: the networks that speak BGP to this one."""

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_interface

from firstboot.core.document import Plain
from firstboot.core.values import Interface
from firstboot.wizard.prompts import OneOf, Option, Secret, Words, YesOrNo
from firstboot.wizard.question import Question, Section, Situation, choices, fixed
from firstboot.wizard.sections.kind import with_bgp

ROLES = (
    Option("transit", "an upstream: sends routes to the whole Internet"),
    Option("peer", "sends its own routes and those of its customers"),
    Option("route-server", "of an exchange: sends the routes of its members"),
    Option("twin", "the other of two boxes of yours, by iBGP"),
)


ROUTES = (
    Option("full", "the routes to the whole Internet, and no default route"),
    Option("default", "a default route"),
    Option("static", "nothing: give this box a static default route by it"),
)


def _is_transit(situation: Situation) -> bool:
    return situation.here("role") == "transit"


def _is_far(situation: Situation) -> bool:
    """Whether a transit has an address that is in the network of no port."""
    if not _is_transit(situation):
        return False
    networks = [one.network for port in situation.each("ports", "addresses") for one in _read(port)]
    return any(
        not any(one.ip in network for network in networks)
        for one in _read(situation.here("addresses"))
    )


def _read(addresses: Plain) -> Iterator[Interface]:
    """The addresses of an answer, without what is none."""
    for one in addresses if isinstance(addresses, list) else ():
        with suppress(ValueError):
            yield ip_interface(str(one))


def _is_twin(situation: Situation) -> bool:
    return situation.here("role") == "twin"


def _is_a_stranger(situation: Situation) -> bool:
    return not _is_twin(situation)


def _asn(situation: Situation) -> Plain:
    return situation.site("asn") if _is_twin(situation) else None


def _next_role(situation: Situation) -> Plain:
    return "peer" if "transit" in situation.each("peers", "role") else "transit"


def _name(situation: Situation) -> Plain:
    role = str(situation.here("role"))
    word = {"transit": "upstream", "route-server": "route-server"}.get(role)
    return word if word not in situation.each("peers", "name") else None


SECTION = Section(
    "peers",
    "The peers",
    "The routers that speak BGP to this box: your upstreams, the route servers of exchanges, and "
    "networks that agreed to peer with you. Type paste to paste many, one a line.",
    (
        Question(
            ("role",),
            "What kind of peer",
            "It decides which routes the box takes: from transits all of them, from peers and "
            "route servers up to a limit and never those of your upstreams. The box announces your "
            "own prefixes to all of them, and nothing else.",
            form=OneOf(options=ROLES),
            options=choices(*ROLES),
            default=_next_role,
        ),
        Question(
            ("name",),
            "Name for this peer",
            "Your own name for it. Rules, graphs and messages use it.",
            example="upstream-a",
            default=_name,
        ),
        Question(
            ("asn",),
            "Its AS number",
            "The AS number of that network. The other box of yours has your own.",
            example="64496",
            default=_asn,
        ),
        Question(
            ("addresses",),
            "Addresses of its router",
            "One address of each family that the peer uses, in the network of the port that leads "
            "to it.",
            hint="without prefix lengths",
            example="192.0.2.1 2001:db8:100::1",
            form=Words(),
        ),
        Question(
            ("gateway",),
            "Router on the link that leads to it",
            "The peer's address is in the network of none of your ports. If it is a loopback "
            "several hops away (multihop), packets go there by a router on the link of a transit "
            "port: one address of each family. If the address was a mistake, type back.",
            hint="without prefix lengths",
            example="192.0.2.1 2001:db8:100::1",
            form=Words(),
            when=_is_far,
        ),
        Question(
            ("hops",),
            "Hops to it at most",
            "2 for a loopback of the router on the link, and of a router right behind that; one "
            "more for each further router.",
            example="2",
            default=fixed("2"),
            when=_is_far,
        ),
        Question(
            ("networks",),
            "Its part of your prefixes",
            "The addresses that the other box has; this one has the rest. Half of each prefix, for "
            "instance. At the other box, you name what this one has.",
            hint="one or more prefixes",
            example="198.51.100.128/25 2001:db8:ee:8000::/49",
            form=Words(),
            when=_is_twin,
        ),
        Question(
            ("routes",),
            "What it sends",
            "Of a transit, the box takes the whole table or the default route, and nothing else. "
            "With static, it takes nothing, and sends everything that no peer has a route for to "
            "this router; nobody notices then that the router has lost the Internet.",
            form=OneOf(options=ROUTES),
            options=choices(*ROUTES),
            default=fixed("full"),
            when=_is_transit,
        ),
        Question(
            ("md5",),
            "Secret of the session",
            "Type or paste the secret for TCP's MD5 signatures (RFC 2385), if you agreed on one "
            "with the peer: 16 to 80 characters that nobody can guess, different for each peer. "
            "This makes one:\n  openssl rand -base64 18 | tr +/ xy",
            hint="not shown; or none",
            form=Secret(),
            optional=True,
            default=fixed(None),
        ),
        Question(
            ("gtsm",),
            "Refuse packets from afar by their TTL",
            "Answer yes only if you agreed on it with the peer (GTSM, RFC 5082). Both ends must do "
            "it, or the session does not come up.",
            hint="yes or no",
            form=YesOrNo(),
            default=fixed("no"),
            when=_is_a_stranger,
        ),
        Question(
            ("max_prefix",),
            "Most routes that are taken",
            "When the peer sends more routes, it leaks, and the session is closed. PeeringDB has "
            "the number of most peers. With none, the limit suits the peer's role.",
            hint="or none",
            example="2000",
            optional=True,
            default=fixed(None),
        ),
        Question(
            ("irr",),
            "Its object in a routing registry",
            "The as-set or AS number that lists the peer's routes, as PeeringDB has it.",
            hint="or none",
            example="AS-EXAMPLE",
            optional=True,
            default=fixed(None),
            when=_is_a_stranger,
        ),
        Question(
            ("blackhole",),
            "Community for floods",
            "When an address of yours is flooded, exitisp blackhole asks the transit to drop all "
            "that goes to it, by this community. Many take 65535:666 (RFC 7999), others their own; "
            "ask it. With none it is never asked.",
            hint="or none",
            example="65535:666",
            optional=True,
            default=fixed(None),
            when=_is_transit,
        ),
    ),
    item="peer",
    when=with_bgp,
)
