"""A report as one page of HTML with nothing from elsewhere, for a screen, a phone and paper."""

from collections.abc import Iterator
from html import escape

from firstboot.box.reports.document import Block, Plot, Report, Section, Table, Warn
from firstboot.box.reports.plot import drawn

STYLE = """\
:root { color-scheme: light dark; --ink: #1c2330; --dim: #5d6778; --page: #fbfbfa; --card: #fff;
  --rule: #e3e5e9; --warn: #9b1c1c; --warn-page: #fdeeee; --band: #d9363620;
  --c0: #3b62c4; --c1: #c4622d; --c2: #2b8a5f; --c3: #8a4fb0; --c4: #a8830f; --c5: #4a90a4 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ec; --dim: #98a2b3; --page: #14171c;
  --card: #1b1f26; --rule: #2d333d; --warn: #ff9c9c; --warn-page: #3a1c1e; --band: #ff6b6b26;
  --c0: #86a8ff; --c1: #f0a070; --c2: #6fcf9f; --c3: #cf9df0; --c4: #e0c060; --c5: #8fd0e0 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
main { max-width: 52rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem }
header { border-bottom: 3px solid var(--c0); padding-bottom: 1rem; margin-bottom: 1.5rem }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; letter-spacing: -.01em; text-wrap: balance }
header p { margin: .4rem 0 0; color: var(--dim) }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem }
h3 { font-size: .9rem; font-weight: 600; margin: 0 0 .4rem }
h3 span { color: var(--dim); font-weight: 400 }
p { margin: .5rem 0 }
.warn { background: var(--warn-page); color: var(--warn); border-left: 4px solid var(--warn);
  padding: .7rem 1rem; border-radius: 4px; font-weight: 600 }
.wide { overflow-x: auto; margin: .8rem 0 }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { text-align: left; vertical-align: top; padding: .4rem .9rem .4rem 0;
  border-bottom: 1px solid var(--rule) }
th { color: var(--dim); font-weight: 600; white-space: nowrap }
td:first-child { white-space: nowrap; font-variant-numeric: tabular-nums }
.number { text-align: right; font-variant-numeric: tabular-nums }
figure { margin: 1rem 0; padding: 1rem 1rem .6rem; background: var(--card);
  border: 1px solid var(--rule); border-radius: 8px; break-inside: avoid }
svg { display: block; width: 100%; height: auto; overflow: visible }
svg text { fill: var(--dim); font-size: 12px }
.end { text-anchor: end } .mid { text-anchor: middle }
.level { stroke: var(--rule) } .band { fill: var(--band) }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round }
polygon { opacity: .14 }
.lines { list-style: none; margin: .4rem 0 0; padding: 0; display: flex; flex-wrap: wrap;
  gap: .2rem 1.2rem; font-size: .85rem; color: var(--dim) }
.lines li::before { content: ""; display: inline-block; width: .9em; height: .25em;
  margin-right: .45em; vertical-align: .22em; border-radius: 2px; background: var(--c) }
footer { margin-top: 3rem; color: var(--dim); font-size: .85rem }
@media print { :root { --page: #fff; --ink: #000; --dim: #444; --card: #fff; --rule: #ccc;
  --c0: #1d4ed8 } main { max-width: none; padding: 0 } body { font-size: 10.5pt }
  h2 { break-after: avoid } tr { break-inside: avoid } .wide { overflow: visible } }
"""

COLOURS = "\n".join(
    f".c{n} {{ --c: var(--c{n}) }} polyline.c{n} {{ stroke: var(--c{n}) }} "
    f"polygon.c{n}, circle.c{n} {{ fill: var(--c{n}) }}"
    for n in range(6)
)


NUMBER = ' class="number"'


def written(report: Report) -> str:
    body = "\n".join(line for section in report.sections for line in _section(section))
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(report.title)}</title>
<style>
{STYLE}{COLOURS}
</style>
</head>
<body>
<main>
<header>
<h1>{escape(report.title)}</h1>
<p>{escape(report.subtitle)}</p>
</header>
{body}
<footer>Made by the box itself: exitisp report. Times are UTC. Nothing here is about users.</footer>
</main>
</body>
</html>
"""


def _section(section: Section) -> Iterator[str]:
    yield f"<section>\n<h2>{escape(section.title)}</h2>"
    for block in section.blocks:
        yield from _block(block)
    yield "</section>"


def _block(block: Block) -> Iterator[str]:
    match block:
        case str():
            yield f"<p>{escape(block)}</p>"
        case Warn():
            yield f'<p class="warn" role="alert">{escape(block.text)}</p>'
        case Table():
            yield from _table(block)
        case Plot():
            title = f"{escape(block.title)} <span>{escape(block.unit)}</span>"
            yield f"<figure>\n<h3>{title}</h3>\n{drawn(block)}\n</figure>"


def _table(found: Table) -> Iterator[str]:
    def row(cells: tuple[str, ...], kind: str) -> str:
        made = (
            f"<{kind}{NUMBER if at in found.numbers else ''}>{escape(cell)}</{kind}>"
            for at, cell in enumerate(cells)
        )
        return f"<tr>{''.join(made)}</tr>"

    yield '<div class="wide"><table>'
    yield f"<thead>{row(found.heads, 'th')}</thead>\n<tbody>"
    yield from (row(cells, "td") for cells in found.rows)
    yield "</tbody></table></div>"
