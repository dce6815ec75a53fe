"""The network ports: which card leads where, with which addresses."""

from collections.abc import Callable

from firstboot.core.document import Plain
from firstboot.site.model import PortRole
from firstboot.wizard import nics
from firstboot.wizard.prompts import OneOf, Option, Words
from firstboot.wizard.question import Question, Section, Situation, fixed
from firstboot.wizard.sections.kind import with_bgp
from firstboot.wizard.terminal import Terminal

ROLES = (
    Option("transit", "to an upstream, which carries your packets everywhere"),
    Option("exchange", "to an Internet exchange, where you meet many networks"),
    Option("lan", "to other machines of yours, with addresses of your prefixes"),
    Option("management", "to where administrators log in from, and nothing else"),
    Option("twin", "to the other of two boxes of yours, which share your prefixes"),
)


def _cards(situation: Situation) -> str:
    found = situation.machine.nics()
    if not found:
        return "No network card was found in this box."
    return f"The network cards in this box:\n{nics.table(found)}"


def _used(situation: Situation) -> list[Plain]:
    """Return the cards of the other ports, in bundles or not."""
    bundled = situation.each("ports", "members")
    members = [card for cards in bundled if isinstance(cards, list) for card in cards]
    return [*situation.each("ports", "device"), *members]


def _is_bundle(situation: Situation) -> bool:
    return str(situation.here("device")).startswith("lagg")


def _free_cards(situation: Situation) -> Plain:
    """Propose the cards of an earlier port on the same bundle, or the first two that are free."""
    devices = situation.each("ports", "device")
    bundles = situation.each("ports", "members")
    for device, members in zip(devices, bundles, strict=True):
        if device == situation.here("device") and members:
            return members
    used = _used(situation)
    free: list[Plain] = [nic.device for nic in situation.machine.nics() if nic.device not in used]
    return free[:2] or None


def _next_card(situation: Situation) -> Plain:
    used = _used(situation)
    free = (nic.device for nic in situation.machine.nics() if nic.device not in used)
    return next(free, None)


def _unknown(situation: Situation, device: Plain) -> str:
    there = [nic.device for nic in situation.machine.nics()]
    if device in there or str(device).startswith("lagg"):
        return ""
    return f"There is no card {device} in this box now."


def _identify(terminal: Terminal, situation: Situation) -> Plain:
    """Return the card whose cable the person unplugs, or None."""
    before = situation.machine.nics()
    terminal.say("Unplug the cable of the card that you look for, or plug it in. Wait three")
    if terminal.ask("seconds and press Enter:").strip().lower() == "back":
        return None
    found = nics.changed(before, situation.machine.nics())
    if not found:
        terminal.refuse(
            "No link has changed. Perhaps that card had no link before, or it is not in the table."
        )
        return None
    terminal.say(f"  The link of {' and '.join(found)} has changed. You can put the cable back.")
    return found[0] if len(found) == 1 else None


def _next_role(situation: Situation) -> Plain:
    used = situation.each("ports", "role")
    wanted = ("transit", *(("exchange",) if with_bgp(situation) else ()), "management")
    return next((role for role in wanted if role not in used), "lan")


def _name(situation: Situation) -> Plain:
    role = str(situation.here("role"))
    used = situation.each("ports", "name")
    names = [role, *(f"{role}-{number}" for number in range(2, 100))]
    return next(name for name in names if name not in used)


def _is(role: PortRole) -> Callable[[Situation], bool]:
    """Return a condition: the port has this role."""
    return lambda situation: situation.here("role") == role.value


def _has_a_router(situation: Situation) -> bool:
    role = situation.here("role")
    return role == "management" or (role == "transit" and not with_bgp(situation))


def _roles(situation: Situation) -> tuple[Option, ...]:
    """An exchange and a second edge are for networks with an AS number."""
    without = () if with_bgp(situation) else ("exchange", "twin")
    return tuple(one for one in ROLES if one.value not in without)


DEVICE = Question(
    ("device",),
    "Network card",
    "The system's name for the card. To find out which card is which, type find: you unplug a "
    "cable and are told which card lost its link. For a bundle of several cards (LACP), answer "
    "lagg0, and lagg1 for the next one.",
    example="ix0",
    above=_cards,
    default=_next_card,
    note=_unknown,
    aids={"find": _identify},
)

MEMBERS = Question(
    ("members",),
    "Cards of the bundle",
    "The cards whose cables lead to the same switch, which speaks LACP (IEEE 802.1AX) on "
    "them. When one goes, the others carry on.",
    hint="with spaces between them",
    example="ix0 ix1",
    form=Words(),
    default=_free_cards,
    when=_is_bundle,
)

SECTION = Section(
    "ports",
    "The ports",
    "A port is a network card, or a VLAN on it, and what its cable leads to. You need a port that "
    "leads out (transit or exchange), and one for management, for when BGP is down.",
    (
        DEVICE,
        MEMBERS,
        Question(
            ("role",),
            "What it leads to",
            "The firewall depends on it. To upstreams and exchanges it lets out only packets from "
            "your own addresses, BGP and neighbour discovery. Administrators can log in through "
            "management only. There is one management port; of the others there may be several.",
            form=OneOf(options=ROLES),
            options=_roles,
            default=_next_role,
        ),
        Question(
            ("name",),
            "Name for this port",
            "Your own name for it. Rules, graphs and messages use it.",
            example="transit-a",
            default=_name,
        ),
        Question(
            ("vlan",),
            "VLAN tag",
            "If the other end sends frames with an 802.1Q tag, give its number, 1 to 4094. Two "
            "ports can be two VLANs on one card.",
            hint="a number, or none",
            example="1203",
            optional=True,
            default=fixed(None),
        ),
        Question(
            ("addresses",),
            "Addresses of this port",
            "The addresses of this end of the cable, as the upstream or the exchange assigned "
            "them, each with the prefix length of the network; one of each family if you can. The "
            "addresses of a LAN port are in your prefixes, those of other ports are not.",
            hint="with prefix lengths",
            example="192.0.2.2/30 2001:db8:100::2/64",
            form=Words(),
        ),
        Question(
            ("gateway",),
            "Router on this link",
            "One address of each family. Management has a routing table of its own, with this "
            "router as the way out; with none, you reach the box from the port's own network only. "
            "If the addresses are a provider's, everything else leaves by its router.",
            hint="or none",
            example="192.0.2.193",
            form=Words(),
            optional=True,
            when=_has_a_router,
        ),
        Question(
            ("mtu",),
            "Largest packet in bytes (MTU)",
            "1500 nearly everywhere. An exchange tells you its MTU.",
            example="1500",
            default=fixed("1500"),
        ),
        Question(
            ("mac",),
            "Ethernet address for the exchange",
            "An exchange lets in only the Ethernet address that it has on file for your port. If "
            "you give it here, a spare card or box uses it too. With none, the card keeps its own.",
            hint="or none",
            example="02:00:5e:10:00:0b",
            optional=True,
            default=fixed(None),
            when=_is(PortRole.EXCHANGE),
        ),
    ),
    item="port",
    about_cards=True,
)
