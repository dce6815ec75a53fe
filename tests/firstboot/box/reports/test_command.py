"""exitisp report on a box: from its journal, which is verified, as text and as a page."""

import shutil
from html.parser import HTMLParser

import pytest

from firstboot.box import cli
from firstboot.box.journal.store import append
from tests.firstboot.box.box import Box
from tests.firstboot.box.journal.keeping import KeyedBox, with_key
from tests.firstboot.box.reports.told import OF_2018, SPOOFED
from tests.firstboot.box.test_apply import configured

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen")


@pytest.fixture
def told(box: Box, monkeypatch: pytest.MonkeyPatch) -> KeyedBox:
    keyed = with_key(configured(box))
    monkeypatch.setattr(cli, "_machine", lambda _: keyed.machine)
    append(OF_2018, keyed.machine)
    return keyed


def printed(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str]:
    capsys.readouterr()
    status = cli.main(line.split())
    out, err = capsys.readouterr()
    return status, out + err


def test_the_last_incident_is_told_with_how_far_it_can_be_trusted(
    told: KeyedBox, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = printed(capsys, "report incident")
    assert status == 0
    assert found.startswith("Incident at AS65550 (198.51.100.1)\n=====")
    assert "2025-11-30 12:00 to 2025-11-30 12:02 UTC" in found
    assert "Every entry follows the one before it, and the box has signed them." in found
    assert "Key of the box: ssh-ed25519 AAAA" in found.replace("\n", " ")
    assert max(map(len, found.splitlines())) <= 120


def test_another_incident_is_chosen_by_its_time(
    told: KeyedBox, capsys: pytest.CaptureFixture[str]
) -> None:
    later = [one for one in SPOOFED if one.values]
    append(later, told.machine)
    _, found = printed(capsys, "report incident")
    assert "Somebody sends with this network's addresses" in found
    assert "The journal has others" in found
    status, found = printed(capsys, "report incident 2024")
    assert status == 1
    assert "no incident began at 2024. Name one of those" in found


def test_a_journal_that_was_changed_is_told_before_anything_else(
    told: KeyedBox, capsys: pytest.CaptureFixture[str]
) -> None:
    (piece,) = (told.root / "data/journal").glob("*.jsonl")
    piece.write_bytes(piece.read_bytes().replace(b"generation 7", b"generation 8"))
    status, found = printed(capsys, "report incident")
    assert status == 1
    lines = found.splitlines()
    assert lines[4] == "How far this can be trusted"
    assert lines[6].startswith("!!! The journal is damaged: entry 3 does not follow")


def test_no_journal_is_told(box: Box, capsys: pytest.CaptureFixture[str],
                            monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(cli, "_machine", lambda _: configured(box).machine)
    status, found = printed(capsys, "report incident")
    assert status == 1
    assert "!!! The journal is absent" in found
    assert "The journal has nothing." in found


def test_there_is_no_other_report(told: KeyedBox, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = printed(capsys, "report rumours")
    assert status == 1
    assert "there is no report 'rumours'. Name one of: incident, month, transparency" in found


class Page(HTMLParser):
    """Closes what it opens, and takes nothing from elsewhere."""

    EMPTY = ("meta", "line", "rect", "polyline", "polygon", "circle")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.from_elsewhere: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in self.EMPTY:
            self.open.append(tag)
        self.from_elsewhere += [name for name, _ in attributes if name in ("src", "href")]

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(found: str) -> Page:
    parsed = Page()
    parsed.feed(found)
    assert parsed.open == []
    assert parsed.from_elsewhere == []
    for word in ("url(", "@import", "<script", "http:", "https:"):
        assert word not in found
    return parsed


def test_a_page_is_whole_by_itself(told: KeyedBox, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = printed(capsys, "report --html incident")
    assert status == 0
    assert found.startswith("<!doctype html>")
    page(found)
    assert "used an address that is not one of the box&#x27;s own" in found


def test_complaints_are_counted_and_published(
    told: KeyedBox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: float(OF_2018[0].time))
    for category in ("copyright", "copyright", "asked"):
        status, found = printed(capsys, f"abuse count {category}")
        assert status == 0
    status, found = printed(capsys, "report transparency 2025")
    assert status == 0
    assert "Transparency report of AS65550" in found
    assert status == 0
    status, found = printed(capsys, "abuse count rumours")
    assert status == 1
    assert "there is no category 'rumours'. Name one of: login" in found
    assert printed(capsys, "abuse counts spam")[0] == 2


def test_damaged_counts_are_refused_and_kept(
    told: KeyedBox, capsys: pytest.CaptureFixture[str]
) -> None:
    path = told.root / "data/complaints.json"
    path.write_text('{"2025-11": {"rumours": 3}}')
    for line in ("abuse count spam", "report transparency"):
        assert printed(capsys, line)[0] == 1
    assert "rumours" in path.read_text()


def test_a_month_is_told_as_a_page(told: KeyedBox, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = printed(capsys, "report --html month 2025-11")
    assert status == 0
    page(found)
    assert "in November 2025" in found
