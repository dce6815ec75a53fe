"""A new key of the site is described once, in the model, and everything else follows from that."""

import dataclasses
from dataclasses import dataclass

import pytest

from firstboot.core import document, partial
from firstboot.core.document import Faulty
from firstboot.core.keys import key
from firstboot.site.model import Peer, Relays, Site, load
from firstboot.site.redact import MASK, masked
from firstboot.site.reference import keys
from firstboot.site.rules import limits
from firstboot.site.writer import compose
from firstboot.wizard import summary
from tests.firstboot.site.sites import ONE


@dataclass(frozen=True)
class Renewed(Relays):
    """The relays, with a new key."""

    sign_days: int = key(
        "Days that a signing key is valid.", label="signing keys", limit=(5, 90), default=30
    )


@dataclass(frozen=True)
class Asked(Peer):
    """A peer, with a new secret."""

    portal: str | None = key(
        "Password of the peer's portal.", label="portal", secret=True, default=None
    )


@dataclass(frozen=True)
class Larger(Site):
    """A site, with these."""

    relays: Renewed = key("The Tor exit relays of the box.", default=Renewed())
    peers: tuple[Asked, ...] = key("Networks that speak BGP.", limit=(0, 1000), default=())


TEXT = (
    ONE.read_text()
    .replace("  count: 4\n", "  count: 4\n  sign_days: 60\n")
    .replace("    irr: AS-N", '    portal: "no guess"\n    irr: AS-N')
)


def site(text: str = TEXT) -> Larger:
    return document.parse(text.encode(), "site.yaml", Larger).value


def test_it_is_read_and_written_with_its_explanation() -> None:
    written = compose(site())
    assert "# Days that a signing key is valid.\n  sign_days: 60\n" in written
    assert site(written) == site()
    assert '    portal: "no guess"\n' in written


def test_the_reference_has_it_with_its_limit_and_default() -> None:
    row = "| `relays.sign_days` | Days that a signing key is valid. | number, 5 to 90 | `30` |"
    assert row in keys(Larger)


def test_the_summary_has_it_by_its_label(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = partial.of(site())
    assert isinstance(answers, dict)
    rows = "\n".join(summary.lines(answers, Larger))
    assert "  signing keys    60" in rows
    monkeypatch.setattr(summary, "Peer", Asked)
    (row,) = [one for one in summary.peers(answers) if "portal" in one]
    assert "no guess" not in row


def test_its_limit_is_checked() -> None:
    beyond = dataclasses.replace(site(), relays=Renewed(sign_days=400))
    (finding,) = limits.check(beyond)
    assert finding.key == ("relays", "sign_days")
    assert finding.reason == "400 is not between 5 and 90"


def test_a_secret_is_masked_and_in_no_message() -> None:
    assert masked("password no guess", site()) == f"password {MASK}"
    for wrong in ('portal: ["no guess"]', "portal: {no guess: x}", "portal: a: no guess"):
        with pytest.raises(Faulty) as caught:
            site(TEXT.replace('portal: "no guess"', wrong))
        for fault in caught.value.faults:
            assert "guess" not in fault.problem + fault.remedy


def test_the_site_without_it_is_the_same_as_before() -> None:
    assert load(ONE).value.relays.count == 4
