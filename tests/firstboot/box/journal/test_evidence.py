"""What is kept of packets that the filter stopped: classes, and never a destination."""

import re
import shutil
from collections.abc import Callable

import pytest

from firstboot.box.journal.entry import Kind
from firstboot.box.journal.evidence import CAMPAIGN
from firstboot.box.journal.senders import Sender, senders
from firstboot.box.systems.freebsd import SYSTEM
from firstboot.site.listening import Socket
from tests.firstboot.box.box import example
from tests.firstboot.box.journal.keeping import KeyedBox
from tests.firstboot.box.journal.test_minute import looked, minute, well

__all__ = ["minute", "well"]

needs_keys = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen")

CLASS = 'block drop {} quick on {} from {} to {} label "{}"\n'
COUNTED = "  [ Evaluations: 900       Packets: {}         Bytes: 240         States: 0     ]\n"

SOCKSTAT = """\
unbound  local-unbo 900 5 udp4 192.0.2.2:41233 8.8.4.4:53
unbound  local-unbo 900 6 udp6 2001:db8:100::2:41234 2606:4700::1111:53
_openbgpd bgpd      800 7 tcp4 192.0.2.2:179 192.0.2.1:33211
_tor     tor        700 9 tcp4 198.51.100.7:33212 8.8.4.4:443
"""


def counts(box: KeyedBox, *classes: tuple[str, str, str, int]) -> None:
    """What pf has stopped: port, what comes before the source, towards what, packets."""
    printed = ""
    for port, before, towards, many in classes:
        rule = "backscatter" if towards == "<own>" else "LEAK4"
        way, source = ("in", "any") if towards == "<own>" else ("out", "! <own:1>")
        flags = " flags SA/SA" if towards == "<own>" else ""
        printed += CLASS.format(way, f"{port}{before}", source, f"{towards}{flags}", rule)
        printed += COUNTED.format(many)
    box.answer("pfctl -v -s rules", printed)
    box.stopped(sum(many for *_, towards, many in classes if towards != "<own>"))


@needs_keys
@pytest.mark.parametrize(
    ("pid", "jail", "kept"),
    [
        (900, "svcj-local_unbound", "svcj-local_unbound"),
        (900, "-", "none"),
        (901, "svcj-local_unbound", "not known"),
    ],
)
def test_a_leak_is_kept_with_port_rule_protocol_and_who_had_a_socket_there_in_which_jail(
    well: KeyedBox, minute: Callable[..., None], pid: int, jail: str, kept: str
) -> None:
    counts(well, ("ix0", " inet proto udp", "<near-transit:2>", 0))
    looked(well)
    minute()
    counts(well, ("ix0", " inet proto udp", "<near-transit:2>", 4))
    well.answer("sockstat -46qw", SOCKSTAT)
    well.answer("ps -ax -o pid= -o jail=", f"{pid} {jail}\n  1 -\n")
    (leak,) = (one for one in looked(well) if one.kind is Kind.LEAK)
    assert leak.time % 60 == 0
    assert leak.values == {
        "packets": 4, "port": "ix0", "rule": "LEAK4", "protocol": "udp",
        "destination": "transit", "source": "a port's", "process": "local-unbo", "jail": kept,
    }  # fmt: skip
    minute()
    assert [one.kind for one in looked(well) if one.kind is Kind.LEAK] == []


@needs_keys
def test_nobody_s_address_is_on_the_disk_after_a_leak(
    well: KeyedBox, minute: Callable[..., None]
) -> None:
    looked(well)
    for many in range(1, 6):
        minute()
        counts(well, ("ix0", " inet proto udp", "any", many), ("ix0", " proto tcp", "<own>", 900))
        well.answer("sockstat -46qw", SOCKSTAT)
        looked(well)
    written = b"".join(one.read_bytes() for one in (well.root / "data").rglob("*") if one.is_file())
    assert b"local-unbo" in written
    assert not re.search(rb"8\.8\.4\.4|2606:4700|:443|41233", written)


@needs_keys
def test_a_filter_that_was_started_anew_counts_from_nothing(
    well: KeyedBox, minute: Callable[..., None]
) -> None:
    counts(well, ("ix0", " inet proto udp", "any", 40))
    looked(well)
    minute()
    counts(well, ("ix0", " inet proto udp", "any", 3))
    (leak,) = (one for one in looked(well) if one.kind is Kind.LEAK)
    assert leak.values["packets"] == 3


@needs_keys
@pytest.mark.parametrize("packets", [CAMPAIGN - 1, CAMPAIGN])
def test_many_answers_to_what_was_never_asked_are_a_campaign(
    well: KeyedBox, minute: Callable[..., None], packets: int
) -> None:
    counts(well, ("ix0", " proto tcp", "<own>", 7))
    looked(well)
    minute()
    counts(well, ("ix0", " proto tcp", "<own>", 7 + packets))
    found = [one for one in looked(well) if one.kind is not Kind.COUNTERS]
    assert [one.kind for one in found] == [Kind.BACKSCATTER] * (packets == CAMPAIGN)
    assert all(one.values == {"packets": packets, "port": "ix0"} for one in found)


@pytest.mark.parametrize(
    ("socket", "source"),
    [
        (Socket("unbound", "udp", "192.0.2.2", 53), "a port's"),
        (Socket("unbound", "udp", "192.0.2.2", 41233), "a port's"),
        (Socket("nc", "udp", "203.0.113.77", 99), "none of ours"),
        (Socket("nc", "udp", "*", 99), "a port's, chosen by the kernel"),
        (Socket("nc", "udp", "198.51.100.2", 99), None),
        (Socket("nc", "udp", "127.0.0.1", 99), None),
        (Socket("nc", "tcp", "192.0.2.2", 99), None),
    ],
)
def test_a_program_with_a_socket_at_a_foreign_address_may_have_sent_it(
    socket: Socket, source: str | None
) -> None:
    found = senders(example().value, SYSTEM.services, [socket], "udp")
    assert found == (() if source is None else (Sender(socket.program, source),))


def test_sessions_of_bgp_and_other_declared_sockets_are_no_senders() -> None:
    sockets = [Socket("bgpd", "tcp", "192.0.2.2", 33000), Socket("sshd", "tcp", "192.0.2.194", 22)]
    assert senders(example().value, SYSTEM.services, sockets, "tcp") == ()
