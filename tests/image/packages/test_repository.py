import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.download.cache import alone_in
from image.packages import repository as module
from image.packages import signed
from image.packages.catalogue import Listed
from image.packages.checksum import Kind
from image.packages.location import Local, Remote, place
from image.packages.repository import VerifiedPackage, Word, bring, check_abi, open_repository
from image.packages.trust import Keys
from tests.image.base.upstream import HASTY, drop_after, ignore_range, instead, status
from tests.image.packages.fixtures import FIXTURE_NAMES, FIXTURES, needs_fixtures
from tests.image.packages.repository import (
    Item,
    Made,
    Repository,
    Signer,
    make_repository,
    trust,
    usual_signer,
)
from tests.image.packages.serving import Server

TOR = Made(
    "tor",
    "0.4.8,1",
    {"/usr/local/bin/tor": Item(hashlib.sha256(b"tor").digest() * 3000, 0o555)},
    {"libevent": "2.1.12"},
    packing="plain",
)
LIBEVENT = Made("libevent", "2.1.12", kind=Kind.BLAKE2B)
WORD = Word("believed", "the repository's catalogue", "try another")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys.of_folder(trust(tmp_path / "keys", usual_signer()))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "repository", [TOR, LIBEVENT])


def listed(there: Local | Remote, keys: Keys) -> tuple[Listed, ...]:
    return open_repository(there, keys).catalogue.listed


def bring_all(there: Local | Remote, keys: Keys, cache: Path) -> tuple[VerifiedPackage, ...]:
    return bring(there, listed(there, keys), WORD, cache)


def test_a_local_repository_is_used_where_it_is(
    repository: Repository, keys: Keys, cache: Path
) -> None:
    packages = bring_all(Local(repository.folder), keys, cache)
    assert [one.listed.package.full_name for one in packages] == ["tor-0.4.8,1", "libevent-2.1.12"]
    for package, made in zip(packages, (TOR, LIBEVENT), strict=True):
        assert package.path == repository.folder / made.path
        assert package.sha256 == hashlib.sha256(made.archive()).hexdigest()
        assert package.size == len(made.archive())
        assert package.provenance == "believed"
        with package.open() as file:
            assert file.read() == made.archive()
    assert not cache.exists()


def test_a_remote_repository_is_brought_into_the_cache_once(
    repository: Repository, keys: Keys, cache: Path, server: Server
) -> None:
    server.offer(repository.folder)
    there = place(server.template, HASTY)
    first = bring_all(there, keys, cache)
    again = bring_all(there, keys, cache)
    assert [one.path.name for one in first] == [
        f"tor-0.4.8,1~{first[0].sha256[:16]}.pkg",
        f"libevent-2.1.12~{first[1].sha256[:16]}.pkg",
    ]
    assert [one.sha256 for one in first] == [one.sha256 for one in again]
    assert first[0].open().read() == TOR.archive()
    assert len(server.requests(TOR.path)) == 1
    assert sorted(path.name for path in cache.iterdir()) == sorted(one.path.name for one in first)


def test_the_signer_is_told(repository: Repository, keys: Keys) -> None:
    opened = open_repository(Local(repository.folder), keys)
    assert (opened.signer, opened.signer_name) == (usual_signer().fingerprint, "signer0")


@pytest.mark.parametrize("packing", ["zstd", "xz", "plain"])
@pytest.mark.parametrize("catalogue", ["packagesite", "data"])
@pytest.mark.parametrize("extension", ["pkg", "tzst"])
def test_either_catalogue_will_do_however_it_is_packed(
    tmp_path: Path, keys: Keys, packing: str, catalogue: str, extension: str
) -> None:
    made = make_repository(
        tmp_path / "r", [TOR], packing=packing, catalogues=[catalogue], extension=extension
    )
    assert len(listed(Local(made.folder), keys)) == 1


def test_a_repository_without_meta_conf_has_pkgs_usual_names(
    repository: Repository, keys: Keys
) -> None:
    (repository.folder / "meta.conf").unlink()
    assert len(listed(Local(repository.folder), keys)) == 2


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path, keys: Keys) -> None:
    with pytest.raises(
        Refusal, match=r"no package repository: neither packagesite\.pkg nor data\.pkg is there"
    ):
        open_repository(Local(tmp_path), keys)


def test_an_altered_catalogue_under_its_old_signature_is_refused(
    repository: Repository, keys: Keys
) -> None:
    path = repository.folder / "packagesite.pkg"
    content = signed.read(path.read_bytes(), "packagesite.yaml", str(path))
    copier = Signer(usual_signer().public, lambda _: content.signatures[0].data)
    make_repository(repository.folder, [replace(TOR, version="6.6.6")], signers=[copier])
    with pytest.raises(
        Refusal, match=r"packagesite\.pkg: .* is refused: it does not hold for this data"
    ):
        open_repository(Local(repository.folder), keys)


def test_a_damaged_catalogue_is_refused(repository: Repository, keys: Keys) -> None:
    path = repository.folder / "packagesite.pkg"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(Refusal, match=r"packagesite\.pkg"):
        open_repository(Local(repository.folder), keys)


