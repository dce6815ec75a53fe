"""What an operator found out about exchanges, which no database has: a table (CSV).

The first line names the columns: ``exchange`` (its number at PeeringDB, or its name), and any of
``nonprofit``, ``forbids_surveillance``, ``sea_cables`` (yes or no), ``monthly_cost`` (a number)
with ``currency``. An empty cell is unknown.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.fault import listed, quote
from firstboot.core.limits import MIB
from firstboot.core.refusal import Refusal
from firstboot.site.published.files import read_file

TABLE = MIB
YES_OR_NO = ("nonprofit", "forbids_surveillance", "sea_cables")
COLUMNS = ("exchange", *YES_OR_NO, "monthly_cost", "currency")


@dataclass(frozen=True)
class Facts:
    """What is known of one exchange; None is unknown."""

    nonprofit: bool | None = None
    forbids_surveillance: bool | None = None
    sea_cables: bool | None = None
    monthly_cost: float | None = None
    currency: str = ""


def load(path: Path) -> Mapping[str, Facts]:
    """Read the file at `path`: facts by the exchange as the file names it, in lower case. Raises
    Refusal."""
    return parse(read_file(path, TABLE), str(path))


def parse(data: bytes, name: str) -> Mapping[str, Facts]:
    """What `load` does with the file's bytes."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refusal(name, f"it is no table: {error}", "Save it as CSV in UTF-8") from error
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    head = [cell.strip() for cell in rows[0]] if rows else []
    unknown = [column for column in head if column not in COLUMNS]
    if "exchange" not in head or unknown or len({*head}) != len(head):
        problem = (
            f"the column {quote(unknown[0])} is unknown"
            if unknown
            else "there is no column exchange"
        )
        raise Refusal(name, problem, f"Use each of these once at most: {listed([*COLUMNS])}")
    found: dict[str, Facts] = {}
    for number, row in enumerate(rows[1:], 2):
        cells = dict(zip(head, (cell.strip() for cell in row), strict=False))
        where = f"{name}: row {number}"
        exchange = cells.get("exchange", "").lower()
        if not exchange or len(row) > len(head):
            raise Refusal(
                where, "it has not the cells of the first row", "Write one for each column"
            )
        if exchange in found:
            raise Refusal(where, f"{quote(exchange)} is there twice", "Keep one of the rows")
        found[exchange] = Facts(
            **{column: _yes(cells.get(column, ""), where, column) for column in YES_OR_NO},
            monthly_cost=_cost(cells.get("monthly_cost", ""), where),
            currency=cells.get("currency", "").upper(),
        )
    return found


def _yes(cell: str, where: str, column: str) -> bool | None:
    if cell.lower() in ("yes", "no"):
        return cell.lower() == "yes"
    if cell:
        problem = f"{column} is {quote(cell)}"
        raise Refusal(where, problem, "Write yes or no, or leave it empty if it is unknown")
    return None


def _cost(cell: str, where: str) -> float | None:
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", cell):
        return float(cell)
    if cell:
        problem = f"monthly_cost is {quote(cell)}"
        raise Refusal(where, problem, "Write a number such as 250 or 99.50, or leave it empty")
    return None


def of(facts: Mapping[str, Facts], keys: Sequence[str]) -> Facts:
    """The facts of the exchange that has one of the names `keys`."""
    return next((facts[key.lower()] for key in keys if key.lower() in facts), Facts())
