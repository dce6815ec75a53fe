"""The lab as a drawing: the appliance, its ports, and who is at the other end (SVG 1.1).

There are two: `draw` has the appliance beside its neighbours, `draw_narrow` above them, for a page
of 340 pixels. Every text has a line of its own, so nothing overprints anything. Of two boxes, one
is below the other, and the wide drawing has the wire between them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from firstboot.site.address_plan import Session, allot
from firstboot.site.model import Peer, PeerRole, Port, PortRole, Routes, Site

WIDE, NARROW = 900, 340
"""Widths of the two drawings, in pixels."""

LEFT = 20
"""Pixels from the left edge of the wide drawing to the appliance."""

NAMES = ("a", "b")
"""What the boxes of a pair are called."""

BOX = 300
"""Width of a box of the wide drawing, in pixels."""

LINE, PAD, GAP = 16, 10, 12
"""Pixels: from one line of text to the next, inside a box's edge, and between two boxes."""

STYLE = (
    "text{font:13px sans-serif;fill:#222}.name{font-weight:bold}.small{font-size:11px;fill:#555}"
    "rect{fill:#fff;stroke:#555}.ours{fill:#e8f0e4}path{fill:none;stroke:#555;stroke-width:2}"
)


@dataclass(frozen=True, slots=True)
class Box:
    """A name, and lines of what there is to say about it."""

    name: str
    facts: tuple[str, ...]

    @property
    def height(self) -> int:
        return LINE * (1 + len(self.facts)) + PAD

    def lines(self, x: int, y: int) -> list[str]:
        """Its text, in a box whose upper left corner is there."""
        texts = [("name", self.name), *(("small", fact) for fact in self.facts)]
        return [
            f'<text class="{kind}" x="{x + PAD}" y="{y + LINE * at}">{escape(text)}</text>'
            for at, (kind, text) in enumerate(texts, 1)
        ]

    def drawn(self, x: int, y: int, width: int) -> list[str]:
        return [
            f'<rect x="{x}" y="{y}" width="{width}" height="{self.height}" rx="4"/>',
            *self.lines(x, y),
        ]


def draw(*sites: Site) -> str:
    """The wide drawing of one site or two, as one `svg` element."""
    parts: list[str] = []
    ends: list[int] = []
    y = 20
    for name, site in zip(_names(sites), sites, strict=True):
        some, end, y = _box_and_neighbours(name, site, y, paired=len(sites) > 1)
        parts += some
        ends += end
        y += 2 * GAP
    if len(ends) > 1:
        parts.append(f'<path d="M{LEFT} {ends[0]} H{LEFT // 2} V{ends[1]} H{LEFT}"/>')
    return _svg(WIDE, y - GAP, parts)


def _box_and_neighbours(
    name: str, site: Site, top: int, *, paired: bool
) -> tuple[list[str], list[int], int]:
    """A box of the wide drawing from `top` on with its neighbours, where the wire to its twin is,
    and where it ends."""
    left, right = LEFT, WIDE - BOX - 20
    own = _own(name, site)
    parts: list[str] = []
    ends: list[int] = []
    texts = own.lines(left, top)
    y = top + own.height + GAP
    sessions = allot(site).sessions
    for port in site.ports:
        twin = paired and port.role is PortRole.TWIN
        ours, far = _ours(port), [] if twin else _far(port, sessions)
        row = max(ours.height, _height(far))
        middle = y + row // 2
        if twin:
            ends.append(middle)
        texts += ours.lines(left, middle - ours.height // 2)
        row_top = middle - _height(far) // 2
        for box in far:
            parts += box.drawn(right, row_top, BOX)
            beside = row_top + box.height // 2
            parts.append(f'<path d="M{right} {beside} H{right - 40} V{middle} H{left + BOX}"/>')
            row_top += box.height + GAP
        y += row + 2 * GAP
    appliance = (
        f'<rect class="ours" x="{left}" y="{top}" width="{BOX}" height="{y - top - GAP}" rx="4"/>'
    )
    return [*parts, appliance, *texts], ends, y


def draw_narrow(*sites: Site) -> str:
    """The narrow drawing of one site or two, as one `svg` element."""
    parts: list[str] = []
    y = 1
    for name, site in zip(_names(sites), sites, strict=True):
        some, y = _box_above_neighbours(name, site, y)
        parts += some
        y += 2 * GAP
    return _svg(NARROW, y - 2 * GAP + 2, parts)


def _box_above_neighbours(name: str, site: Site, top: int) -> tuple[list[str], int]:
    """A box of the narrow drawing from `top` on with its neighbours, and where it ends."""
    own = _own(name, site)
    width = NARROW - 2
    parts = [f'<rect class="ours" x="1" y="{top}" width="{width}" height="{own.height}" rx="4"/>']
    parts += own.lines(1, top)
    y = top + own.height
    sessions = allot(site).sessions
    for port in site.ports:
        ours, far = _ours(port), _far(port, sessions)
        y += GAP
        parts += [
            f'<rect class="ours" x="1" y="{y}" width="{width}" height="{ours.height}" rx="4"/>',
            *ours.lines(1, y),
        ]
        y += ours.height
        start = y
        for box in far:
            y += GAP
            parts += box.drawn(41, y, NARROW - 42)
            parts.append(f'<path d="M21 {start} V{y + box.height // 2} H41"/>')
            y += box.height
    return parts, y


def _names(sites: Sequence[Site]) -> list[str]:
    """What the boxes are called on the drawing."""
    return ["the appliance"] if len(sites) == 1 else list(NAMES)


def _svg(width: int, height: int, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img"><title>The appliance and the simulated Internet</title>'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>"
    )


def _height(boxes: Sequence[Box]) -> int:
    """Of boxes one above the other."""
    return sum(box.height for box in boxes) + GAP * (len(boxes) - 1)


def _own(name: str, site: Site) -> Box:
    whose = "a provider's addresses" if site.asn is None else f"AS{site.asn}"
    relays = "1 relay" if site.relays.count == 1 else f"{site.relays.count} relays"
    return Box(name, (whose, *map(str, site.scopes), relays))


def _ours(port: Port) -> Box:
    tag = "" if port.vlan is None else f", VLAN {port.vlan}"
    return Box(f"{port.name}{tag}", (port.role.value, *(str(one.ip) for one in port.addresses)))


def _far(port: Port, sessions: Iterable[Session]) -> list[Box]:
    """Who is at the other end of `port`."""
    peers: dict[str, list[str]] = {}
    for session in sessions:
        if session.port is port:
            peer = session.peer
            facts = peers.setdefault(peer.name, [f"AS{peer.asn}, {_sends(peer)}"])
            facts.append(str(session.remote))
    if peers:
        return [Box(name, tuple(facts)) for name, facts in peers.items()]
    if port.role is PortRole.TWIN:
        return [Box("the other box", ())]
    if port.role.outside:
        return [Box("the provider's router", tuple(map(str, port.gateway)))]
    if port.role is PortRole.MANAGEMENT:
        return [Box("administrators", tuple(map(str, port.gateway)))]
    return [Box("machines on the LAN", ())]


def _sends(peer: Peer) -> str:
    """What is taken of a peer."""
    match peer.role, peer.routes:
        case PeerRole.TRANSIT, Routes.FULL:
            return "transit, its whole table"
        case PeerRole.TRANSIT, Routes.DEFAULT:
            return "transit, a default route"
        case PeerRole.TRANSIT, _:
            return "transit, a static route to it"
        case _:
            return str(peer.role.value)
