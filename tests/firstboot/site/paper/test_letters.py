"""Letters, the exit notice in several languages, and the checklist."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from firstboot.site.commands import BOX
from firstboot.site.model import PeerRole, PortRole
from firstboot.site.paper.command import papers
from firstboot.site.paper.details import details
from firstboot.site.paper.letters.checklist import tasks
from firstboot.site.paper.letters.letters import LANGUAGES, letters
from firstboot.site.render import Rendered, render
from firstboot.site.verify import notice
from firstboot.site.verify.context import Context
from tests.firstboot.site.paper.sites import ARIN, BOTH, RELAYS_ONLY, RIPE, site
from tests.firstboot.site.sites import ROOT

OVERLAYS = ROOT / "overlays"
ALL = (*BOTH, RELAYS_ONLY)


def written(*changes: tuple[str, str], of: object = RIPE) -> dict[str, str]:
    made = site(*changes, of=of)
    found = letters(made, details(made), OVERLAYS)
    return {name.removeprefix("letters/"): text for name, text in found.items()}


class Page(HTMLParser):
    """Tags in order, with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


class TestExitNotice:
    @pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_what_judges_the_box_s_has_no_objection(self, language: str, path: Path) -> None:
        made = site(of=path)
        text = written(of=path)[f"exit-notice.{language}.html"]
        file = Rendered("exit-notice.html", text, 0o644, "root", "wheel")
        assert list(notice.check(file, Context.of(made, BOX))) == []
        assert Page(text).of("html") == [{"lang": language}]

    def test_the_english_one_is_the_box_s(self) -> None:
        files = {file.path: file.text for file in render(site(), BOX, OVERLAYS)}
        assert written()["exit-notice.en.html"] == files["etc/local/tor/exit-notice.html"]

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_all_have_the_same_parts_and_lead_to_the_same_places(self, language: str) -> None:
        english, other = (Page(written()[f"exit-notice.{one}.html"]) for one in ("en", language))
        assert [tag for tag, _ in english.tags] == [tag for tag, _ in other.tags]
        assert english.of("a") == other.of("a")

    def test_a_name_is_text_and_not_a_tag(self) -> None:
        text = written(("Example Onion Coöperatie", "Exit & Söhne"))["exit-notice.de.html"]
        assert "Exit &amp; Söhne" in text
        assert "Exit & Söhne" not in text


class TestLetters:
    def test_every_upstream_gets_a_letter_of_authority_and_a_notice(self) -> None:
        found = written()
        for peer in site().peers:
            for kind in ("authority", "notice"):
                name = f"{kind}-{peer.name}.txt"
                assert (name in found) == (peer.role is PeerRole.TRANSIT)
                if name in found:
                    assert f"AS{peer.asn}" in found[name]
                    for scope in site().scopes:
                        assert f"    {scope}\n" in found[name]

    def test_an_upstream_is_asked_for_the_names_of_its_link_alone(self) -> None:
        text = written()["notice-upstream-a.txt"]
        assert "2.2.0.192.in-addr.arpa. PTR link-transit-a.exit.example.net.\n" in text
        assert "link-transit-b" not in text

    def test_the_form_of_a_port_has_the_ethernet_address_and_the_limits(self) -> None:
        found = written()
        ports = [port for port in site().ports if port.role is PortRole.EXCHANGE]
        assert [name for name in found if name.startswith("port-")] == [
            f"port-{port.name}.txt" for port in ports
        ]
        text = found["port-exchange.txt"]
        assert "02:00:5e:10:00:0b" in text
        assert "203.0.113.10/24, 2001:db8:200::10/64" in text
        assert "IPv4:  1\n" in text
        assert "IPv6:  2\n" in text
        assert "route-server-2 (AS64497): 2001:db8:200::10 to 2001:db8:200::2\n" in text

    def test_a_port_without_an_ethernet_address_has_a_blank(self) -> None:
        text = written(('    mac: "02:00:5e:10:00:0a"\n', ""), of=ARIN)["port-exchange.txt"]
        assert "Ethernet address:   ____" in text

    @pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
    def test_no_letter_has_a_secret_or_the_management_s_address(self, path: Path) -> None:
        secrets = [peer.md5 for peer in site(of=path).peers if peer.md5]
        for text in written(of=path).values():
            assert not any(secret in text for secret in secrets)
            assert "192.0.2.194" not in text

    def test_a_provider_gets_a_notice_that_says_nothing_of_bgp(self) -> None:
        found = written(of=RELAYS_ONLY)
        assert "AS64" not in found["notice-provider.txt"]
        assert "None" not in "".join(found.values())
        assert not [name for name in found if name.startswith(("authority", "port", "manrs"))]

    def test_manrs_asks_for_an_aspa_only_where_there_is_one(self) -> None:
        assert "ASPA" in written()["manrs.txt"]
        alone = (
            "    role: transit\n    addresses: [192.0.2.1,",
            "    role: peer\n    addresses: [192.0.2.1,",
        )
        assert "ASPA" not in written(alone, of=ARIN)["manrs.txt"]


class TestChecklist:
    @pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
    def test_nothing_stands_before_what_it_waits_for(self, path: Path) -> None:
        done: set[str] = set()
        for task in tasks(site(of=path)):
            assert {*task.after} <= done, task.title
            assert task.key not in done
            done.add(task.key)

    @pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
    def test_every_paper_that_it_names_is_there_and_every_letter_is_named(self, path: Path) -> None:
        made = site(of=path)
        known = details(made)
        files = {**papers(made, known, 1), **letters(made, known, OVERLAYS)}
        named = [paper for task in tasks(made) for paper in task.papers]
        for paper in named:
            assert any(name.startswith(paper) for name in files), paper
        for name in files:
            if name.startswith(("letters/notice", "letters/authority", "letters/port")):
                assert name in named

    def test_prefixes_are_announced_after_upstreams_roas_and_names(self) -> None:
        by_key = {task.key: task for task in tasks(site())}
        waits = {"transit-upstream-a", "transit-upstream-b", "port-exchange", "roas", "names"}
        assert waits <= {*by_key["box"].after}

    @pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
    def test_the_page_fetches_nothing_and_has_a_date_for_each_task(self, path: Path) -> None:
        text = written(of=path)["checklist.html"]
        page = Page(text)
        assert {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "form"} == set()
        assert not any({"src", "srcset", "action"} & {*attributes} for _, attributes in page.tags)
        assert "url(" not in text
        assert "@import" not in text
        links = [str(one["href"]) for one in page.of("a")]
        ids = [f"#{one['id']}" for one in page.of("h2")]
        assert {*links} <= {*ids}
        assert len({*ids}) == len(ids) == len(tasks(site(of=path)))
        assert [one["type"] for one in page.of("input")] == ["date"] * len(ids)

    def test_the_page_fits_a_phone_and_paper(self) -> None:
        text = written()["checklist.html"]
        assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
        assert "@media print" in text
