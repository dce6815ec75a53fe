"""The conversation in docs/first-boot.md is one that happens."""

from pathlib import Path

import pytest

from firstboot.site.model import Site
from firstboot.wizard.conversation import Saved
from firstboot.wizard.draft import Draft
from qemu.lab.conversation import BEGIN, PASSWORD, SAVE, Turn
from tests.firstboot.site.sites import ROOT
from tests.firstboot.wizard.talk import NICS, machine, talk

PAGE = ROOT / "docs" / "first-boot.md"
HEADING = "## A whole conversation\n"
FENCE = "```\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"

CONVERSATION: list[Turn] = [
    BEGIN,
    ("Whose addresses", ""),
    ("Name of the operator", "Example Exit Foundation"),
    ("Mail address for complaints", "abuse at example.org"),
    ("Mail address for complaints", "abuse@example.org"),
    ("Mail address for other operators", "noc@example.org"),
    ("Web page of the operator", ""),
    ("Country whose law applies", "Switzerlnad"),
    ("Your AS number", "back"),
    ("Country whose law applies", "Switzerland"),
    ("Your AS number", "64511"),
    ("Your AS number", "waive"),
    ("Why may that be", "A rehearsal in the workshop."),
    ("Your prefixes", "?"),
    ("Your prefixes", "198.51.100.0/24 2001:db8:ee::/48"),
    ("add or done", ""),
    ("Network card", ""),
    ("What it leads to", ""),
    ("Name for this port", ""),
    ("VLAN tag", ""),
    ("Addresses of this port", "192.0.2.2/30 2001:db8:100::2/64"),
    ("Largest packet", ""),
    ("add, change N", ""),
    ("Network card", "igb0"),
    ("What it leads to", "management"),
    ("Name for this port", ""),
    ("VLAN tag", ""),
    ("Addresses of this port", "192.0.2.194/27"),
    ("Router on this link", "192.0.2.193"),
    ("Largest packet", ""),
    ("add, change N", ""),
    ("add, paste or done", ""),
    ("What kind of peer", ""),
    ("Name for this peer", ""),
    ("Its AS number", "64496"),
    ("Addresses of its router", "192.0.2.1 2001:db8:100::1"),
    ("What it sends", ""),
    ("Secret of the session", "EKpCMmMTM7gbv4W4jvLnhxnA"),
    ("Refuse packets from afar", ""),
    ("Most routes that are taken", ""),
    ("Its object in a routing registry", ""),
    ("Community for floods", ""),
    ("add, paste, change N", ""),
    ("How many relays", "4"),
    ("Their names", "ExampleExit{n}"),
    ("What the exits let out", ""),
    ("Limit of each relay", ""),
    ("ContactInfo", ""),
    ("Family ids", ""),
    ("Fingerprints of your relays", ""),
    ("How strict the resolver is", ""),
    ("Time servers", ""),
    ("Mail relay for alarms", ""),
    ("Webhook for alarms", ""),
    ("SSH public keys", f"{KEY}GgIxCHbj/0TTkVWmtELK9JFifMMdjw0f7yRDGbjh7W9 ada@example.org"),
    (">", f"{KEY}IGrXc8deMQohjYLpAfxt4K6Ls5xRH6QHOmZVbc/Gcf/ grace@example.org"),
    (">", ""),
    ("Networks that administrators come from", ""),
    ("Give some of them by hand", ""),
    ("Password of root", PASSWORD),
    ("The same again", PASSWORD),
    SAVE,
]


def held(folder: Path) -> tuple[str, Site]:
    """The conversation as it is seen, and the site that it makes."""
    draft = Draft.open(folder / "draft.yaml")
    outcome, person = talk(draft, CONVERSATION, machine(nics=lambda: (NICS[0], NICS[3])))
    assert isinstance(outcome, Saved)
    lines = person.screen.splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n", outcome.site.value


def test_the_page_shows_a_conversation_that_happens(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seen, site = held(tmp_path)
    before, _, after = PAGE.read_text().partition(HEADING)
    told, _, rest = after.partition(FENCE)
    shown, _, end = rest.partition(FENCE)
    if request.config.getoption("--renew-golden"):
        PAGE.write_text("".join([before, HEADING, told, FENCE, seen, FENCE, end]))
        return
    assert shown == seen
    assert site.operator.jurisdiction == "Switzerland"
    assert [port.name for port in site.ports] == ["transit", "management"]
