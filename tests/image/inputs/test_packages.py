"""Packages that are given by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.inputs.packages import Given, Obtained, Pinned, obtain, source
from image.lock import UPSTREAM, Sha256
from image.overlay import Overlay
from tests.command import ROOT
from tests.image.base.upstream import HASTY
from tests.image.packages.asking import asking, base_system, hardened, write_lock
from tests.image.packages.repository import (
    Made,
    Repository,
    Signer,
    make_repository,
    trust,
    usual_signer,
)
from tests.image.packages.serving import Server

LIBEVENT = Made("libevent", "2.1.12", facts={"shlibs_provided": ["libevent-2.1.so.7"]})
TOR = Made(
    "tor", "0.4.8", deps={"libevent": "2.1.12"}, facts={"shlibs_required": ["libevent-2.1.so.7"]}
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "repository", [TOR, LIBEVENT, Made("nyx")])


@pytest.fixture
def overlays(tmp_path: Path) -> list[Overlay]:
    return [asking(tmp_path / "tor", "{name: tor}", "{name: pkg, optional: yes, reason: no lists}")]


def names(obtained: Obtained) -> list[str]:
    return [one.listed.package.full_name for one in obtained.packages]


def test_what_is_asked_for_and_what_that_needs_comes_from_a_folder(
    repository: Repository,
    overlays: list[Overlay],
    cache: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = base_system(usual_signer())
    obtained = obtain(Given(str(repository.folder)), overlays, base, cache)
    assert names(obtained) == ["libevent-2.1.12", "tor-0.4.8"]
    assert "which the base trusts" in obtained.packages[0].provenance
    assert "no package pkg, which overlay 'tor' would use: no lists" in capsys.readouterr().err
    assert [one.names for one in obtained.missing] == [("pkg",)]


def test_and_from_a_server_the_same(
    repository: Repository, overlays: list[Overlay], cache: Path, server: Server
) -> None:
    server.offer(repository.folder)
    base = base_system(usual_signer())
    obtained = obtain(Given(server.template), overlays, base, cache, patience=HASTY)
    assert names(obtained) == ["libevent-2.1.12", "tor-0.4.8"]
    assert not server.requests("All/nyx-1.0.pkg")


def test_a_repository_that_the_base_does_not_trust_needs_its_keys_given(
    repository: Repository, overlays: list[Overlay], cache: Path, tmp_path: Path
) -> None:
    base = base_system(Signer.rsa())
    with pytest.raises(Refusal, match=r"signed by \S+, which is not trusted; trusted: \S+"):
        obtain(Given(str(repository.folder)), overlays, base, cache)
    keys = trust(tmp_path / "keys", usual_signer())
    obtained = obtain(Given(str(repository.folder), keys), overlays, base, cache)
    assert "which --package-keys trusts" in obtained.packages[0].provenance


def test_keys_that_lie_beside_the_packages_count_for_nothing(
    repository: Repository, overlays: list[Overlay], cache: Path
) -> None:
    trust(repository.folder / "keys", usual_signer())
    with pytest.raises(Refusal, match=r"signed by \S+, which is not trusted; trusted: \S+"):
        obtain(Given(str(repository.folder)), overlays, base_system(Signer.rsa()), cache)


def test_what_the_base_has_revoked_stays_so_whatever_keys_are_given(
    repository: Repository, overlays: list[Overlay], cache: Path, tmp_path: Path
) -> None:
    base = base_system(revoked=(usual_signer(),))
    keys = trust(tmp_path / "keys", usual_signer())
    with pytest.raises(Refusal, match="revoked"):
        obtain(Given(str(repository.folder), keys), overlays, base, cache)


@pytest.mark.parametrize("by_version", [True, False], ids=["version", "program"])
def test_hardenedbsds_repository_is_signed_by_its_own_key_alone(
    overlays: list[Overlay], cache: Path, tmp_path: Path, by_version: bool
) -> None:
    own, freebsd = usual_signer(), Signer.rsa()
    base = hardened(base_system(own, freebsd), by_version=by_version)
    key = Sha256(own.fingerprint)
    folders = {
        signer: str(make_repository(tmp_path / name, [TOR, LIBEVENT], signers=signers).folder)
        for name, signer, signers in (
            ("own", own, [own]),
            ("freebsd", freebsd, [freebsd]),
        )
    }
    given = Given(folders[own], key=key)
    assert names(obtain(given, overlays, base, cache)) == ["libevent-2.1.12", "tor-0.4.8"]
    refused = rf"signed by {freebsd.fingerprint} \(key1\), which the base trusts for another"
    with pytest.raises(Refusal, match=f"{refused} project; only {own.fingerprint} may sign here"):
        obtain(Given(folders[freebsd], key=key), overlays, base, cache)
    accepted = Given(folders[freebsd], trust(tmp_path / "keys", freebsd), key)
    assert names(obtain(accepted, overlays, base, cache)) == ["libevent-2.1.12", "tor-0.4.8"]


def test_hardenedbsds_key_has_to_be_among_those_of_its_base(
    repository: Repository, overlays: list[Overlay], cache: Path
) -> None:
    base = hardened(base_system(usual_signer()), by_version=True)
    with pytest.raises(
        Refusal, match=r"packages: key: the key 3ebc94fa.* is not among those that are trusted"
    ):
        obtain(Given(str(repository.folder)), overlays, base, cache)


def test_a_lock_without_a_key_leaves_every_key_of_the_base(
    repository: Repository, overlays: list[Overlay], cache: Path
) -> None:
    base = hardened(base_system(Signer.rsa(), usual_signer()), by_version=True)
    given = Given(str(repository.folder), key=None)
    assert names(obtain(given, overlays, base, cache)) == ["libevent-2.1.12", "tor-0.4.8"]


def test_a_library_that_neither_base_nor_packages_have_is_refused(
    overlays: list[Overlay], cache: Path, tmp_path: Path
) -> None:
    lost = replace(LIBEVENT, facts={})
    repository = make_repository(tmp_path / "repository", [TOR, lost])
    with pytest.raises(Refusal, match=r"libevent-2\.1\.so\.7"):
        obtain(Given(str(repository.folder)), overlays, base_system(usual_signer()), cache)


def test_an_optional_package_that_lacks_what_it_needs_is_as_good_as_missing(
    overlays: list[Overlay], cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Made("pkg", deps={"lost": "1"})
    repository = make_repository(tmp_path / "repository", [TOR, LIBEVENT, broken])
    given, base = Given(str(repository.folder)), base_system(usual_signer())
    obtained = obtain(given, overlays, base, cache)
    assert names(obtained) == ["libevent-2.1.12", "tor-0.4.8"]
    assert [one.names for one in obtained.missing] == [("pkg",)]
    assert "pkg is left out: package pkg: nothing offers lost; pkg-1.0 needs lost" in (
        capsys.readouterr().err
    )
    overlays.append(asking(tmp_path / "needs", "{name: pkg}"))
    with pytest.raises(Refusal, match=r"pkg-1\.0 needs lost"):
        obtain(given, overlays, base, cache)


def test_without_packages_there_are_none(overlays: list[Overlay], cache: Path) -> None:
    assert obtain(None, overlays, base_system(), cache) == Obtained()


def test_options_say_where_packages_come_from(tmp_path: Path) -> None:
    path = write_lock(tmp_path / "lock.yaml", "https://pkg.example.org/${ABI}/")
    shipped = ROOT / "image" / "hardenedbsd.lock.yaml"
    assert source("", "", path, first=True) == Pinned(path, True)
    assert source("none", "", path, first=True) is None
    assert source("DIR", "KEYS", path, first=True) == Given("DIR", Path("KEYS"), None)
    assert source("DIR", "", shipped, first=True) == Given("DIR", None, UPSTREAM.key)
    for packages in ("", "none"):
        with pytest.raises(
            Refusal,
            match="--package-keys: there is no repository to trust these keys for",
        ):
            source(packages, "KEYS", path, first=True)


def test_a_lock_without_packages_is_refused_before_anything_long() -> None:
    shipped = ROOT / "image" / "hardenedbsd.lock.yaml"
    with pytest.raises(Refusal, match="no packages are pinned"):
        source("", "", shipped, first=False)
