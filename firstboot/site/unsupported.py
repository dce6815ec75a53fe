"""What real networks have and a site cannot say, or says with another word: the reason, and what to
do instead. A table for mistakes of form, by the place and the word."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from firstboot.core.fault import Fault, quote


@dataclass(frozen=True, slots=True)
class Instead:
    """What to do instead of writing a word. Without a `reason`, the word is another one for
    something that the site does have."""

    remedy: str
    reason: str = ""


TWO_TAGS = Instead(
    "Ask the carrier to hand it over with one tag, or let a switch take the outer one off",
    "a port has one VLAN tag, and two (QinQ, IEEE 802.1ad) are not supported",
)

CUSTOMER = Instead(
    "Remove the peer; a machine of the operator's own is on a LAN port",
    "networks that buy transit of this one are not supported: nothing but the own scopes is "
    "announced, and packets of others are dropped",
)

INTERNAL = Instead(
    "Write twin for that one, and remove all others",
    "iBGP is spoken with the other box of two alone",
)

SOURCE = Instead(
    "Remove it; if the peer's address is a loopback, name the router that leads there: gateway",
    "a session has the address of its port and no other",
)

WORDS: Mapping[str, Mapping[str, Instead]] = {
    "ports": dict.fromkeys(("qinq", "outer_vlan", "inner_vlan", "svlan", "cvlan"), TWO_TAGS),
    "ports.role": {
        **dict.fromkeys(("upstream", "uplink", "wan", "internet", "provider"),
                        Instead("Write transit")),
        **dict.fromkeys(("ix", "ixp", "peering"), Instead("Write exchange")),
        **dict.fromkeys(("mgmt", "oob", "admin"), Instead("Write management")),
        **dict.fromkeys(("peer", "pni", "private"), Instead(
            "Write transit for a private interconnection, whose peer has the role peer, and "
            "exchange for an exchange"
        )),
        **dict.fromkeys(("customer", "downstream"), CUSTOMER),
    },
    "peers.role": {
        **dict.fromkeys(("upstream", "provider"), Instead("Write transit")),
        **dict.fromkeys(("pni", "peering", "bilateral"), Instead("Write peer")),
        **dict.fromkeys(("rs", "mlpe", "mlp"), Instead("Write route-server")),
        **dict.fromkeys(("customer", "downstream", "client"), CUSTOMER),
        **dict.fromkeys(("ibgp", "internal", "rr", "route-reflector"), INTERNAL),
    },
    "peers": {
        **dict.fromkeys(("local_address", "update_source", "source", "source_address"), SOURCE),
        **dict.fromkeys(("multihop", "ebgp_multihop", "ttl"),
                        Instead("Write hops, and the router that leads there with gateway")),
        "bfd": Instead("Remove it", "OpenBGPD does not speak BFD"),
    },
    "relays.policy": dict.fromkeys(
        ("none", "no-exit", "middle", "guard", "reject"),
        Instead("Write own, and rules: ['reject *:*']"),
    ),
}  # fmt: skip
"""By the path of a key, unknown keys in it or the words that stand for its value."""

STACKED = re.compile(r"'[0-9]{1,4} ?[./:,] ?[0-9]{1,4}'|there is a list")
"""How people write two tags as the value of ``vlan``."""


def explained(faults: Iterable[Fault]) -> list[Fault]:
    """`faults` of a site file, those about such words with the reason and the remedy."""
    return [next(_instead(fault), fault) for fault in faults]


def _instead(fault: Fault) -> Iterator[Fault]:
    path = ".".join(part for part in fault.key if isinstance(part, str))
    if path == "ports.vlan" and STACKED.search(fault.problem):
        yield replace(fault, problem=TWO_TAGS.reason, remedy=TWO_TAGS.remedy)
    for word, instead in WORDS.get(path, {}).items():
        if fault.problem.startswith((quote(word), f"the key {quote(word)}")):
            yield replace(fault, problem=instead.reason or fault.problem, remedy=instead.remedy)
