"""The reports say what was found, are complete by themselves, and are well-formed."""

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from firstboot.site.address_plan import allot
from qemu.lab import report as reports
from qemu.lab.checks import Verdict
from qemu.lab.lab_site import SITE
from qemu.lab.picture import draw
from qemu.lab.report import Report, Stage, Trial, render_html, save, table
from qemu.lab.wires import traffic
from qemu.world.packets import Frame
from tests.qemu.lab.frames import arp, tcp, udp

GOOD = Verdict("announced", True, "11 sessions hear 198.51.100.0/24")
BAD = Verdict("fetched", False, "the client got '<script>'")


def made(*verdicts: Verdict) -> Report:
    frames = [
        arp("192.0.2.2", "192.0.2.1"),
        tcp("192.0.2.2", "192.0.2.1", 4096, 179),
        udp("198.51.100.2", "11.0.0.53", 4096, 53),
        tcp("198.51.100.12", "11.0.0.80", 4096, 80),
        Frame("02:00:00:00:00:01", 0x0806, arp("192.0.2.1", "192.0.2.2").payload, inbound=False),
        Frame("02:00:00:00:00:01", 0x88CC, bytes(46), inbound=False),
    ]
    return Report(
        "exitisp.img",
        "ab" * 32,
        "hardenedbsd",
        "TCG",
        (Stage("the appliance starts", 60.0, 58.5),),
        (Trial("sound", "nothing is wrong", verdicts),),
        (traffic("transit-a", frames),),
    )


class Page(HTMLParser):
    """What a page refers to, and the elements that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.outside += [value or "" for name, value in attributes if name in ("src", "href")]


def test_a_page_needs_nothing_beside_it() -> None:
    page = Page()
    page.feed(render_html(made(GOOD), SITE))
    assert page.outside == []
    assert {"svg", "table", "style"} <= page.tags
    assert "script" not in page.tags


def test_a_page_says_what_was_found() -> None:
    text = render_html(made(GOOD, BAD), SITE)
    assert "Not everything holds." in text
    assert GOOD.evidence in text
    assert "&lt;script&gt;" in text
    assert "Everything holds." in render_html(made(GOOD), SITE)


def test_both_files_are_written(tmp_path: Path) -> None:
    page, data = save(made(GOOD, BAD), SITE, tmp_path / "dist")
    told = json.loads(data.read_text())
    assert told["holds"] is False
    assert told["trials"][0]["verdicts"][1]["name"] == "fetched"
    assert told["wires"][0]["kinds"]["BGP"] == 1
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "lab-report.html",
        "lab-report.json",
    ]


def test_a_power_cut_leaves_the_report_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, data = save(made(GOOD), SITE, tmp_path)
    before = page.read_bytes(), data.read_bytes()

    def cut(path: Path, content: bytes) -> None:
        raise OSError("no power")

    monkeypatch.setattr(reports, "replace", cut)
    with pytest.raises(OSError, match="no power"):
        save(made(BAD), SITE, tmp_path)
    assert (page.read_bytes(), data.read_bytes()) == before


def test_a_table_has_a_line_for_each_check() -> None:
    lines = table(made(GOOD, BAD).trials[0]).splitlines()
    assert lines == [
        "sound: nothing is wrong",
        "  holds   announced  11 sessions hear 198.51.100.0/24",
        "  NOT SO  fetched    the client got '<script>'",
    ]


def test_the_picture_has_every_port_and_everybody_beside_one() -> None:
    picture = draw(SITE)
    ElementTree.fromstring(picture)
    for port in SITE.ports:
        assert f">{port.name}<" in picture
    for session in allot(SITE).sessions:
        assert session.peer.name in picture
        assert str(session.remote) in picture


def test_traffic_is_told_by_kind_and_source() -> None:
    (wire,) = made().wires
    assert (wire.sent, wire.received) == (4, 2)
    assert wire.kinds == {"ARP": 2, "BGP": 1, "DNS": 1, "relays": 1, "0x88cc": 1}
    assert wire.sources["198.51.100.2"] == 1
