"""What went over each wire over time, as a drawing (SVG 1.1): a band for each wire, one above the
other, with a line through all of them for each moment at which something was done.

What the appliance sent is above the middle of a band, what it received below. The height goes by
the square root of the bytes, so that little traffic is seen beside much. The numbers of moments are
those of the list beside the drawing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from qemu.lab.wires import OverTime

WIDE, NARROW = 900, 340
"""Widths of drawings, in pixels."""

HALF, GAP, HEAD = 34, 26, 16
"""Pixels: half of a band, between two bands, and a row of the moments' numbers."""

EDGE = 4
MARK = 16
"""Pixels that the number of a moment needs."""

STYLE = (
    "text{font:11px sans-serif;fill:#222}.name{font-weight:bold}.small{fill:#555}"
    ".sent{fill:#2f6f4f}.received{fill:#8fb3d9}.axis{stroke:#999}"
    ".moment{stroke:#a11;stroke-dasharray:3 3}.number{fill:#a11;text-anchor:middle}"
)


@dataclass(frozen=True, slots=True)
class Band:
    """The traffic of the wire `name`."""

    name: str
    traffic: OverTime


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the number of a moment is: pixels from the left, and the row, from 0 on."""

    number: int
    x: float
    row: int


def draw(bands: Sequence[Band], moments: Sequence[float], width: int = WIDE) -> str:
    """The drawing of `bands`, all of one time, as one `svg` element. `moments` are in seconds since
    1970."""
    first = bands[0].traffic
    seconds = first.step * len(first.sent)
    room = width - 2 * EDGE

    def across(moment: float) -> float:
        return EDGE + room * min(max((moment - first.began) / seconds, 0.0), 1.0)

    marks = placed([across(moment) for moment in moments])
    top = EDGE + HEAD * (1 + max((mark.row for mark in marks), default=0))
    parts: list[str] = []
    y = top
    for band in bands:
        y += GAP
        parts += _band(band, y + HALF, room)
        y += 2 * HALF
    for mark in marks:
        from_y = EDGE + HEAD * (mark.row + 1) - 3
        parts.append(f'<path class="moment" d="M{mark.x:.1f} {from_y} V{y}"/>')
        parts.append(f'<text class="number" x="{mark.x:.1f}" y="{from_y - 2}">{mark.number}</text>')
    y += HEAD
    parts.append(f'<text class="small" x="{EDGE}" y="{y}">0 s</text>')
    parts.append(
        f'<text class="small" text-anchor="end" x="{width - EDGE}" y="{y}">{seconds:.0f} s</text>'
    )
    height = y + EDGE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img"><title>Traffic of each wire over time</title>'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>"
    )


def placed(xs: Iterable[float]) -> list[Mark]:
    """Give each moment at `xs`, in order, the first row in which its number overprints no other."""
    ends: list[float] = []
    marks = []
    for number, x in enumerate(xs, 1):
        row = next((at for at, end in enumerate(ends) if x - MARK >= end), len(ends))
        ends[row:] = [x, *ends[row + 1 :]]
        marks.append(Mark(number, x, row))
    return marks


def _band(band: Band, middle: int, room: int) -> list[str]:
    traffic = band.traffic
    most = max((*traffic.sent, *traffic.received, 1))
    peak = f"{band.name}: at most {_rate(most / traffic.step)}"
    return [
        f'<text class="name" x="{EDGE}" y="{middle - HALF - 5}">{escape(peak)}</text>',
        _area("sent", traffic.sent, most, middle, -1, room),
        _area("received", traffic.received, most, middle, 1, room),
        f'<path class="axis" d="M{EDGE} {middle} H{EDGE + room}"/>',
    ]


def _area(kind: str, counts: Sequence[int], most: int, middle: int, way: int, room: int) -> str:
    """Steps from the line in the middle, upwards if `way` is -1."""
    width = room / len(counts)
    steps = "".join(
        f"V{middle + way * HALF * (count / most) ** 0.5:.1f}H{EDGE + width * (at + 1):.1f}"
        for at, count in enumerate(counts)
    )
    return f'<path class="{kind}" d="M{EDGE} {middle}{steps}V{middle}Z"/>'


def _rate(rate: float) -> str:
    """Bytes a second, as people write it."""
    for unit in ("B/s", "kB/s"):
        if rate < 1000:
            return f"{rate:.3g} {unit}"
        rate /= 1000
    return f"{rate:.3g} MB/s"