def test_a_catalogue_by_a_stranger_is_refused(tmp_path: Path, keys: Keys) -> None:
    made = make_repository(tmp_path / "r", [TOR], signers=[Signer.rsa()])
    with pytest.raises(Refusal, match=r"signed by \S+, which is not trusted; trusted: \S+"):
        open_repository(Local(made.folder), keys)


def test_a_catalogue_that_nobody_signed_is_refused(tmp_path: Path, keys: Keys) -> None:
    made = make_repository(tmp_path / "r", [TOR], signers=[])
    with pytest.raises(Refusal, match=r"not signed; trusted: \S+"):
        open_repository(Local(made.folder), keys)


def test_a_catalogue_by_a_revoked_key_is_refused(tmp_path: Path) -> None:
    bad = Signer.rsa()
    made = make_repository(tmp_path / "r", [TOR], signers=[usual_signer(), bad])
    keys = Keys.of_folder(trust(tmp_path / "keys", usual_signer(), revoked=[bad]))
    with pytest.raises(Refusal, match="revoked"):
        open_repository(Local(made.folder), keys)


def test_a_catalogue_that_leads_out_of_the_repository_is_refused(
    tmp_path: Path, keys: Keys
) -> None:
    made = make_repository(tmp_path / "r", [replace(TOR, facts={"name": "../../../tmp/tor"})])
    with pytest.raises(Refusal, match="a package's name such as tor"):
        open_repository(Local(made.folder), keys)


@pytest.mark.parametrize("change", [b"", b"\0", bytes(20)])
def test_a_package_of_another_size_is_refused(
    repository: Repository, keys: Keys, cache: Path, change: bytes
) -> None:
    path = repository.folder / TOR.path
    path.write_bytes(TOR.archive()[:-512] if not change else TOR.archive() + change)
    with pytest.raises(Refusal, match=rf"but the repository's catalogue says {len(TOR.archive())}"):
        bring_all(Local(repository.folder), keys, cache)


@pytest.mark.parametrize("made", [TOR, LIBEVENT], ids=["sha256", "blake2"])
def test_an_altered_package_is_refused(
    repository: Repository, keys: Keys, cache: Path, made: Made
) -> None:
    data = bytearray(made.archive())
    data[len(data) // 2] ^= 1
    (repository.folder / made.path).write_bytes(data)
    with pytest.raises(Refusal, match=r"its checksum is .*, but the repository's catalogue says"):
        bring_all(Local(repository.folder), keys, cache)


def test_a_missing_package_is_refused(repository: Repository, keys: Keys, cache: Path) -> None:
    (repository.folder / TOR.path).unlink()
    with pytest.raises(Refusal, match=r"no package tor-0\.4\.8,1"):
        bring_all(Local(repository.folder), keys, cache)


def test_a_package_that_changes_after_it_was_verified_is_refused(
    repository: Repository, keys: Keys, cache: Path
) -> None:
    package, _ = bring_all(Local(repository.folder), keys, cache)
    package.path.write_bytes(package.path.read_bytes())
    with pytest.raises(
        Refusal, match="the file was changed or replaced after it had been verified"
    ):
        package.open()


def test_an_altered_download_is_refused_and_not_kept(
    repository: Repository, keys: Keys, cache: Path, server: Server
) -> None:
    server.offer(repository.folder)
    data = bytearray(TOR.archive())
    data[-1] ^= 1
    server.misbehave(TOR.path, instead(bytes(data)))
    there = place(server.template, HASTY)
    with pytest.raises(
        Refusal,
        match=r"tor-0.4.8,1\.pkg: the checksum is \S+, but the repository's catalogue says \S+",
    ):
        bring_all(there, keys, cache)
    assert not [path for path in cache.iterdir() if "tor" in path.name]
    assert len(bring_all(there, keys, cache)) == 2


def test_a_download_of_another_size_is_refused(
    repository: Repository, keys: Keys, cache: Path, server: Server
) -> None:
    server.offer(repository.folder)
    server.misbehave(TOR.path, instead(TOR.archive() + b"more"))
    with pytest.raises(Refusal):
        bring_all(place(server.template, HASTY), keys, cache)
    assert not [path for path in cache.iterdir() if path.name.startswith("tor")]


def test_an_interrupted_download_is_gone_on_with(
    repository: Repository, keys: Keys, cache: Path, server: Server
) -> None:
    server.offer(repository.folder)
    server.misbehave(TOR.path, drop_after(70_000), ignore_range)
    server.misbehave(TOR.path, drop_after(70_000))
    packages = bring_all(place(server.template, HASTY), keys, cache)
    assert packages[0].open().read() == TOR.archive()
    assert "Range" in server.requests(TOR.path)[1].headers


def test_what_came_before_a_failure_is_kept_for_the_next_time(
    repository: Repository, keys: Keys, cache: Path, server: Server
) -> None:
    server.offer(repository.folder)
    server.misbehave(TOR.path, drop_after(70_000), *[status(503)] * 8)
    with pytest.raises(Refusal, match="HTTP 503, at the last of 4 attempts"):
        bring_all(place(server.template, HASTY), keys, cache)
    server.mirror.quirks.clear()
    asked = len(server.requests(TOR.path))
    packages = bring_all(place(server.template, HASTY), keys, cache)
    assert packages[0].open().read() == TOR.archive()
    assert server.requests(TOR.path)[asked].headers["Range"] == "bytes=70000-"


def test_a_package_that_the_server_forgot_is_refused_with_what_to_do(
    repository: Repository, keys: Keys, cache: Path, server: Server
) -> None:
    server.offer(repository.folder)
    del server.mirror.files[server.path(TOR.path)]
    with pytest.raises(Refusal, match=r"no package tor-0\.4\.8,1 \(HTTP 404\)"):
        bring_all(place(server.template, HASTY), keys, cache)


def test_a_damaged_cache_is_not_believed(
    repository: Repository, keys: Keys, cache: Path, server: Server
) -> None:
    server.offer(repository.folder)
    there = place(server.template, HASTY)
    package, _ = bring_all(there, keys, cache)
    data = bytearray(package.path.read_bytes())
    data[100] ^= 1
    package.path.write_bytes(data)
    again, _ = bring_all(there, keys, cache)
    assert again.open().read() == TOR.archive()
    assert len(server.requests(TOR.path)) == 2


def test_two_builds_do_not_share_the_cache_at_once(
    repository: Repository, keys: Keys, cache: Path, server: Server
) -> None:
    server.offer(repository.folder)
    with alone_in(cache), pytest.raises(Refusal, match="another exitisp is writing to this folder"):
        bring_all(place(server.template, HASTY), keys, cache)


def test_a_catalogue_without_end_is_refused(
    repository: Repository, keys: Keys, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPRESSED_CATALOGUE", 100)
    server.offer(repository.folder)
    with pytest.raises(Refusal, match="100 bytes"):
        open_repository(place(server.template, HASTY), keys)
    with pytest.raises(Refusal, match="100 bytes"):
        open_repository(Local(repository.folder), keys)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("http://mirror.example.org/${ABI}", "encrypted"),
        ("pkg+https://mirror.example.org/${ABI}", "an address such as"),
        ("https://mirror.example.org/${VERSION}", "an address such as"),
        ("ftp://mirror.example.org/", "an address such as"),
        ("/nowhere/at/all", "no such folder"),
        ("/etc/passwd", "not a folder"),
    ],
)
def test_a_place_that_is_none_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(Refusal, match=complaint):
        place(text)


