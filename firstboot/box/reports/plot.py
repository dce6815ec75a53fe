"""A plot as SVG, without anything from elsewhere. Colours are those of the page (html.py)."""

import math
import time
from collections.abc import Iterator
from html import escape

from firstboot.box.reports.document import Plot, Series

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 14, 30
"""Room around the lines, in units of the drawing."""

GAP = 3 * 3600
"""Seconds without a value after which a line is interrupted."""

HOUR, DAY = 3600, 86_400
STEPS = (HOUR, 3 * HOUR, 6 * HOUR, DAY, 2 * DAY, 5 * DAY, 10 * DAY, 30 * DAY)
"""Seconds between two marks of the time."""

MARKS = 8

COLOURS = 6


def drawn(plot: Plot) -> str:
    """An `svg` element, and a list of its lines if there are several."""
    top = _top(max((value for one in plot.series for _, value in _known(one)), default=0.0))
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(plot.title)}">',
        *_bands(plot),
        *_levels(top),
        *_times(plot),
        *(line for at, one in enumerate(plot.series) for line in _line(one, at, plot, top)),
        "</svg>",
    ]
    if len(plot.series) > 1:
        names = "".join(
            f'<li class="c{at % COLOURS}">{escape(one.name)}</li>'
            for at, one in enumerate(plot.series)
        )
        parts.append(f'<ul class="lines">{names}</ul>')
    return "\n".join(parts)


def number(value: float) -> str:
    """The value with as few digits as a mark needs: 0, 2.5, 400, 12k, 3M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 10 or (value >= size and unit != "k"):
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _known(series: Series) -> Iterator[tuple[int, float]]:
    return ((when, value) for when, value in series.points if value is not None)


def _top(most: float) -> float:
    """The end of the scale: 1, 2, 2.5, 4, 5 or 8 times a power of ten, not below `most`."""
    if most <= 0:
        return 1.0
    power: float = 10 ** math.floor(math.log10(most))
    return next(power * step for step in (1, 2, 2.5, 4, 5, 8, 10) if power * step >= most * 0.999)


def _x(when: float, plot: Plot) -> float:
    length = max(1, plot.end - plot.start)
    return LEFT + (WIDTH - LEFT - RIGHT) * (when - plot.start) / length


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)


def _bands(plot: Plot) -> Iterator[str]:
    for start, end in plot.bands:
        left, right = _x(max(start, plot.start), plot), _x(min(end, plot.end), plot)
        if right >= left:
            width = max(1.5, right - left)
            height = HEIGHT - TOP - BOTTOM
            yield (
                f'<rect class="band" x="{left:.1f}" y="{TOP}" width="{width:.1f}" '
                f'height="{height}"/>'
            )


def _levels(top: float) -> Iterator[str]:
    for part in range(5):
        value = top * part / 4
        y = _y(value, top)
        yield f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="end" x="{LEFT - 8}" y="{y + 4:.1f}">{number(value)}</text>'


def _times(plot: Plot) -> Iterator[str]:
    length = plot.end - plot.start
    step = next((one for one in STEPS if length / one <= MARKS), STEPS[-1])
    form = "%H:%M" if step < DAY else "%d %b"
    when = -(-plot.start // step) * step
    while when <= plot.end:
        x = _x(when, plot)
        if x <= WIDTH - RIGHT - 12:
            label = time.strftime(form, time.gmtime(when)).lstrip("0") if step >= DAY else (
                time.strftime(form, time.gmtime(when))
            )  # fmt: skip
            yield (
                f'<line class="level" x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT - BOTTOM}" '
                f'y2="{HEIGHT - BOTTOM + 5}"/>'
            )
            yield f'<text class="mid" x="{x:.1f}" y="{HEIGHT - 9}">{label}</text>'
        when += step


def _line(series: Series, at: int, plot: Plot, top: float) -> Iterator[str]:
    """The line, in pieces where values are missing; a single line has its area filled."""
    colour = f"c{at % COLOURS}"
    for piece in _pieces(series):
        points = [(_x(when, plot), _y(value, top)) for when, value in piece]
        if len(points) == 1:
            ((x, y),) = points
            yield f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="2"/>'
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        if len(plot.series) == 1:
            floor = _y(0, top)
            area = f"{points[0][0]:.1f},{floor:.1f} {path} {points[-1][0]:.1f},{floor:.1f}"
            yield f'<polygon class="{colour}" points="{area}"/>'
        yield f'<polyline class="{colour}" points="{path}"/>'


def _pieces(series: Series) -> Iterator[list[tuple[int, float]]]:
    piece: list[tuple[int, float]] = []
    for when, value in series.points:
        if value is None or (piece and when - piece[-1][0] > GAP):
            if piece:
                yield piece
            piece = []
        if value is not None:
            piece.append((when, value))
    if piece:
        yield piece
