"""Peers that are pasted, one a line."""

import re

from firstboot.core.document import Plain, quote
from firstboot.wizard.ask import lines
from firstboot.wizard.prompts import OneOf
from firstboot.wizard.question import Situation
from firstboot.wizard.sections.peers import ROLES, SECTION
from firstboot.wizard.terminal import Terminal
from firstboot.wizard.validate import judge
from firstboot.wizard.wording import lowered, sentences

FORMAT = """\
One peer a line, in this order, with spaces between; an empty line ends:

  NAME ASN ROLE ADDRESS [ADDRESS] [md5=SECRET] [gtsm] [max=NUMBER] [irr=AS-SET]
  [routes=full|default|static] [blackhole=COMMUNITY] [gateway=ROUTER[,ROUTER] [hops=NUMBER]]
  [networks=PREFIX[,PREFIX]]

  route-server-1 64497 route-server 203.0.113.1 2001:db8:200::1
  content        65536 peer 203.0.113.20 max=2000 irr=AS-CONTENT

What you type after md5= is not shown. back takes back the line before."""


OPTIONS = ("md5", "max", "irr", "routes", "blackhole", "gateway", "hops", "networks")
LISTED = ("gateway", "networks")
"""Options with several values, and commas between them."""


def parse_line(line: str) -> dict[str, Plain]:
    """Return the peer that a line describes. Raises ValueError with one or two sentences."""
    words = line.split()
    plain = [word for word in words if "=" not in word and word != "gtsm"]
    if len(plain) < 4:
        raise ValueError("A name, an AS number, a role and an address are needed.")
    name, asn, role, *addresses = plain
    if re.fullmatch("[a-z-]+", asn) and re.fullmatch("(AS)?[0-9]+", role):
        raise ValueError("The AS number comes before the role. Swap the two.")
    peer: dict[str, Plain] = {
        "name": name,
        "asn": asn,
        "role": OneOf(options=ROLES).parse(role),
        "addresses": list(addresses),
        "md5": None,
        "gtsm": "yes" if "gtsm" in words else "no",
        "routes": "full",
        "max_prefix": None,
        "irr": None,
        "blackhole": None,
    }
    keys = {"max": "max_prefix"}
    for word in words:
        option, equals, value = word.partition("=")
        if equals and option not in OPTIONS:
            *most, last = (f"{one}=" for one in OPTIONS)
            raise ValueError(
                f"There is no option {quote(option)}. Use {', '.join(most)} or {last}."
            )
        if equals:
            key = keys.get(option, option)
            peer[key] = list(value.split(",")) if option in LISTED else value
    return peer


def paste_peers(terminal: Terminal, situation: Situation) -> None:
    """Read peers until an empty line, and take those that are right. Raises Interrupted."""
    terminal.say(FORMAT)
    typed = lines(terminal, [], _after_md5)
    if typed is None:
        return
    first = situation.draft.count("peers")
    refused: dict[int, str] = {}
    taken: dict[int, Plain] = {}
    for number, text in enumerate(typed, 1):
        try:
            taken[number] = parse_line(text)
        except ValueError as error:
            refused[number] = str(error)
    while reasons := _wrong(situation, taken):
        refused |= reasons
        for number in reasons:
            del taken[number]
    for number, reason in sorted(refused.items()):
        terminal.refuse(f"Line {number} is not taken: {reason}")
    if taken:
        situation.draft.extend("peers", list(taken.values()))
    peers = "1 peer" if len(taken) == 1 else f"{len(taken)} peers"
    terminal.say(f"   Taken: {peers}. There are {first + len(taken)} now.")


def _after_md5(typed: str) -> bool:
    return re.search(r"(^|\s)md5=\S*$", typed) is not None


def _wrong(situation: Situation, taken: dict[int, Plain]) -> dict[int, str]:
    """Return the first error of each peer of `taken`, judged together with those of the draft."""
    present = situation.site("peers")
    before = present if isinstance(present, list) else []
    answers = situation.draft.answers
    judged = judge(answers, ("peers",), [*before, *taken.values()])
    numbers = list(taken)
    reasons: dict[int, str] = {}
    for error in judged.errors:
        match error.key:
            case ("peers", int(at), *part) if at >= len(before):
                labels = [q.text for q in SECTION.questions if q.key == tuple(part[:1])]
                where = "".join(f"{lowered(label)}: " for label in labels)
                number = numbers[at - len(before)]
                reasons.setdefault(number, f"{where}{sentences(error, answers)}")
            case _:
                pass
    return reasons
