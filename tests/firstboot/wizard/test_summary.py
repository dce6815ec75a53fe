"""The table and the drawing fit the terminal, and show everything but secrets."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from firstboot.core import partial
from firstboot.site.model import Site, load
from firstboot.site.redact import secrets
from firstboot.wizard.diagram import draw
from firstboot.wizard.summary import WIDTH, summary
from tests.firstboot.site.sites import EXAMPLES, SITES, TWO
from tests.firstboot.wizard.script import many


def table(site: Site) -> str:
    tree = partial.of(site)
    assert isinstance(tree, dict)
    return summary(tree)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_table_has_everything_but_secrets(path: Path) -> None:
    site = load(path).value
    text = " ".join(table(site).split())
    for port in site.ports:
        assert f"{port.name} {port.role.value}; on {port.device}" in text
        assert " ".join(map(str, port.addresses)) in text
    for peer in site.peers:
        assert f"{peer.name} {peer.role.value}; AS{peer.asn}; {peer.addresses[0]}" in text
    assert site.operator.abuse in text
    assert not any(secret in text for secret in secrets(site))


@given(SITES)
def test_every_site_has_a_table_that_fits(site: Site) -> None:
    assert all(len(line) <= WIDTH for line in table(site).splitlines())


def test_nothing_said_yet_has_a_table_too() -> None:
    assert "  AS number       -\n" in summary({})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_drawing_has_every_port_and_fits(path: Path) -> None:
    site = load(path).value
    drawing = draw(site)
    assert all(len(line) <= 78 for line in drawing.splitlines())
    assert drawing.isascii()
    for port in site.ports:
        assert port.name in drawing
        assert port.interface in drawing
    for peer in site.peers:
        assert f"AS{peer.asn}" in drawing


def test_the_drawing_counts_peers_that_are_too_many() -> None:
    site = load(TWO).value
    drawing = draw(replace(site, peers=(*site.peers, *many())))
    assert "and 39 more" in drawing
    assert len(drawing.splitlines()) < 24


def test_long_names_are_cut_and_numbers_are_not() -> None:
    site = load(TWO).value
    long = replace(site.peers[0], name="n" * 31)
    port = replace(site.ports[0], name="p" * 31)
    operator = replace(site.operator, name="Ö" * 200)
    drawing = draw(
        replace(
            site,
            operator=operator,
            peers=(long, *site.peers[1:]),
            ports=(port, *site.ports[1:]),
        )
    )
    assert all(len(line) == 78 or not line for line in drawing.splitlines())
    assert ".. AS64496 ---" in drawing
