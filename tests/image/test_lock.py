from pathlib import Path

import pytest

import image
from firstboot.core.refusal import Refusal
from image import lock
from image.download.url import Folder, Url
from image.lock import Lock, Natural, Pin, Schema, SetPin, Sha256
from tests.image.base.upstream import PRINCIPAL, Keys

SHIPPED = Path(image.__file__).with_name("hardenedbsd.lock.yaml")
PIN = Pin(
    Natural(12),
    SetPin(Sha256("0a" * 32), Natural(577_000_000), True),
    SetPin(Sha256("0b" * 32), Natural(51_000_000), False),
)


def pinned(keys: Keys) -> Lock:
    url = "https://mirror.example.org/pub/"
    base = lock.Base(Folder(url), Url(f"{url}key"), PRINCIPAL, keys.public, PIN)
    return Lock(Schema(1), base)


def test_the_shipped_lock_names_the_mirror_and_pins_nothing() -> None:
    base = lock.load(SHIPPED).base
    assert base.location.startswith("https://installers.hardenedbsd.org/")
    assert base.principal == "hbsd-os-build-01"
    assert base.key is None
    assert base.pin is None


def test_the_shipped_lock_is_what_would_be_written() -> None:
    read = lock.load(SHIPPED)
    if read.base.pin is None:
        assert SHIPPED.read_text() == lock.render(read)


def test_what_is_written_is_read_back_with_its_comments(tmp_path: Path, keys: Keys) -> None:
    path = tmp_path / "lock.yaml"
    lock.write(path, pinned(keys))
    assert lock.load(path) == pinned(keys)
    assert "# That key (OpenSSH)." in path.read_text()
    assert [left.name for left in tmp_path.iterdir()] == ["lock.yaml"]


def test_a_lock_that_cannot_be_written_stays_as_it_was(tmp_path: Path, keys: Keys) -> None:
    path = tmp_path / "lock.yaml"
    path.write_text("old")
    (tmp_path / ".lock.yaml.new").symlink_to("/dev/full")
    with pytest.raises(Refusal, match="no room to write: No space left on device"):
        lock.write(path, pinned(keys))
    assert path.read_text() == "old"
    assert [left.name for left in tmp_path.iterdir()] == ["lock.yaml"]


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("schema: 1", "schema: 2", "lock.yaml:3: schema: '2' is not schema 1"),
        ("  pin:", "  colour: red\n  pin:", "the key 'colour' is unknown"),
        ("https://mirror.example.org/pub/\n", "http://mirror.example.org/pub/\n", "encrypted"),
        ("https://mirror.example.org/pub/\n", "http://127.0.0.1.example.org/\n", "encrypted"),
        ("https://mirror.example.org/pub/\n", "https://mirror.example.org/pub\n", "slash"),
        ("https://mirror.example.org/pub/\n", "https://a@mirror.example.org/\n", "an address"),
        ("https://mirror.example.org/pub/\n", "https://mirror.example.org:x/\n", "an address"),
        ("https://mirror.example.org/pub/\n", "file:///srv/mirror/\n", "an address"),
        ("size: 577000000", "size: -1", "a whole number from 1 on"),
        ("build: 12", "build: LATEST", "a whole number from 1 on"),
        ("0a0a", "0a0g", "SHA-256"),
        ("key: ssh-ed25519", "key: #", "the build is pinned, but the signer's key is missing"),
        ("key: ssh-ed25519", "key: ssh-dss", "OpenSSH public key"),
        ("hbsd-os-build-01", '"*"', "signer's name"),
    ],
)
def test_a_faulty_lock_is_refused(
    old: str, new: str, where: str, tmp_path: Path, keys: Keys
) -> None:
    path = tmp_path / "lock.yaml"
    text = lock.render(pinned(keys))
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(Refusal, match=where):
        lock.load(path)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:80"])
def test_plain_http_is_for_this_machine_alone(host: str) -> None:
    assert Url.parse(f"http://{host}/pub/") == f"http://{host}/pub/"
