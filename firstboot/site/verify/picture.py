"""What passes the ports of a box, as a drawing (SVG 1.1): ports on the left, the box on the right,
an arrow for each use between them. Every text has a line of its own."""

import re
from html import escape

from firstboot.site.model import Site
from firstboot.site.verify.explain import Explanation, Way
from firstboot.site.verify.pf.rules import Direction

WIDTH, PORT, BOX = 900, 230, 170
"""Pixels: of the drawing, of a port on the left, of the box on the right."""

LINE, GAP, EDGE = 20, 24, 10
"""Pixels: from one arrow to the next, between two ports, around the drawing."""

STYLE = (
    "text{font:12px sans-serif;fill:#222}.name{font-weight:bold;font-size:13px}"
    ".small{font-size:11px;fill:#555}rect{fill:#fff;stroke:#555}.ours{fill:#e8f0e4}"
    "path{fill:none;stroke:#555;stroke-width:1.5}marker path{fill:#555;stroke:none}"
    ".none{fill:#a11}"
)


def draw(site: Site, explanation: Explanation) -> str:
    """The drawing of an explanation, as one `svg` element."""
    ports: dict[str, list[Way]] = {}
    for way in explanation.ways:
        ports.setdefault(way.interface, []).append(way)
    left, right = EDGE + PORT, WIDTH - EDGE - BOX
    parts: list[str] = []
    y = EDGE
    for ways in ports.values():
        arrows = [(way.direction, *use) for way in ways for use in _uses(way)]
        height = max(len(arrows) * LINE, 3 * LINE)
        parts.append(f'<rect x="{EDGE}" y="{y}" width="{PORT}" height="{height}" rx="4"/>')
        addresses = _addresses(site, ways[0].interface)
        for at, (kind, text) in enumerate(
            [("name", ways[0].port), ("small", f"{ways[0].interface}, {ways[0].role.value}"),
             *(("small", one) for one in addresses)][: height // 16]
        ):  # fmt: skip
            parts.append(_text(kind, EDGE + 10, y + 18 + 16 * at, text))
        for at, (direction, what, lines) in enumerate(arrows):
            middle = y + LINE * at + LINE // 2
            ends = (left, right) if direction is Direction.IN else (right, left)
            parts.append(f'<path d="M{ends[0]} {middle + 6} H{ends[1]}" marker-end="url(#end)"/>')
            parts.append(_text("", left + 14, middle + 2, f"{what}: {lines}"))
        if not arrows:
            parts.append(_text("none", left + 14, y + LINE, "nothing passes"))
        y += height + GAP
    bottom = y - GAP
    parts.append(
        f'<rect class="ours" x="{right}" y="{EDGE}" width="{BOX}" height="{bottom - EDGE}" rx="4"/>'
    )
    name = "a provider's addresses" if site.asn is None else f"AS{site.asn}"
    own = [("name", name), *(("small", str(scope)) for scope in site.scopes)]
    room = (bottom - EDGE) // 16 - 1
    for at, (kind, text) in enumerate(own[:room]):
        parts.append(_text(kind, right + 10, EDGE + 20 + 16 * at, text))
    parts.append(
        _text("small", EDGE, bottom + 18, "Numbers are lines of pf.conf. All else is blocked.")
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 28}" '
        f'width="{WIDTH}" height="{bottom + 28}" role="img"><title>What passes the ports</title>'
        f'<style>{STYLE}</style><defs><marker id="end" orient="auto" markerWidth="8" '
        'markerHeight="8" refX="7" refY="4" markerUnits="userSpaceOnUse">'
        f'<path d="M0 0 L8 4 L0 8 z"/></marker></defs>{"".join(parts)}</svg>\n'
    )


def _uses(way: Way) -> list[tuple[str, str]]:
    """What passes, relays together, with the lines of the rules that let it."""
    found: dict[str, set[int]] = {}
    for one in way.passing:
        found.setdefault(re.sub(r" relay \d+$", " relays", one.what), set()).add(one.line)
    return [(what, _ranges(sorted(lines))) for what, lines in found.items()]


def _ranges(lines: list[int]) -> str:
    """The first and the last of many, or all of a few."""
    if len(lines) > 3:
        return f"{lines[0]} ... {lines[-1]}"
    return " ".join(map(str, lines))


def _addresses(site: Site, interface: str) -> list[str]:
    (port,) = (port for port in site.ports if port.interface == interface)
    return [str(one) for one in port.addresses]


def _text(kind: str, x: int, y: int, text: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'
