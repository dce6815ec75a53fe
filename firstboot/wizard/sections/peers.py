"""The networks that speak BGP to this one: asked one by one, or pasted, one a line."""

import re

from firstboot.core.document import Plain, quote, spell
from firstboot.wizard.prompts import OneOf, Option, Secret, Words, YesOrNo
from firstboot.wizard.question import Question, Section, Situation, choices, fixed
from firstboot.wizard.terminal import Terminal
from firstboot.wizard.validate import judge

ROLES = (
    Option("transit", "an upstream: sends the whole Internet"),
    Option("peer", "sends its own and its customers' routes"),
    Option("route-server", "of an exchange: sends what its members send"),
)

PASTE = """\
One peer a line, in this order, with spaces between; an empty line ends it:

  NAME ASN ROLE ADDRESS [ADDRESS] [md5=SECRET] [gtsm] [max=ROUTES] [irr=AS-SET]

  route-server-1 64497 route-server 203.0.113.1 2001:db8:200::1
  content        65536 peer 203.0.113.20 max=2000 irr=AS-CONTENT

What is typed after md5= is not shown."""


def _next_role(situation: Situation) -> Plain:
    return "peer" if "transit" in situation.each("peers", "role") else "transit"


def _name(situation: Situation) -> Plain:
    role = str(situation.here("role"))
    word = {"transit": "upstream", "route-server": "route-server"}.get(role)
    return word if word not in situation.each("peers", "name") else None


def parse_line(line: str) -> dict[str, Plain]:
    """A peer as a line of the paste has it. Raises ValueError naming what is expected."""
    words = line.split()
    plain = [word for word in words if "=" not in word and word != "gtsm"]
    if len(plain) < 4:
        raise ValueError("a name, an AS number, a role and an address")
    name, asn, role, *addresses = plain
    if re.fullmatch("[a-z-]+", asn) and re.fullmatch("(AS)?[0-9]+", role):
        raise ValueError("the AS number before the role")
    peer: dict[str, Plain] = {
        "name": name,
        "asn": asn,
        "role": OneOf(options=ROLES).parse(role),
        "addresses": list(addresses),
        "md5": None,
        "gtsm": "yes" if "gtsm" in words else "no",
        "max_prefix": None,
        "irr": None,
    }
    keys = {"md5": "md5", "max": "max_prefix", "irr": "irr"}
    for word in words:
        option, equals, value = word.partition("=")
        if equals and option not in keys:
            raise ValueError(f"md5=, max= or irr=, not {quote(option)}")
        if equals:
            peer[keys[option]] = value
    return peer


def _after_md5(typed: str) -> bool:
    return re.search(r"(^|\s)md5=\S*$", typed) is not None


def paste(terminal: Terminal, situation: Situation) -> None:
    """Read peers until an empty line, and take those that nothing is wrong with."""
    terminal.say(PASTE)
    lines: list[str] = []
    while line := terminal.ask(f"{len(lines) + 1:4}>", _after_md5).strip():
        lines.append(line)
    first = situation.draft.count("peers")
    refused: list[str] = []
    taken: dict[int, Plain] = {}
    for number, text in enumerate(lines, 1):
        try:
            taken[number] = parse_line(text)
        except ValueError as expected:
            refused.append(f"  Line {number} is not taken: {expected}.")
    reasons = _wrong(situation, taken)
    while reasons:
        for number, reason in reasons.items():
            refused.append(f"  Line {number} is not taken: {reason}.")
            del taken[number]
        reasons = _wrong(situation, taken)
    for sentence in refused:
        terminal.say(sentence)
    if taken:
        situation.draft.extend("peers", list(taken.values()))
    peers = "1 peer" if len(taken) == 1 else f"{len(taken)} peers"
    terminal.say(f"  Taken: {peers}; there are {first + len(taken)} now.")


def _wrong(situation: Situation, taken: dict[int, Plain]) -> dict[int, str]:
    """The first error of each of the peers `taken`, judged after those that are there already."""
    present = situation.site("peers")
    before = present if isinstance(present, list) else []
    judged = judge(situation.draft.answers, ("peers",), [*before, *taken.values()])
    numbers = list(taken)
    reasons: dict[int, str] = {}
    for error in judged.errors:
        match error.key:
            case ("peers", int(at), *part) if at >= len(before):
                where = f"{spell(tuple(part))}: " if part else ""
                reasons.setdefault(numbers[at - len(before)], f"{where}{error.reason}")
            case _:
                pass
    return reasons


SECTION = Section(
    "peers",
    "The peers",
    "The routers that speak BGP to this box: those of your upstreams, the route servers of "
    "exchanges, and other networks with which you agreed to peer. Many are pasted at once with "
    "paste, one a line.",
    (
        Question(
            ("role",),
            "What kind of peer",
            "It decides which routes are taken, and how many: from transits all, from peers and "
            "route servers up to a limit, and never the routes of your upstreams. To everybody go "
            "your own prefixes and nothing else.\nExample: transit",
            form=OneOf(options=ROLES),
            options=choices(*ROLES),
            default=_next_role,
        ),
        Question(
            ("name",),
            "Name for this peer",
            "What you call it; it is in rules, graphs and messages.\nExample: upstream-a",
            default=_name,
        ),
        Question(
            ("asn",),
            "Its AS number",
            "The number by which that network is known.\nExample: 64496",
        ),
        Question(
            ("addresses",),
            "Addresses of its router",
            "One of each family that the peer speaks, in the network of the port that leads to it, "
            "without prefix length.\nExample: 192.0.2.1 2001:db8:100::1",
            form=Words(),
        ),
        Question(
            ("md5",),
            "Secret of the session (or none)",
            "If you agreed on a secret for TCP's MD5 signatures (RFC 2385), type or paste it; it "
            "is not shown. 16 to 80 characters that nobody guesses, another one for each peer:\n"
            "  openssl rand -base64 18 | tr +/ xy",
            form=Secret(),
            optional=True,
            default=fixed(None),
        ),
        Question(
            ("gtsm",),
            "Refuse packets from afar by their TTL (yes or no)",
            "Only if you agreed on it with the peer (GTSM, RFC 5082): both ends have to do it, or "
            "the session does not come up.\nExample: no",
            form=YesOrNo(),
            default=fixed("no"),
        ),
        Question(
            ("max_prefix",),
            "Most routes that are taken (or none)",
            "When the peer sends more, the session is closed, for then it leaks. With none, the "
            "limit is what suits its role; peers have their number in PeeringDB.\nExample: 2000",
            optional=True,
            default=fixed(None),
        ),
        Question(
            ("irr",),
            "Its object in a routing registry (or none)",
            "The as-set or AS number that lists the peer's routes, as it is in PeeringDB.\n"
            "Example: AS-EXAMPLE",
            optional=True,
            default=fixed(None),
        ),
    ),
    item="peer",
    paste=paste,
)
