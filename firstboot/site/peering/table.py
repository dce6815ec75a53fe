"""Tables for a terminal, and the same with bars as one self-contained page (HTML with SVG)."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from firstboot.site.peering.exchanges import CRITERIA, Ranked, cost_of
from firstboot.site.peering.suggest import Candidate

UNKNOWN = "unknown"
WIDEST = 40
"""Characters of a cell in a terminal."""

BAR, ROW, LABEL = 112, 22, 260
"""Pixels: the width of a bar, the height of a row, the room for names."""

MOST_DRAWN = 60
"""Rows of a picture."""

STYLE = (
    "body{font:14px sans-serif;margin:1.5em;color:#222}table{border-collapse:collapse}"
    "td,th{border:1px solid #bbb;padding:.25em .6em;text-align:left}.unknown{color:#777}"
    "svg{max-width:100%;height:auto}"
)


@dataclass(frozen=True)
class Table:
    """`rows` of cells below `head`; None is unknown. `bars` has, for each row, shares from 0 to 1
    that are drawn under the names `measures`; None is unknown there too. `note` says how the order
    came about."""

    title: str
    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    measures: tuple[str, ...]
    bars: tuple[tuple[float | None, ...], ...]


def of_exchanges(ranked: Sequence[Ranked]) -> Table:
    return Table(
        "Exchanges",
        "By the mean of the criteria that are known. What is unknown counts neither for nor "
        "against an exchange.",
        (
            "exchange", "country", "city", "participants", "named networks", "root servers",
            "nonprofit", "cost a month", "forbids surveillance", "undersea cables", "score",
        ),
        tuple(
            (
                one.exchange.name,
                one.exchange.country,
                one.exchange.city,
                _text(one.participants),
                None if one.named is None else ", ".join(one.named) or "none",
                None if one.roots is None else one.roots or "none",
                _yes(one.facts.nonprofit),
                cost_of(one),
                _yes(one.facts.forbids_surveillance),
                _yes(one.facts.sea_cables),
                f"{one.score:.2f} of {one.known}",
            )
            for one in ranked
        ),
        CRITERIA,
        tuple(one.shares for one in ranked),
    )  # fmt: skip


def of_candidates(candidates: Sequence[Candidate]) -> Table:
    traffic = max((one.traffic or 0 for one in candidates), default=0)
    prefixes = max((one.prefixes or 0 for one in candidates), default=0)
    return Table(
        "Networks to peer with",
        "Root servers first, then the named networks, then the others; those that a route server "
        "brings already last. Traffic and prefixes are the networks' own figures, not measured.",
        (
            "network", "AS", "at", "addresses", "root servers", "by route server", "traffic",
            "prefixes", "policy",
        ),
        tuple(
            (
                one.name,
                f"AS{one.asn}",
                ", ".join(one.exchanges),
                ", ".join(map(str, one.addresses)) or None,
                one.roots or "none",
                _yes(one.served),
                one.net.traffic if one.net and one.traffic is not None else None,
                _text(one.prefixes),
                one.net.policy if one.net else None,
            )
            for one in candidates
        ),
        ("root servers", "traffic", "prefixes"),
        tuple(
            (
                len(one.roots) / 2 if one.roots else 0.0,
                _part(one.traffic, traffic),
                _part(one.prefixes, prefixes),
            )
            for one in candidates
        ),
    )  # fmt: skip


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _yes(said: bool | None) -> str | None:
    return None if said is None else "yes" if said else "no"


def _part(number: int | None, most: int) -> float | None:
    return None if number is None else number / most if most else 0.0


def lines(table: Table) -> str:
    """The table for a terminal."""
    cells = [table.head, *([cell or UNKNOWN for cell in row] for row in table.rows)]
    short = [[_cut(cell) for cell in row] for row in cells]
    widths = [max(len(row[at]) for row in short) for at in range(len(table.head))]
    rows = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in short
    ]
    return "\n".join([*rows, "", table.note])


def _cut(cell: str) -> str:
    return cell if len(cell) <= WIDEST else cell[: WIDEST - 3] + "..."


def page(table: Table) -> str:
    """The table and its picture as one page, which loads nothing."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    rows = "\n".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in table.rows)
    title = escape(table.title)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<p>{escape(table.note)}</p>\n"
        f"{picture(table)}\n<table>\n<tr>{head}</tr>\n{rows}\n</table>\n</body></html>\n"
    )


def _cell(cell: str | None) -> str:
    return f'<td class="unknown">{UNKNOWN}</td>' if cell is None else f"<td>{escape(cell)}</td>"


def picture(table: Table) -> str:
    """The bars of the first rows as one `svg` element. What is unknown is a dashed frame."""
    drawn = table.rows[:MOST_DRAWN]
    gap = BAR + 14
    width = LABEL + gap * len(table.measures)
    parts = [
        f'<text x="{LABEL + gap * at}" y="14" font-size="11">{escape(measure)}</text>'
        for at, measure in enumerate(table.measures)
    ]
    for number, (row, shares) in enumerate(zip(drawn, table.bars, strict=False)):
        y = ROW * (number + 1)
        parts.append(f'<text x="4" y="{y + 14}" font-size="12">{escape(_cut(row[0] or ""))}</text>')
        for at, share in enumerate(shares):
            x = LABEL + gap * at
            frame = f'<rect x="{x}" y="{y + 4}" width="{BAR}" height="{ROW - 8}" fill="none" '
            if share is None:
                parts.append(f'{frame}stroke="#999" stroke-dasharray="3 3"/>')
                text = f'<text x="{x + 4}" y="{y + 15}" font-size="10" fill="#777">{UNKNOWN}</text>'
                parts.append(text)
            else:
                wide = round(BAR * min(share, 1))
                bar = f'<rect x="{x}" y="{y + 4}" width="{wide}" height="{ROW - 8}" fill="#476"/>'
                parts += [bar, f'{frame}stroke="#bbb"/>']
    height = ROW * (len(drawn) + 1) + 6
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif">{"".join(parts)}</svg>'
    )
