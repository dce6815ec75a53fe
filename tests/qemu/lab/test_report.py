"""The reports say what was found, need no other file, and are well-formed."""

import dataclasses
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from firstboot.site.address_plan import allot
from firstboot.site.model import Site
from firstboot.site.render import Box, render
from firstboot.site.verify.explain import explain
from firstboot.site.verify.picture import draw as draw_proof
from qemu.lab import report as reports
from qemu.lab.checks import Verdict
from qemu.lab.hearing import Announced, Hearing
from qemu.lab.lab_site import EXAMPLE, SITE, on
from qemu.lab.offer import Refusal
from qemu.lab.picture import draw, draw_narrow
from qemu.lab.report import (
    Moment,
    Origin,
    Report,
    Stage,
    Status,
    Trial,
    render_html,
    render_json,
    save,
    table,
)
from qemu.lab.wires import Span, traffic
from qemu.world.packets import Frame
from tests.qemu.lab.frames import arp, tcp, udp

EXAMPLES = EXAMPLE.parent

BEGAN = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)

GOOD = Verdict(
    "announced", True, "11 sessions hear 198.51.100.0/24", "Every neighbour hears the scopes."
)
BOX = Box(2, 1536, unbound=(1, 25), openbgpd=(8, 9), tor=(0, 4, 9))
PROOF = explain(SITE, BOX, render(SITE, BOX, EXAMPLES.parent / "overlays"))
BAD = Verdict("fetched", False, "the client got '<script>'")


MOMENTS = (Moment("cable of transit-a pulled", 1030.0), Moment("cable of transit-a back", 1060.0))
HEARD = Hearing(
    "upstream-a",
    64496,
    "transit",
    "192.0.2.1",
    True,
    (Announced("198.51.100.0/24", "65550", ("65550:1:1",)),),
)
BOGON = Announced("10.0.0.0/8", "65536 4100001000")
REFUSED = Refusal("bogons", "They are nobody's.", "content", (BOGON,), 1, 0)
INSTEAD = Verdict("permitted", True, "does not apply: no exchange", "Nothing else.", applies=False)


def made(*verdicts: Verdict) -> Report:
    frames = [
        arp("192.0.2.2", "192.0.2.1"),
        tcp("192.0.2.2", "192.0.2.1", 4096, 179),
        udp("198.51.100.2", "11.0.0.53", 4096, 53),
        tcp("198.51.100.12", "11.0.0.80", 4096, 80),
        Frame("02:00:00:00:00:01", 0x0806, arp("192.0.2.1", "192.0.2.2").payload, inbound=False),
        Frame("02:00:00:00:00:01", 0x88CC, bytes(46), inbound=False),
    ]
    frames = [dataclasses.replace(frame, at=1050.0) for frame in frames]
    return Report(
        Origin("exitisp.img", "ab" * 32, "hardenedbsd", "0123abcd", BEGAN, "TCG", "site.yaml"),
        (Stage("the appliance starts", 60.0, 58.5),),
        (Trial("sound", "nothing is wrong", verdicts),),
        (traffic("transit-a", frames, Span(1000.0, 1100.0)),),
        PROOF,
        ("2 of 16 relays run.",),
        MOMENTS,
        (HEARD,),
        (REFUSED,),
    )


