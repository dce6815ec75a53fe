"""A report as plain text, for a mail."""

from collections.abc import Iterator
from textwrap import wrap

from firstboot.box.reports.document import Block, Plot, Report, Table, Warn

WIDTH = 78
BARS = "▁▂▃▄▅▆▇█"
COLUMNS = 60


def written(report: Report) -> str:
    lines = [report.title, "=" * len(report.title), report.subtitle, ""]
    for section in report.sections:
        lines += [section.title, "-" * len(section.title)]
        for block in section.blocks:
            lines += [*_block(block), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case str():
            yield from wrap(block, WIDTH)
        case Warn():
            yield from wrap(f"!!! {block.text}", WIDTH, subsequent_indent="!!! ")
        case Table():
            yield from _table(block)
        case Plot():
            yield from _plot(block)


def _table(found: Table) -> Iterator[str]:
    rows = (found.heads, *found.rows)
    widths = [max(len(row[at]) for row in rows) for at in range(len(found.heads))]
    room = max(20, WIDTH - sum(widths[:-1]) - 2 * (len(widths) - 1))
    for row in rows:
        cells = [
            cell.rjust(width) if at in found.numbers else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row[:-1], widths, strict=False))
        ]
        before = "  ".join(cells) + ("  " if cells else "")
        first, *more = wrap(row[-1], room) or [""]
        yield (before + first).rstrip()
        yield from (" " * len(before) + line for line in more)


def _plot(plot: Plot) -> Iterator[str]:
    yield f"{plot.title} ({plot.unit})"
    names = max((len(one.name) for one in plot.series), default=0)
    top = max((v for one in plot.series for _, v in one.points if v is not None), default=0.0)
    for one in plot.series:
        cells = _cells(one.points, plot.start, plot.end)
        drawn = "".join(
            " " if value is None else BARS[min(7, int(8 * value / top))] if top else BARS[0]
            for value in cells
        )
        known = [value for _, value in one.points if value is not None]
        most = f"  at most {max(known):g}" if known else "  nothing is known"
        yield f"{one.name.ljust(names)}  {drawn}{most}"


def _cells(
    points: tuple[tuple[int, float | None], ...], start: int, end: int
) -> list[float | None]:
    """The mean of each column."""
    found: list[list[float]] = [[] for _ in range(COLUMNS)]
    length = max(1, end - start)
    for when, value in points:
        at = (when - start) * COLUMNS // length
        if value is not None and 0 <= at < COLUMNS:
            found[at].append(value)
    return [sum(one) / len(one) if one else None for one in found]
