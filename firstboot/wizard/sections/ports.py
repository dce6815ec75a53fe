"""The network ports: which card leads where, and with which addresses."""

from firstboot.core.document import Plain
from firstboot.site.model import PortRole
from firstboot.wizard import nics
from firstboot.wizard.line_editor import shown
from firstboot.wizard.prompts import OneOf, Option, Words
from firstboot.wizard.question import Question, Section, Situation, choices, fixed
from firstboot.wizard.terminal import Terminal

ROLES = (
    Option("transit", "to an upstream, who carries your packets everywhere"),
    Option("exchange", "to an Internet exchange, where you meet many networks"),
    Option("lan", "to other machines of yours, with addresses of your prefixes"),
    Option("management", "to where administrators log in from, apart from all else"),
)


def _cards(situation: Situation) -> str:
    found = situation.machine.nics()
    if not found:
        return "No network card was found in this box."
    return f"The network cards in this box:\n{nics.table(found)}"


def _next_card(situation: Situation) -> Plain:
    used = situation.each("ports", "device")
    free = (nic.device for nic in situation.machine.nics() if nic.device not in used)
    return next(free, None)


def _unknown(situation: Situation, device: Plain) -> str:
    if device in [nic.device for nic in situation.machine.nics()]:
        return ""
    return f"there is no card {device} in this box now."


def _identify(terminal: Terminal, situation: Situation) -> Plain:
    """The card whose cable a person unplugs."""
    before = situation.machine.nics()
    terminal.say("Unplug the cable of the card you look for (or plug it in), wait for three")
    terminal.ask("seconds and press Enter:", shown)
    found = nics.changed(before, situation.machine.nics())
    if not found:
        terminal.say("  No link has changed. Perhaps that card had no link before, or it is not in")
        terminal.say("  the table above.")
        return None
    terminal.say(f"  The link of {' and '.join(found)} has changed. You may put the cable back.")
    return found[0] if len(found) == 1 else None


def _next_role(situation: Situation) -> Plain:
    used = situation.each("ports", "role")
    return next((role for role in ("transit", "exchange", "management") if role not in used), "lan")


def _name(situation: Situation) -> Plain:
    role = str(situation.here("role"))
    used = situation.each("ports", "name")
    names = [role, *(f"{role}-{number}" for number in range(2, 100))]
    return next(name for name in names if name not in used)


def _is(role: PortRole) -> "_Role":
    return _Role(role)


class _Role:
    """Whether the port has this role."""

    def __init__(self, role: PortRole) -> None:
        self._role = role

    def __call__(self, situation: Situation) -> bool:
        return situation.here("role") == self._role.value


DEVICE = Question(
    ("device",),
    "Network card",
    "The card as the system names it, or its number in the list. To find out which is "
    "which, type find: then you unplug a cable, and the card that lost its link is it.\n"
    "Example: ix0",
    above=_cards,
    default=_next_card,
    note=_unknown,
    aids={"find": _identify},
)

SECTION = Section(
    "ports",
    "The ports",
    "A port is a network card, or a VLAN on one, and what its cable leads to. There has to be one "
    "that leads out (transit or exchange), and one for management, so that you still reach the box "
    "when BGP is down.",
    (
        DEVICE,
        Question(
            ("role",),
            "What it leads to",
            "What is at the other end decides what the firewall lets through: to upstreams and "
            "exchanges goes nothing but your own addresses, BGP and neighbour discovery; only from "
            "management can anybody log in. There can be several of each but management.\n"
            "Example: transit",
            form=OneOf(options=ROLES),
            options=choices(*ROLES),
            default=_next_role,
        ),
        Question(
            ("name",),
            "Name for this port",
            "What you call it; it is in rules, graphs and messages.\nExample: transit-a",
            default=_name,
        ),
        Question(
            ("vlan",),
            "VLAN tag (a number, or none)",
            "If the other end sends frames with an 802.1Q tag, its number, from 1 to 4094. Two "
            "ports can be two VLANs of one card.\nExample: 1203",
            optional=True,
            default=fixed(None),
        ),
        Question(
            ("addresses",),
            "Addresses of this port, with prefix lengths",
            "The addresses that the upstream, the exchange or your own plan gives this end of the "
            "cable, with the length of the network's prefix; one of each family where there is. "
            "A LAN's are in your prefixes, all others are not.\n"
            "Example: 192.0.2.2/30 2001:db8:100::2/64",
            form=Words(),
        ),
        Question(
            ("gateway",),
            "Router of the management network (or none)",
            "Management has a routing table of its own, and this is the way out of it, an address "
            "of each family. With none, only the port's own network reaches the box.\n"
            "Example: 192.0.2.193",
            form=Words(),
            optional=True,
            when=_is(PortRole.MANAGEMENT),
        ),
        Question(
            ("mtu",),
            "Largest packet in bytes (MTU)",
            "1500 nearly everywhere; exchanges say theirs.\nExample: 1500",
            default=fixed("1500"),
        ),
        Question(
            ("mac",),
            "Ethernet address for the exchange (or none)",
            "Exchanges lock a port to the Ethernet address that they have on file. If you give it "
            "here, a spare card or box has the same one. With none, the card keeps its own.\n"
            "Example: 02:00:5e:10:00:0b",
            optional=True,
            default=fixed(None),
            when=_is(PortRole.EXCHANGE),
        ),
    ),
    item="port",
    about_cards=True,
)
