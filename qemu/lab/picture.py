"""The lab as a picture: the appliance, its ports, and who is at the other end (SVG 1.1)."""

from collections.abc import Iterable
from html import escape

from firstboot.site.address_plan import Session, allot
from firstboot.site.model import Port, PortRole, Site

WIDTH, ROW, BOX = 900, 52, 300
"""In pixels: the picture, a row of a peer, and a box."""

STYLE = (
    "text{font:13px sans-serif;fill:#222}.name{font-weight:bold}.small{font-size:11px;fill:#555}"
    "rect{fill:#fff;stroke:#555}.ours{fill:#e8f0e4}path{fill:none;stroke:#555;stroke-width:2}"
)


def draw(site: Site) -> str:
    """The picture of `site`, as one `svg` element."""
    sessions = allot(site).sessions
    parts, y = [], 20
    ends = []
    for port in site.ports:
        rows = _far(port, sessions)
        height = len(rows) * ROW
        ends.append((port, y + height // 2))
        for at, (name, facts) in enumerate(rows):
            top = y + at * ROW
            parts += _box(WIDTH - BOX - 20, top, BOX, name, facts)
            middle = top + 21
            parts.append(
                f'<path d="M{WIDTH - BOX - 20} {middle} H{WIDTH - BOX - 60} '
                f'V{y + height // 2 - 5} H{BOX + 20}"/>'
            )
        y += height + 24
    own = f"AS{site.asn}, {', '.join(map(str, site.scopes))}"
    lines = [
        '<rect class="ours" x="20" y="20" '
        f'width="{BOX}" height="{y - 44}"/><text class="name" x="32" y="40">the appliance</text>'
        f'<text class="small" x="32" y="{y - 34}">{escape(own)}</text>'
    ]
    for port, at in ends:
        addresses = ", ".join(str(one.ip) for one in port.addresses)
        lines.append(
            f'<text class="name" x="{BOX + 8}" y="{at - 2}" text-anchor="end">{escape(port.name)}'
            f'</text><text class="small" x="{BOX + 8}" y="{at + 12}" text-anchor="end">'
            f"{escape(addresses)}</text>"
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" '
        f'height="{y}" role="img"><title>The appliance and the simulated Internet</title>'
        f"<style>{STYLE}</style>{''.join(parts)}{''.join(lines)}</svg>"
    )


def _far(port: Port, sessions: Iterable[Session]) -> list[tuple[str, str]]:
    """Who is at the other end of `port`: names, and what there is to say about each."""
    peers: dict[str, tuple[int, list[str]]] = {}
    for session in sessions:
        if session.port is port:
            _, addresses = peers.setdefault(session.peer.name, (session.peer.asn, []))
            addresses.append(str(session.remote))
    found = [(name, f"AS{asn}, {', '.join(on)}") for name, (asn, on) in peers.items()]
    if not found and port.role is PortRole.MANAGEMENT:
        return [("administrators", ", ".join(map(str, port.gateway)))]
    return found or [("machines on the LAN", "")]


def _box(x: int, y: int, width: int, name: str, facts: str) -> list[str]:
    return [
        f'<rect x="{x}" y="{y}" width="{width}" height="{ROW - 10}" rx="4"/>'
        f'<text class="name" x="{x + 10}" y="{y + 17}">{escape(name)}</text>'
        f'<text class="small" x="{x + 10}" y="{y + 33}">{escape(facts)}</text>'
    ]
