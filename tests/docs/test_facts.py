"""Figures and rows of tables that pages repeat from the code are the code's."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.box import generations, ports
from firstboot.box.systems import rehearsal
from firstboot.box.systems.freebsd import SYSTEM
from firstboot.core.limits import UNPACKED_IMAGE
from firstboot.site import model as sites
from firstboot.site import needs, profiles
from firstboot.site.paper.names import first_names
from image.layout import CFG_MIB, EFI_MIB, SLOT_MIB, SMALLEST_MIB
from tests.docs.pages import ROOT, Page

DOCS = ROOT / "docs"
NEWSYSLOG = ROOT / "overlays/management/templates/newsyslog.conf.j2"
OLDER = {"1": "one older piece", "2": "two older pieces"}


def text(page: str) -> str:
    return Page(ROOT / page).text


def test_what_a_rehearsal_lacks_is_on_its_page() -> None:
    rows = {
        line.split("|")[1].strip()
        for line in text("docs/rehearsal.md").splitlines()
        if line[:1] == "|"
    }
    assert {lack.what for lack in rehearsal.SYSTEM.lacks} <= rows


def test_what_a_site_asks_for_is_reckoned_with_the_figures_of_the_pages() -> None:
    told = text("docs/hardware.md")
    routes = sum(needs.TABLE.values())
    assert f"| a core and {needs.RELAY_MIB} MiB for each relay" in told
    assert f"a core for every {needs.CORE_MBIT} Mbit/s" in told
    assert f"| {needs.TABLE_MIB} MiB for a full table of {routes:,} routes" in told
    assert f"| {needs.SYSTEM_MIB} MiB for the kernel" in told
    assert f"each kept for {needs.STATE_SECONDS} s |" in told
    measured = " ".join(text("docs/benchmarks.md").split())
    assert f"{needs.TABLE[4]:,} and {needs.TABLE[6]:,} routes, in one round" in measured
    assert f"and {needs.TABLE_MIB} MiB against" in measured


@pytest.mark.parametrize("page", ["README.md", "docs/hardware.md"])
def test_how_large_a_disk_has_to_be(page: str) -> None:
    assert set(re.findall(r"([0-9]+) MiB (?:and|or) more", text(page))) == {str(SMALLEST_MIB)}


@pytest.mark.parametrize(
    ("label", "mib"), [("efi", EFI_MIB), ("rootA", SLOT_MIB), ("rootB", SLOT_MIB), ("cfg", CFG_MIB)]
)
def test_how_large_the_partitions_are(label: str, mib: int) -> None:
    size = f"{mib // 1024} GiB" if mib % 1024 == 0 else f"{mib} MiB"
    assert re.search(rf"│ {label} +│ +{size} +│", text("docs/image.md"))


def test_how_long_logs_are_kept() -> None:
    rows = text("docs/logging.md").splitlines()
    entries = [line.split() for line in NEWSYSLOG.read_text().splitlines() if line[0] == "/"]
    assert entries
    for name, *_, count, size, _, _ in entries:
        (row,) = (row for row in rows if row.startswith(f"| `{name}` |"))
        assert row.endswith(f"| {size} KiB and {OLDER[count]} |")


def test_how_many_generations_are_kept() -> None:
    assert generations.KEPT == 10
    assert "Ten are kept" in text("docs/day-two.md")
    assert "ten generations" in text("docs/logging.md")


def test_what_is_said_when_the_ports_are_up() -> None:
    said = "The transit and exchange ports are up."
    assert f'"{said}"' in Path(ports.__file__).read_text()
    assert f"`{said}`" in text("docs/getting-started.md")


def test_names_of_addresses_are_those_that_papers_have() -> None:
    site = sites.load(ROOT / "examples" / "one-port-of-each.yaml").value
    eight = replace(site, relays=replace(site.relays, count=8))
    known = {str(address): name for address, name in first_names(eight).items()}
    told: dict[str, str] = {}
    for line in text("docs/getting-started.md").splitlines():
        if re.match(r"\| 198\.51\.100\.", line):
            addresses, names = (cell.strip() for cell in line.split("|")[1:3])
            first, *last = re.findall(r"\d+(?= |$)", addresses)
            labels = re.findall("`([^`]+)`", names)
            told |= {
                f"198.51.100.{n}": label for n, label in zip([first, *last], labels, strict=True)
            }
    assert told["198.51.100.81"] == "tor-exit-8"
    assert told.items() <= known.items()


def test_every_profile_is_in_the_table_of_the_page_on_performance() -> None:
    listed = re.findall(r"(?m)^\| (`.*?`) \|", text("docs/performance.md"))
    names = {name for cell in listed for name in re.findall("`([^`]+)`", cell)}
    assert names == set(profiles.load_all(ROOT / "overlays"))


def test_services_are_named_in_the_order_in_which_they_start() -> None:
    words = ["settings of the kernel", "log", "addresses", "routes", "packet filter"]
    words += ["resolver", "clock", "SSH", "cron", "relays", "BGP"]
    names = [service.name for service in SYSTEM.services if service.name != "exitisp_ports"]
    assert len(names) == len(words)
    sentence = " ".join(text("docs/day-two.md").partition("Services start in order:")[2].split())
    places = [sentence.index(word) for word in words]
    assert places == sorted(places)


@pytest.mark.parametrize("page", ["docs/flashing.md", "docs/hardware.md", "docs/image.md"])
def test_pages_agree_on_two_disks_with_the_image(page: str) -> None:
    words = " ".join(text(page).split())
    said = "Two disks with the image in one machine have the same labels: take one of them out"
    assert said in words


def test_how_large_a_compressed_image_may_be() -> None:
    assert UNPACKED_IMAGE.size == 3 << 30 > SMALLEST_MIB << 20
    assert "at most 3 GiB" in text("docs/flashing.md")