class Page(HTMLParser):
    """The links and the elements of a page, and where links may lead inside it."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.inside: list[str] = []
        self.places: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        links = [value or "" for name, value in attributes if name in ("src", "href")]
        self.outside += [link for link in links if not link.startswith("#")]
        self.inside += [link.removeprefix("#") for link in links if link.startswith("#")]
        self.places += [value or "" for name, value in attributes if name == "id"]


def test_a_page_needs_nothing_beside_it() -> None:
    page = Page()
    page.feed(render_html(made(GOOD), SITE))
    assert page.outside == []
    assert {"svg", "table", "style"} <= page.tags
    assert "script" not in page.tags


def test_every_link_leads_to_one_place_on_the_page() -> None:
    faults = [Verdict("told", True, "so", f"`{n}` is printed.") for n in range(2)]
    again = dataclasses.replace(GOOD, name="announced again")
    page = Page()
    page.feed(render_html(made(GOOD, again, INSTEAD, *faults), SITE))
    checks = [place for place in page.places if place.startswith("check-")]
    assert checks == [
        "check-announced-1",
        "check-permitted-2",
        "check-told-3",
        "check-told-4",
    ]
    assert set(page.inside) >= {*checks, "heard", "refused", "traffic", "passes", "wires", "checks"}
    assert set(page.inside) <= set(page.places)
    assert len(set(page.places)) == len(page.places)
    assert page.inside.count("check-announced-1") == 2


def test_a_page_says_what_neighbours_heard_and_what_was_refused_and_why() -> None:
    text = render_html(made(GOOD), SITE)
    assert "<code>198.51.100.0/24</code> path 65550, 65550:1:1" in text
    assert "0 of 1 taken" in text
    assert "They are nobody&#39;s." in text
    assert '<code>10.0.0.0/8</code> <span class="why">65536 4100001000</span>' in text
    silent = dataclasses.replace(HEARD, up=False, routes=())
    down = render_html(dataclasses.replace(made(GOOD), heard=(silent,), refusals=()), SITE)
    assert '<span class="no">down</span>' in down
    assert "nothing</td>" in down
    assert "What was refused" not in down


def test_a_page_says_when_something_was_done_and_what_the_site_lacks() -> None:
    text = render_html(made(GOOD), SITE)
    assert "<li>after 30 s: cable of transit-a pulled</li>" in text
    assert "<li>2 of 16 relays run.</li>" in text
    assert "site.yaml in the lab" in text


def test_what_does_not_apply_holds_and_says_why() -> None:
    assert made(INSTEAD).holds
    assert '<td class="verdict not">-</td>' in render_html(made(INSTEAD), SITE)
    untried = Trial("bgpd-killed", "bgpd is killed.", (), "there is no BGP")
    text = render_html(dataclasses.replace(made(GOOD), trials=(untried,)), SITE)
    assert "Not tried: there is no BGP." in text
    assert table(untried).splitlines()[1] == "  does not apply: there is no BGP"
    assert table(made(INSTEAD).trials[0]).splitlines()[1].split()[:2] == ["-", "permitted"]


def test_a_site_with_a_provider_s_addresses_has_a_page() -> None:
    site = on("vtnet{}", EXAMPLES / "relays-only.yaml")
    bare = dataclasses.replace(made(GOOD), proof=None, heard=(), refusals=(), moments=())
    text = render_html(bare, site)
    assert "a provider&#39;s addresses" in text
    assert "ASNone" not in text
    assert "the provider&#x27;s router" in text


def test_a_page_says_what_was_found() -> None:
    text = render_html(made(GOOD, BAD), SITE)
    assert "Not everything holds." in text
    assert GOOD.evidence in text
    assert "&lt;script&gt;" in text
    assert "Everything holds." in render_html(made(GOOD), SITE)


def test_a_page_says_what_each_check_is_and_when_and_of_which_commit_it_was_made() -> None:
    text = render_html(made(GOOD), SITE)
    assert "Every neighbour hears the scopes." in text
    assert "2026-11-29 12:30 UTC" in text
    assert "0123abcd" in text


def test_the_file_for_programs_has_date_and_commit() -> None:
    origin = json.loads(render_json(made(GOOD)))["origin"]
    assert origin["began"] == "2026-11-29T12:30:00+00:00"
    assert origin["commit"] == "0123abcd"


def test_a_page_tells_what_passes_and_by_which_line() -> None:
    text = render_html(made(GOOD), SITE)
    assert draw_proof(SITE, PROOF) in text
    assert "out on exchange (vtnet2, exchange)" in text
    for way in PROOF.ways:
        for one in way.passing:
            assert f"line {one.line}, {one.label}" in text
    assert "198.51.100.0/24, and nothing else" in text
    assert "deny quick from ebgp ovs invalid" in text


def test_a_system_without_pf_has_no_proof() -> None:
    report = dataclasses.replace(made(GOOD), proof=None)
    assert "What passes" not in render_html(report, SITE)
    assert json.loads(render_json(report))["proof"] is None


def test_the_file_for_programs_has_the_proof() -> None:
    ways = json.loads(render_json(made(GOOD)))["proof"]["ways"]
    assert [(one["port"], one["direction"]) for one in ways] == [
        (port.name, way) for port in SITE.ports for way in ("in", "out")
    ]


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
        "  holds  announced  11 sessions hear 198.51.100.0/24",
        "  FAILS  fetched    the client got '<script>'",
    ]


SITES = [
    SITE,
    *(on("vtnet{}", EXAMPLES / f"{name}.yaml") for name in ("one-port-of-each", "relays-only")),
]


@pytest.mark.parametrize("site", SITES, ids=["lab", "one-of-each", "provided"])
@pytest.mark.parametrize("drawing", [draw, draw_narrow], ids=["wide", "narrow"])
class TestDrawing:
    def test_it_has_every_port_and_everybody_beside_one(
        self, drawing: Callable[[Site], str], site: Site
    ) -> None:
        texts = {one.text for one in _elements(drawing(site), "text")}
        whose = "a provider's addresses" if site.asn is None else f"AS{site.asn}"
        assert {"the appliance", whose, *map(str, site.scopes)} <= texts
        for port in site.ports:
            assert any(text and text.startswith(port.name) for text in texts)
        for session in allot(site).sessions:
            assert {session.peer.name, str(session.remote), str(session.local)} <= texts

    def test_no_text_overprints_another_or_leaves_its_box(
        self, drawing: Callable[[Site], str], site: Site
    ) -> None:
        picture = drawing(site)
        frames = [_extent(one) for one in _elements(picture, "rect")]
        texts = [_text_extent(one) for one in _elements(picture, "text")]
        for one, other in itertools.combinations(texts, 2):
            assert not one.overlaps(other), (one, other)
        for text in texts:
            assert any(text.inside(frame) for frame in frames), text

    def test_everything_is_within_the_picture(
        self, drawing: Callable[[Site], str], site: Site
    ) -> None:
        root = ElementTree.fromstring(drawing(site))
        whole = Extent(0, 0, int(root.get("width", "")), int(root.get("height", "")))
        for one in _elements(drawing(site), "rect"):
            assert _extent(one).inside(whole)


@dataclass(frozen=True)
class Extent:
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: "Extent") -> bool:
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def inside(self, other: "Extent") -> bool:
        return (
            other.x <= self.x
            and other.y <= self.y
            and self.x + self.width <= other.x + other.width
            and self.y + self.height <= other.y + other.height
        )


def _elements(picture: str, name: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(picture).iter(f"{{http://www.w3.org/2000/svg}}{name}"))


def _extent(rect: ElementTree.Element) -> Extent:
    return Extent(*(float(rect.get(name, "0")) for name in ("x", "y", "width", "height")))


def _text_extent(text: ElementTree.Element) -> Extent:
    """The space that the text needs at most: 0.62 em per character, which few sans-serif fonts
    exceed."""
    size = 13 if text.get("class") == "name" else 11
    x, baseline = float(text.get("x", "0")), float(text.get("y", "0"))
    return Extent(x, baseline - size + 2, 0.62 * size * len(text.text or ""), size)


def test_traffic_is_told_by_kind_and_source() -> None:
    (wire,) = made().wires
    assert (wire.sent, wire.received) == (4, 2)
    assert wire.kinds == {"ARP": 2, "BGP": 1, "DNS": 1, "relays": 1, "0x88cc": 1}
    assert wire.sources["198.51.100.2"] == 1


def test_both_forms_say_what_status_said_in_each_state() -> None:
    dead = Trial("resolver-killed", "It is killed.", (GOOD,), status=Status(False, ("DOWN: <b>",)))
    well = dataclasses.replace(dead, name="sound", status=Status(True, ()))
    report = dataclasses.replace(made(GOOD), trials=(well, dead, Trial("x", "X.", (GOOD,))))
    page = " ".join(render_html(report, SITE).split())
    assert '<td class="name">sound</td><td>well</td> <td>nothing</td>' in page
    assert "<td>not well</td> <td>DOWN: &lt;b&gt;<br>" in page
    told = json.loads(render_json(report))["trials"]
    assert [one["status"] and one["status"]["well"] for one in told] == [True, False, None]
    assert "  status said: not well\n  status said: DOWN: <b>" in table(dead)
    assert 'id="status"' not in render_html(made(GOOD), SITE)
