"""The worksheet of costs: its formulas add up what is there, and show what is unknown."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

SHEET = ROOT / "examples/costs.csv"
Value = float | str

CELL = r"([A-E])([0-9]{1,2})"


class Sheet:
    """A worksheet whose formulas are of the few kinds that this one has; others are errors."""

    def __init__(self, path: Path) -> None:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file, strict=True))
        self.cells = {
            f"{'ABCDE'[column]}{row}": cell
            for row, cells in enumerate(rows, 1)
            for column, cell in enumerate(cells)
        }
        self.rows = {cells[0]: row for row, cells in enumerate(rows, 1) if cells}

    def at(self, item: str, column: str) -> Value:
        return self.value(f"{column}{self.rows[item]}")

    def value(self, cell: str) -> Value:
        said = self.cells.get(cell, "")
        if not said.startswith("="):
            return float(said) if re.fullmatch(r"[0-9.]+", said) else said
        return self.formula(said[1:])

    def formula(self, said: str) -> Value:
        kinds: dict[str, Callable[[re.Match[str]], Value]] = {
            rf'IF\({CELL}="","unknown",{CELL}\*12\)': self.year,
            rf"SUM\({CELL}:{CELL}\)": lambda found: float(
                sum(one for one in self.range(found) if isinstance(one, float))
            ),
            rf"COUNTBLANK\({CELL}:{CELL}\)": lambda found: float(self.range(found).count("")),
            rf"{CELL}\*([0-9]+)": lambda found: self.number(found, 1) * float(found[3]),
            rf"([0-9]+)\*{CELL}": lambda found: self.number(found, 2) * float(found[1]),
            rf"{CELL}\+{CELL}": lambda found: self.number(found, 1) + self.number(found, 3),
            rf"{CELL}/{CELL}": lambda found: self.number(found, 1) / self.number(found, 3),
            rf"{CELL}\+{CELL}/([0-9]+)": lambda found: (
                self.number(found, 1) + self.number(found, 3) / float(found[5])
            ),
        }
        for kind, compute in kinds.items():
            if found := re.fullmatch(kind, said):
                return compute(found)
        raise ValueError(said)

    def year(self, found: re.Match[str]) -> Value:
        assert found[1] + found[2] == found[3] + found[4]
        month = self.value(found[1] + found[2])
        return "unknown" if month == "" else float(month) * 12

    def number(self, found: re.Match[str], group: int) -> float:
        value = self.value(found[group] + found[group + 1])
        assert isinstance(value, float), "a formula adds a text"
        return value

    def range(self, found: re.Match[str]) -> list[Value]:
        assert found[1] == found[3]
        rows = range(int(found[2]), int(found[4]) + 1)
        return [self.value(f"{found[1]}{row}") for row in rows]


@pytest.fixture
def sheet() -> Sheet:
    return Sheet(SHEET)


def test_every_formula_can_be_computed(sheet: Sheet) -> None:
    formulas = [cell for cell, said in sheet.cells.items() if said.startswith("=")]
    assert len(formulas) > 20
    for cell in formulas:
        sheet.value(cell)


def test_the_example_adds_up_to_the_figures_of_the_page(sheet: Sheet) -> None:
    assert sheet.at("sum of what is known", "C") == 700
    assert sheet.at("sum of what is known", "D") == 8400
    assert sheet.at("the first year", "D") == 8400
    assert sheet.at("two of everything", "C") == 1400
    assert sheet.at("directors who give that much and carry the costs", "C") == 2


def test_every_line_is_in_the_sums(sheet: Sheet) -> None:
    last = sheet.rows["sum of what is known"] - 1
    for row in range(2, last + 1):
        for column, sums in (("B", "B"), ("C", "CD")):
            before = {each: sheet.at("sum of what is known", each) for each in sums}
            kept = sheet.cells[f"{column}{row}"]
            sheet.cells[f"{column}{row}"] = str(float(kept or 0) + 100)
            assert all(sheet.at("sum of what is known", each) != before[each] for each in sums)
            sheet.cells[f"{column}{row}"] = kept


def test_an_empty_cell_is_unknown_and_not_nothing(sheet: Sheet) -> None:
    assert sheet.at("exchange", "D") == "unknown"
    assert sheet.at("lines that are unknown", "C") == 9
    sheet.cells[f"C{sheet.rows['exchange']}"] = "0"
    assert sheet.at("exchange", "D") == 0
    assert sheet.at("lines that are unknown", "C") == 8
