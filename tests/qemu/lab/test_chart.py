"""Traffic over time: counted in intervals, drawn with the moments at which something was done."""

import itertools
import re
from xml.etree import ElementTree

import pytest

from qemu.lab.chart import MARK, NARROW, WIDE, Band, draw, placed
from qemu.lab.wires import OverTime, Span, over_time
from qemu.world.packets import Frame

SVG = "{http://www.w3.org/2000/svg}"
QUIET = OverTime(1000.0, 1.0, (0,) * 60, (0,) * 60)
BUSY = OverTime(1000.0, 1.0, (0, 400, *(0,) * 58), (100,) * 60)


def frame(at: float, size: int, inbound: bool = True) -> Frame:
    return Frame("02:00:00:00:00:01", 0x0800, bytes(size - 14), None, inbound, at)


def test_bytes_are_counted_in_the_interval_of_their_time_and_direction() -> None:
    frames = [
        frame(1000.0, 100),
        frame(1001.9, 60),
        frame(1004.0, 1514, inbound=False),
        frame(1010.0, 90),
    ]
    found = over_time(frames, Span(1000.0, 1010.0), intervals=5)
    assert found == OverTime(1000.0, 2.0, (160, 0, 0, 0, 90), (0, 0, 1514, 0, 0))


def test_a_tag_counts_too() -> None:
    assert Frame("02:00:00:00:00:01", 0x0800, bytes(46), 1203).size == 64


def test_the_span_is_that_of_all_wires() -> None:
    assert Span.of([[frame(7.0, 60)], [], [frame(3.0, 60), frame(5.0, 60)]]) == Span(3.0, 7.0)
    assert Span.of([[], []]) is None


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_each_wire_has_a_band_with_its_name_and_its_peak(width: int) -> None:
    root = ElementTree.fromstring(draw([Band("a<b", BUSY), Band("idle", QUIET)], [], width))
    texts = [one.text for one in root.iter(f"{SVG}text")]
    assert "a<b: at most 400 B/s" in texts
    assert "60 s" in texts
    kinds = [one.get("class") for one in root.iter(f"{SVG}path")]
    assert kinds == ["sent", "received", "axis"] * 2
    assert root.get("width") == str(width)


def test_the_most_of_a_wire_reaches_the_edge_of_its_band() -> None:
    root = ElementTree.fromstring(draw([Band("a", BUSY)], []))
    sent, received, axis = (one.get("d", "") for one in root.iter(f"{SVG}path"))
    middle = int(axis.split()[1].split(" ")[0])
    heights = {float(y) for y in re.findall(r"V([0-9.]+)", sent)}
    assert min(heights) == middle - 34
    assert {float(y) for y in re.findall(r"V([0-9.]+)", received)} == {middle, middle + 17}


def test_a_moment_is_where_it_was_and_has_its_number() -> None:
    root = ElementTree.fromstring(draw([Band("a", BUSY)], [1000.0, 1030.0, 5000.0], WIDE))
    numbers = [one for one in root.iter(f"{SVG}text") if one.get("class") == "number"]
    assert [(one.text, float(one.get("x", ""))) for one in numbers] == [
        ("1", 4.0),
        ("2", 450.0),
        ("3", 896.0),
    ]


def test_no_number_overprints_another() -> None:
    marks = placed([0, 3, 5, 40, 41, 90])
    assert [mark.row for mark in marks] == [0, 1, 2, 0, 1, 0]
    for one, other in itertools.combinations(marks, 2):
        assert one.row != other.row or other.x - one.x >= MARK
