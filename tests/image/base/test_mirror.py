import pytest

from firstboot.core.refusal import Refusal
from image.base import mirror
from image.download.client import Client
from image.download.url import Folder
from image.ssh_signature import Signer
from tests.image.base.upstream import BASE, HASTY, INSTALLER, KEY, PRINCIPAL, Upstream, instead

LOCATION = Folder("https://mirror.example.org/pub/installer/")


@pytest.fixture
def client() -> Client:
    return Client("", HASTY)


def test_builds_are_read_from_an_autoindex_page_highest_first() -> None:
    apache = """
    <table><tr><th><a href="?C=N;O=D">Name</a></th></tr>
    <tr><td><a href="/pub/">Parent Directory</a></td></tr>
    <tr><td><a href="LATEST/">LATEST/</a></td></tr>
    <tr><td><a href="build-9/">build-9/</a></td></tr>
    <tr><td><a href="build-10/">build-10/</a></td></tr></table>"""
    assert mirror.list_builds(apache, LOCATION) == [10, 9]


@pytest.mark.parametrize(
    "link",
    [
        "build-7/",
        "build-7",
        "./build-7/",
        "/pub/installer/build-7/",
        "https://mirror.example.org/pub/installer/build-7/",
        "../installer/build-7/",
    ],
)
def test_a_build_may_be_linked_in_any_way(link: str) -> None:
    listing = f"<A title='x' HREF='{link}'>a<a href='build-7/'>b"
    assert mirror.list_builds(listing, LOCATION) == [7]


@pytest.mark.parametrize(
    "link",
    [
        "build-LATEST/",
        "build-07/",
        "build-7/../../../",
        "build-7/MANIFEST",
        "build-1234567890/",
        "build--7/",
        "build-٣/",
        "old-build-7/",
        "https://elsewhere.example.org/pub/installer/build-7/",
        "http://mirror.example.org/pub/installer/build-7/",
        "//[",
        "",
    ],
)
def test_other_links_are_no_builds(link: str) -> None:
    assert mirror.list_builds(f'<a href="{link}">build-7/</a><a>', LOCATION) == []


def test_an_incomplete_build_is_passed_over(client: Client, upstream: Upstream) -> None:
    for build in (1, 2, 3, 4):
        upstream.publish(build)
    upstream.remove(4, "MANIFEST")
    upstream.remove(3, "kernel.txz")
    signer = Signer(PRINCIPAL, upstream.keys.public)
    assert mirror.find_newest(client, upstream.location, signer).build == 2


def test_a_listing_without_builds_is_refused(client: Client, upstream: Upstream) -> None:
    signer = Signer(PRINCIPAL, upstream.keys.public)
    with pytest.raises(Refusal, match="the listing has no folder build-N"):
        mirror.find_newest(client, upstream.location, signer)
    upstream.link("build-1/")
    with pytest.raises(Refusal, match="1 builds are there, but none of the newest 10 has"):
        mirror.find_newest(client, upstream.location, signer)


def test_a_set_larger_than_any_is_refused_unseen(
    client: Client, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "BASE_SET", 1000)
    upstream.publish(1)
    signer = Signer(PRINCIPAL, upstream.keys.public)
    with pytest.raises(
        Refusal, match=rf"base\.txz: the set has {len(BASE)} bytes; at most 1000 are accepted"
    ):
        mirror.find_newest(client, upstream.location, signer)
    assert not upstream.requests(upstream.path(1, "base.txz"))


@pytest.mark.parametrize(
    "text", [b"", b"<html>", b"ssh-ed25519 AAAA\n", b"\xff", b"ssh-ed25519 A\nssh-ed25519 B\n"]
)
def test_a_file_that_is_no_key_is_refused(text: bytes, client: Client, upstream: Upstream) -> None:
    upstream.server.files[KEY] = text
    with pytest.raises(Refusal, match=r"not (one|an) OpenSSH public key"):
        mirror.read_key(client, upstream.key_location)


def test_a_mirror_without_a_key_is_refused(client: Client, upstream: Upstream) -> None:
    del upstream.server.files[KEY]
    with pytest.raises(Refusal, match=r"no such file \(HTTP 404\)"):
        mirror.read_key(client, upstream.key_location)


def test_a_key_may_have_comments(client: Client, upstream: Upstream) -> None:
    upstream.server.files[KEY] = f"# ours\n\n{upstream.keys.public} root@build\n".encode()
    assert mirror.read_key(client, upstream.key_location) == upstream.keys.public


def test_an_endless_listing_is_cut_off(client: Client, upstream: Upstream) -> None:
    upstream.misbehave(INSTALLER, instead(b"<a href='build-1/'>" * 100_000))
    with pytest.raises(Refusal, match="the file is larger than 1048576 bytes"):
        mirror.find_newest(client, upstream.location, Signer(PRINCIPAL, upstream.keys.public))
