"""A box with a provider's addresses: no BGP runs, and nothing waits for it."""

import dataclasses
from pathlib import Path

import pytest

from firstboot.box import commands, drain
from firstboot.box.apply import apply_site, needs_restart
from firstboot.box.daemons import wanted
from firstboot.box.systems.freebsd import SYSTEM
from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site
from tests.firstboot.box.box import ROOT, Box, make
from tests.firstboot.box.test_apply import Told

EXAMPLE = ROOT / "examples" / "relays-only.yaml"


def site(old: str = "", new: str = "") -> Document[Site]:
    text = EXAMPLE.read_text()
    assert old in text
    return document.parse(text.replace(old, new, 1).encode(), "site.yaml", Site)


@pytest.fixture
def provided(tmp_path: Path) -> Box:
    """A box on which the example was applied; its rc(8) knows that BGP is off."""
    box = make(tmp_path / "root", site().value)
    box.fail("service openbgpd enabled")
    box.answer("setfib 0 netstat -rn", "default 198.51.100.129 UGS\ndefault fe80::1%ix0 UGS\n")
    apply_site(site(), box.machine, Told())
    return box


def test_everything_starts_but_bgp(provided: Box) -> None:
    services = [one.name for one in SYSTEM.services if one.name != "openbgpd"]
    assert provided.started() == services
    assert provided.calls[-1] == "service exitisp_ports raise"
    assert "etc/local/bgpd.conf" not in provided.files()
    assert "etc/cron.d/rpki-client" not in provided.files()


def test_status_is_well_and_says_nothing_of_bgp(provided: Box) -> None:
    provided.restarted()
    (provided.machine.state / "raised").touch()
    told = Told()
    assert commands.status(provided.machine, told), told
    assert not [line for line in told if "BGP" in line or "RPKI" in line or "DOWN" in line]


def test_nobody_watches_over_bgp(provided: Box) -> None:
    names = [one.name for one in wanted(site().value, provided.machine, SYSTEM.services)]
    assert "local_unbound" in names
    assert "openbgpd" not in names


def test_there_is_nobody_to_drain_and_an_upgrade_goes_on(provided: Box) -> None:
    with pytest.raises(Refusal, match="speaks BGP with nobody"):
        drain.drain("provider", provided.machine, Told())
    provided.forget()
    drain.drain_all(provided.machine)
    assert provided.calls == []


def test_a_new_address_of_the_link_is_an_alias_of_the_port(provided: Box) -> None:
    for count in (1, 3):
        fewer = site("count: 4", f"count: {count}")
        provided.is_like(fewer.value)
        provided.forget()
        apply_site(fewer, provided.machine, Told())
    added = [call for call in provided.calls if call.startswith("ifconfig") and "alias" in call]
    assert "ifconfig ix0 inet 198.51.100.135/32 alias" in added
    assert "ifconfig lo1 inet6 2001:db8:ee:7::80:3/128 alias" in added


def test_whose_addresses_they_are_changes_with_a_restart(provided: Box) -> None:
    before = provided.machine.generations.chosen()
    assert before is not None
    content = before.read()
    other = content.site.replace(b"addresses: provider\n", b"asn: 64511\n")
    assert not needs_restart(content, content)
    assert needs_restart(content, dataclasses.replace(content, site=other))
