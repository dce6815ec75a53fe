"""The simulated Tor network: its own exit, seen by the web server."""

import base64
import time

import pytest

from firstboot.box.consensus import NAMES, parse
from qemu.world.internet import Internet
from qemu.world.net import Failed
from qemu.world.services import PAGE
from qemu.world.tor import EXIT, RELAYS
from qemu.world.web import Visit

pytestmark = pytest.mark.xdist_group("world")


@pytest.fixture(scope="module")
def last(internet: Internet) -> str:
    """The fingerprint of the exit."""
    (found,) = [one for one in internet.tor.client.consensus() if one.nickname == EXIT]
    assert "Exit" in found.flags
    return found.fingerprint


def test_the_client_knows_all_relays(internet: Internet) -> None:
    known = {one.nickname: one for one in internet.tor.client.consensus()}
    authorities = {one.nickname: one.fingerprint for one in internet.trust.authorities}
    assert {*authorities, *RELAYS, EXIT} <= set(known)
    assert {name: known[name].fingerprint for name in authorities} == authorities
    assert all("Running" in one.flags for one in known.values())


def test_the_web_server_sees_the_exit_and_not_the_client(internet: Internet, last: str) -> None:
    assert internet.tor.client.fetch("www.good.example", "/seen", last).endswith(PAGE.decode())
    (visit,) = [visit for visit in internet.web.visits() if visit.path == "/seen"]
    assert visit == Visit("http", internet.topology.host("relays").addresses[len(RELAYS)], "/seen")


def test_a_name_is_resolved_where_the_exit_is(internet: Internet, last: str) -> None:
    internet.tor.client.fetch("asked.deep.good.example", exit=last)
    asked = internet.nameservers.zones.questions()
    sources = {question.source for question in asked if question.name == "asked.deep.good.example."}
    assert sources
    relays = internet.topology.host("relays")
    assert sources <= {relays.v4(len(RELAYS)), relays.v6(len(RELAYS))}


def test_a_stream_stays(internet: Internet, last: str) -> None:
    with internet.tor.client.hold("www.good.example", last) as stream:
        assert stream.echo("one") == "one"
        internet.tor.client.fetch("www.good.example", exit=last)
        assert stream.echo("other") == "other"


def test_there_is_no_way_by_a_relay_that_is_no_exit(internet: Internet) -> None:
    (inner,) = [one for one in internet.tor.client.consensus() if one.nickname == RELAYS[0]]
    with pytest.raises(Failed, match="SOCKS reply"):
        internet.tor.client.fetch("www.good.example", exit=inner.fingerprint)


def test_a_box_reads_flags_from_the_consensus_that_a_relay_keeps(internet: Internet) -> None:
    known = [*internet.tor.client.consensus()]
    wanted = {
        number: base64.b64encode(bytes.fromhex(one.fingerprint)).decode().rstrip("=")
        for number, one in enumerate(known)
    }
    paths = [internet.world.folder / "tor" / EXIT / name for name in NAMES]
    internet.tor.exit.wait("its own consensus", lambda: any(path.exists() for path in paths))
    for path in (one for one in paths if one.exists()):
        since, flags = parse(path.read_bytes(), wanted)
        assert abs(time.time() - since) < 3600
        assert {*flags} == {*wanted}
        for number, its in flags.items():
            assert "Running" in its
            assert ("Exit" in its) == (known[number].nickname == EXIT)
