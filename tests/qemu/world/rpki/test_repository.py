"""The simulated Internet's RPKI, judged by rpki-client."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from qemu.world.rpki import certificates, repository
from qemu.world.rpki.authority import Authority
from qemu.world.rpki.payloads import Aspa, Period, Roa
from qemu.world.rpki.repository import MODULE, RRDP, place_at, usual
from qemu.world.rpki.resources import Resources
from tests.qemu.world.rpki.conftest import HOST, Published

Serve = Callable[[Path], Published]

ROAS = (
    Roa(64500, ip_network("192.0.2.0/24"), 24),
    Roa(64501, ip_network("198.51.100.0/22"), 24),
    Roa(4100000001, ip_network("2001:db8:ee::/48"), 48),
)
ASPA = Aspa(64500, (64501, 64502))

BY_RSYNC, BY_RRDP = "-R", "-r"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    repository.make(tmp_path, HOST, ROAS, [ASPA])
    return tmp_path


def flip(path: Path) -> None:
    """Change one bit near the end, which is in a signature."""
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(data)


def roa_files(folder: Path) -> list[Path]:
    return sorted((folder / MODULE / "members").glob("*.roa"))


@pytest.mark.parametrize("way", [BY_RSYNC, BY_RRDP])
def test_what_is_validated_is_exactly_what_was_signed(serve: Serve, made: Path, way: str) -> None:
    published = serve(made)
    validated = published.validate(way)
    assert validated.roas == set(ROAS)
    assert validated.aspas == {ASPA}
    unsound = ("failed", "invalid", "stale")
    assert {n for key, n in validated.counts.items() if key.startswith(unsound)} == {0}
    paths = [one.path for one in published.servers.fetched()]
    by_https = ["/ta.cer", "/notification.xml", "/snapshot.xml"]
    assert paths == (by_https if way == BY_RRDP else [])
    assert ("rsync on rpki/" in published.servers.rsync.said()) == (way == BY_RSYNC)


def test_a_changed_bit_of_a_roa_is_seen_and_nothing_beside_it_is_believed(
    serve: Serve, made: Path
) -> None:
    """The manifest has the hash of every file (RFC 9286, 6.6)."""
    flip(roa_files(made)[0])
    validated = serve(made).validate(BY_RSYNC)
    assert validated.roas == set()
    assert validated.counts["failedmanifests"] == 1


def test_a_changed_bit_of_a_roa_is_seen_with_a_manifest_that_has_its_hash(
    serve: Serve, tmp_path: Path
) -> None:
    anchor = Authority.anchor(place_at(HOST), usual())
    members = anchor.child("members", Resources.of([roa.prefix for roa in ROAS]))
    names = [members.authorize(roa) for roa in ROAS]
    data = bytearray(members.files[names[0]])
    data[-8] ^= 1
    members.files[names[0]] = bytes(data)
    for one in (members, anchor):
        one.finish()
    repository.write(tmp_path, anchor, [anchor, members])
    validated = serve(tmp_path).validate(BY_RSYNC)
    assert validated.roas == set(ROAS[1:])


def test_a_changed_bit_of_the_snapshot_is_seen_and_rsync_is_asked_instead(
    serve: Serve, made: Path
) -> None:
    flip(made / RRDP / "snapshot.xml")
    published = serve(made)
    validated = published.validate(BY_RRDP)
    assert "fallback to rsync" in validated.log
    assert validated.roas == set(ROAS)
    assert "rsync on rpki/" in published.servers.rsync.said()


def test_a_manifest_that_has_expired_takes_its_roas_with_it(serve: Serve, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    past = Period(now - timedelta(hours=30), now - timedelta(hours=6))
    repository.make(tmp_path, HOST, ROAS, manifest=past)
    validated = serve(tmp_path).validate(BY_RSYNC)
    assert validated.roas == set()
    assert validated.counts["stalemanifests"] == 1


@pytest.mark.parametrize("days", [-60, 60])
def test_certificates_are_good_in_their_time_alone(serve: Serve, tmp_path: Path, days: int) -> None:
    shifted = usual(datetime.now(UTC) + timedelta(days=days))
    repository.make(tmp_path, HOST, ROAS, period=shifted)
    assert serve(tmp_path).validate(BY_RSYNC).roas == set()


@pytest.mark.parametrize("length", [23, 33])
def test_a_max_length_that_cannot_be_is_refused_and_the_others_stay(
    serve: Serve, tmp_path: Path, length: int
) -> None:
    wrong = Roa(64500, ip_network("192.0.2.0/24"), length)
    repository.make(tmp_path, HOST, [wrong, *ROAS[1:]])
    validated = serve(tmp_path).validate(BY_RSYNC)
    assert validated.roas == set(ROAS[1:])
    assert validated.counts["failedroas"] == 1


def test_nobody_signs_for_what_is_not_theirs(serve: Serve, tmp_path: Path) -> None:
    anchor = Authority.anchor(place_at(HOST), usual())
    members = anchor.child("members", Resources.of([roa.prefix for roa in ROAS[1:]]))
    for roa in ROAS:
        members.authorize(roa)
    for one in (members, anchor):
        one.finish()
    repository.write(tmp_path, anchor, [anchor, members])
    validated = serve(tmp_path).validate(BY_RSYNC)
    assert validated.roas == set(ROAS[1:])
    assert "not subset of parent's resources" in validated.log


def test_another_trust_anchor_has_not_signed_this(serve: Serve, made: Path) -> None:
    other = repository.locator(Authority.anchor(place_at(HOST), usual()))
    assert serve(made).validate(BY_RSYNC, locator=other).roas == set()


def test_a_server_that_nobody_vouches_for_is_not_asked(
    serve: Serve, made: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    published = serve(made)
    other = tmp_path_factory.mktemp("other")
    certificates.make(other, HOST)
    (made / certificates.AUTHORITY).write_bytes((other / certificates.AUTHORITY).read_bytes())
    validated = published.validate(BY_RRDP)
    assert "certificate verification failed" in validated.log
    assert published.servers.fetched() == []
    assert validated.roas == set(ROAS)