def test_the_abi_is_put_into_an_address() -> None:
    there = place("https://mirror.example.org/pkg/${ABI}")
    assert there.where("All/a,1.pkg") == (
        "https://mirror.example.org/pkg/FreeBSD:15:amd64/All/a,1.pkg"
    )


@pytest.mark.parametrize("abi", ["FreeBSD:15:amd64", "FreeBSD:15:*", "FreeBSD:*", "freebsd:15:*"])
def test_packages_for_the_target_are_taken(abi: str, tmp_path: Path, keys: Keys) -> None:
    made = make_repository(tmp_path / "r", [replace(TOR, facts={"abi": abi})])
    check_abi(listed(Local(made.folder), keys))


@pytest.mark.parametrize("abi", ["FreeBSD:14:amd64", "FreeBSD:15:aarch64", "Linux:6:amd64", ""])
def test_packages_for_another_system_are_refused(abi: str, tmp_path: Path, keys: Keys) -> None:
    made = make_repository(tmp_path / "r", [replace(TOR, facts={"abi": abi})])
    with pytest.raises(Refusal, match="not for FreeBSD:15:amd64"):
        check_abi(listed(Local(made.folder), keys))


@needs_fixtures
def test_real_packages_are_what_their_catalogue_says(cache: Path) -> None:
    packages = bring_all(Local(FIXTURES), Keys.of_folder(FIXTURES / "keys"), cache)
    assert tuple(one.listed.package.full_name for one in packages) == FIXTURE_NAMES


def test_an_interruption_leaves_what_came_and_nothing_else(
    repository: Repository,
    keys: Keys,
    cache: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def impatient(title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        def advance(amount: int) -> None:
            if (cache / part).exists() and (cache / part).stat().st_size > 0:
                raise KeyboardInterrupt

        yield advance

    server.offer(repository.folder)
    there = place(server.template, HASTY)
    wanted = listed(there, keys)
    part = f".tor-0.4.8,1~{wanted[0].sum.digest.hex()[:16]}.part"
    with monkeypatch.context() as patch:
        patch.setattr("image.progress.step", impatient)
        with pytest.raises(KeyboardInterrupt):
            bring(there, wanted, WORD, cache)
    assert (cache / part).stat().st_size > 0
    assert not list(cache.glob("tor*"))
    bring(there, wanted, WORD, cache)
    assert "Range" in server.requests(TOR.path)[-1].headers
    assert not list(cache.glob(".*"))
