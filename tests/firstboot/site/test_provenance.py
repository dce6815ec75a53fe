"""A line of a rendered file leads back to the answers that it came from."""

from pathlib import Path

import pytest

from firstboot.core.resources import overlays
from firstboot.site.commands import BOX
from firstboot.site.provenance import origin
from firstboot.site.render import Rendered, render
from tests.firstboot.box.box import example

SITE = example()


@pytest.fixture(scope="module")
def files() -> dict[str, Rendered]:
    return {file.path: file for file in render(SITE.value, BOX, overlays())}


@pytest.mark.parametrize(
    ("path", "part", "answer"),
    [
        ("etc/local/bgpd.conf", "remote-as 64499", "peers[1].asn"),
        ("etc/local/bgpd.conf", "neighbor 203.0.113.20 {", "peers[4].addresses[0]"),
        ("etc/local/bgpd.conf", "EKpCMmMTM7gbv4W4jvLnhxnA", "peers[0].md5"),
        ("etc/local/bgpd.conf", "max-prefix 1400000", "peers[1].max_prefix"),
        ("etc/local/bgpd.conf", "AS 65550", "asn"),
        ("etc/local/tor/torrc@relay3", "Nickname OnionCoop3", "relays.nickname"),
        ("etc/local/tor/torrc@relay3", "RelayBandwidthRate 800", "relays.bandwidth_mbit"),
        ("etc/ssh/sshd_config", "ListenAddress 192.0.2.194", "ports[3].addresses[0]"),
        ("etc/rc.conf.d/exitisp_ports", "ix1 mtu 1500", "ports[1].device"),
        ("etc/local/tor/exit-notice.html", "AS65550", "operator."),
    ],
)
def test_the_answer_is_named_with_its_line(
    files: dict[str, Rendered], path: str, part: str, answer: str
) -> None:
    lines = files[path].text.splitlines()
    number = next(at for at, line in enumerate(lines, 1) if part in line)
    came = origin(SITE, files[path].text, number)
    assert answer in came
    assert f"({SITE.name}:" in came
    assert "EKpC" not in came


def test_a_line_without_any_is_told_by_the_nearest_above_it(files: dict[str, Rendered]) -> None:
    lines = files["etc/local/bgpd.conf"].text.splitlines()
    start = next(at for at, line in enumerate(lines) if "neighbor 203.0.113.20" in line)
    inside = next(at for at in range(start, len(lines)) if "announce IPv6 none" in lines[at])
    assert "depend on ix2" in lines[inside - 2]
    assert origin(SITE, "\n".join(lines), inside + 1).startswith("ports[2].device (")


def test_a_line_before_every_answer_has_none() -> None:
    assert origin(SITE, "# nothing\nset skip on lo0\n", 2) == ""


def test_a_number_within_another_is_not_it() -> None:
    assert origin(SITE, "x 1655501 a65550\n", 1) == ""
    assert origin(SITE, "192.0.2.194.1 203.0.113.100\n", 1) == ""


def test_the_name_of_the_site_is_what_the_operator_knows_it_by() -> None:
    assert Path(SITE.name).suffix == ".yaml"
