"""Packages that the lock file pins."""

from dataclasses import replace
from pathlib import Path

import pytest

import image
from firstboot.core.refusal import Refusal
from image import lock
from image.inputs.packages import Obtained, Pinned, obtain
from image.inputs.pin_packages import pin_newest
from image.lock import Natural, PackageName, PackagePath, PackagePin, PackageVersion, Sha256
from image.overlay import Overlay
from tests.image.base.upstream import HASTY
from tests.image.packages.asking import asking, base_system, write_lock
from tests.image.packages.repository import Item, Made, Signer, make_repository, usual_signer
from tests.image.packages.serving import Server

SHIPPED = Path(image.__file__).with_name("hardenedbsd.lock.yaml")

LIBEVENT = Made("libevent", "2.1.12", facts={"shlibs_provided": ["libevent-2.1.so.7"]})
TOR = Made(
    "tor",
    "0.4.8_1,2",
    deps={"libevent": "2.1.12"},
    facts={"shlibs_required": ["libevent-2.1.so.7", "libc.so.7"]},
)
PIN = PackagePin(
    PackageName("tor"),
    PackageVersion("0.4.8_1,2"),
    PackagePath("All/Hashed/tor-0.4.8_1,2~0a1b.pkg"),
    Sha256("0a" * 32),
    Natural(1000),
)
SIGNER = Sha256("0b" * 32)


class World:
    """A server, a lock file that names it, an overlay that wants tor, a base that trusts."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.server = server
        self.cache = folder / "cache"
        self.base = base_system(usual_signer())
        self.overlays: list[Overlay] = [asking(folder / "overlays" / "tor", "{name: tor}")]
        self.lock = write_lock(folder / "lock.yaml", server.template)

    def publish(self, *packages: Made, signers: list[Signer] | None = None) -> None:
        """Offer these, and nothing else any more."""
        number = len(list(self.folder.glob("repository*")))
        made = make_repository(self.folder / f"repository{number}", packages, signers=signers)
        self.server.offer(made.folder)

    def update(self) -> str:
        return pin_newest(self.lock, self.overlays, self.base, self.cache, HASTY)

    def obtain(self, *, first: bool = False) -> Obtained:
        pinned = Pinned(self.lock, first)
        return obtain(pinned, self.overlays, self.base, self.cache, patience=HASTY)

    @property
    def pins(self) -> list[tuple[str, str]]:
        pins = lock.load(self.lock).packages.pins
        assert pins is not None
        return [(pin.name, pin.version) for pin in pins]


@pytest.fixture
def world(tmp_path: Path, server: Server) -> World:
    world = World(tmp_path, server)
    world.publish(TOR, LIBEVENT, Made("nyx"))
    return world


def names(obtained: Obtained) -> list[str]:
    return [one.listed.package.full_name for one in obtained.packages]


def test_the_shipped_lock_names_the_repository_and_pins_nothing() -> None:
    packages = lock.load(SHIPPED).packages
    assert packages == lock.UPSTREAM
    assert packages.repository.folder == (
        "https://pkg.hardenedbsd.org/HardenedBSD/pkg/FreeBSD:15:amd64/"
    )


def test_a_lock_file_from_before_packages_means_upstreams(tmp_path: Path) -> None:
    text, found, _ = SHIPPED.read_text().partition("\npackages:")
    assert found
    path = tmp_path / "lock.yaml"
    path.write_text(text)
    assert lock.load(path) == lock.load(SHIPPED)


OTHER = replace(PIN, name=PackageName("a"), needs=(PIN.name,))


@pytest.mark.parametrize("pins", [None, (), (PIN,), (PIN, OTHER)])
def test_pins_are_read_back_as_they_were_written(
    tmp_path: Path, pins: tuple[PackagePin, ...] | None
) -> None:
    path = write_lock(tmp_path / "lock.yaml", "https://example.org/${ABI}/", pins, SIGNER)
    packages = lock.load(path).packages
    assert (packages.pins, packages.signer) == (pins, SIGNER)
    assert packages.repository == "https://example.org/${ABI}/"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (f"signer: {SIGNER}", "signer:", "repository's key (signer) is missing"),
        ('name: "tor"', 'name: "../tor"', "a package's name"),
        ('version: "0.4.8_1,2"', 'version: "1/2"', "a package's version"),
        ("All/Hashed/", "../", "a path below the repository"),
        ("All/Hashed/", "/", "a path below the repository"),
        ("size: 1000", "size: 0", "a whole number from 1 on"),
        ("0a" * 32, "0A" * 32, "a SHA-256"),
        ("repository: https", "repository: http", "encrypted"),
        ("${ABI}/", "${ABI}", "a slash at its end"),
        ("${ABI}/", "${ARCH}/", "an address such as"),
    ],
)
def test_a_faulty_pin_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    path = write_lock(tmp_path / "lock.yaml", "https://example.org/${ABI}/", (PIN,), SIGNER)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(Refusal, match=r"lock\.yaml:[0-9]+: ") as refused:
        lock.load(path)
    assert complaint in str(refused.value)


def test_a_package_that_is_pinned_twice_is_refused(tmp_path: Path) -> None:
    path = write_lock(tmp_path / "lock.yaml", "https://example.org/${ABI}/", (PIN, PIN), SIGNER)
    with pytest.raises(Refusal, match="tor is pinned twice"):
        lock.load(path)


def test_the_first_update_pins_what_is_wanted_and_what_that_needs(world: World) -> None:
    said = world.update()
    assert world.pins == [("libevent", "2.1.12"), ("tor", "0.4.8_1,2")]
    assert "2 packages are pinned (the first)" in said
    assert "  added     tor 0.4.8_1,2" in said
    assert f"signed by {usual_signer().fingerprint} (key0), which the base trusts" in said
    assert lock.load(world.lock).packages.signer == usual_signer().fingerprint


def test_what_is_pinned_is_used_without_asking_the_server_again(world: World) -> None:
    world.update()
    asked = len(world.server.mirror.requests)
    obtained = world.obtain()
    assert names(obtained) == ["libevent-2.1.12", "tor-0.4.8_1,2"]
    assert len(world.server.mirror.requests) == asked
    assert usual_signer().fingerprint in obtained.packages[0].provenance
    package = obtained.packages[1]
    assert package.listed.package.deps[0].name == "libevent"
    assert package.open().read() == TOR.archive()


def test_what_is_pinned_and_not_in_the_cache_is_brought_again(world: World) -> None:
    world.update()
    for path in world.cache.iterdir():
        path.unlink()
    assert names(world.obtain()) == ["libevent-2.1.12", "tor-0.4.8_1,2"]


def test_pinned_packages_are_used_even_where_newer_ones_are_offered(world: World) -> None:
    world.update()
    world.publish(replace(TOR, version="0.4.9"), LIBEVENT)
    assert names(world.obtain()) == ["libevent-2.1.12", "tor-0.4.8_1,2"]


def test_what_the_server_has_forgotten_is_refused_with_what_to_do(world: World) -> None:
    world.update()
    for path in world.cache.iterdir():
        path.unlink()
    world.publish(replace(TOR, version="0.4.9"), LIBEVENT)
    with pytest.raises(Refusal, match=r"rolling branch.*\./exitisp lock --update"):
        world.obtain()


def test_other_bytes_under_a_pinned_name_are_refused(world: World) -> None:
    world.update()
    for path in world.cache.iterdir():
        path.unlink()
    world.publish(replace(TOR, items={"/usr/local/bin/tor": Item(b"")}), LIBEVENT)
    size = len(TOR.archive())
    with pytest.raises(Refusal, match=rf"(instead of {size}|the checksum is .*the lock file)"):
        world.obtain()


def test_a_pin_of_another_package_under_that_name_is_refused(world: World) -> None:
    world.update()
    text = world.lock.read_text()
    world.lock.write_text(text.replace('version: "0.4.8_1,2"', 'version: "0.4.9"'))
    with pytest.raises(
        Refusal,
        match=r"the file is the package tor-0\.4\.8_1,2, but the lock file says tor-0\.4\.9",
    ):
        world.obtain()


def test_an_update_says_what_changed_in_a_line_each(world: World) -> None:
    world.publish(TOR, LIBEVENT, Made("old"), Made("rebuilt"))
    asked = ("{name: tor}", "{name: old}", "{name: rebuilt}")
    world.overlays = [asking(world.folder / "overlays" / "more", *asked)]
    world.update()
    world.overlays = [asking(world.folder / "overlays" / "less", asked[0], asked[2], "{name: new}")]
    rebuilt = Made("rebuilt", items={"/usr/local/x": Item(b"x")})
    world.publish(replace(TOR, version="0.4.10,2"), LIBEVENT, rebuilt, Made("new"), Made("old"))
    said = world.update()
    assert "4 packages are pinned (before: 4)" in said
    assert [line.split()[:2] for line in said.splitlines()[1:]] == [
        ["added", "new"],
        ["removed", "old"],
        ["rebuilt", "rebuilt"],
        ["upgraded", "tor"],
    ]
    assert "upgraded  tor 0.4.8_1,2 -> 0.4.10,2" in said


def test_an_update_without_news_changes_nothing(world: World) -> None:
    world.update()
    before = world.lock.stat().st_ino
    assert "2 packages are still the newest; nothing changed" in world.update()
    assert world.lock.stat().st_ino == before


def test_an_update_never_goes_back_to_an_older_version(world: World) -> None:
    world.update()
    before = world.lock.read_text()
    world.publish(replace(TOR, version="0.4.9"), LIBEVENT)
    with pytest.raises(Refusal, match=r"tor 0\.4\.9 is older than the pinned version 0\.4\.8_1,2"):
        world.update()
    assert world.lock.read_text() == before


def test_an_update_trusts_no_key_that_the_base_lacks(world: World) -> None:
    world.update()
    before = world.lock.read_text()
    world.publish(replace(TOR, version="0.5,2"), LIBEVENT, signers=[Signer.rsa()])
    with pytest.raises(Refusal, match=r"signed by \S+, which is not trusted; trusted: \S+"):
        world.update()
    assert world.lock.read_text() == before


def test_a_new_key_that_the_base_trusts_is_told(world: World) -> None:
    world.update()
    successor = Signer.rsa()
    world.base = base_system(successor)
    world.publish(TOR, LIBEVENT, signers=[successor])
    said = world.update()
    assert f"signed by {successor.fingerprint} (key0), which the base trusts, replaces" in said


def test_an_update_of_the_lock_is_all_or_nothing(world: World) -> None:
    """The power fails, or the disk is full, before the new file has its name."""
    before = world.lock.read_text()
    world.lock.with_name(".lock.yaml.new").symlink_to("/dev/full")
    with pytest.raises(Refusal, match="No space left on device"):
        world.update()
    assert world.lock.read_text() == before


def test_a_lock_without_pins_is_pinned_by_the_first_build_that_may(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert names(world.obtain(first=True)) == ["libevent-2.1.12", "tor-0.4.8_1,2"]
    assert "pins no packages yet; pinning the newest" in capsys.readouterr().err
    assert world.pins


def test_a_lock_without_pins_is_refused_by_a_build_that_may_not(world: World) -> None:
    with pytest.raises(Refusal, match=r"\./exitisp lock --update.*--packages DIR.*none"):
        world.obtain()
    assert not world.server.mirror.requests


def test_what_an_overlay_wants_and_nothing_pins_is_refused_with_what_to_do(world: World) -> None:
    world.update()
    world.overlays.append(asking(world.folder / "overlays" / "nyx", "{name: nyx}"))
    with pytest.raises(
        Refusal, match=r"the repository has no package nyx, among the packages that \S+ pins"
    ):
        world.obtain()


def test_pins_that_nothing_asks_for_are_not_even_brought(world: World) -> None:
    world.overlays.append(asking(world.folder / "overlays" / "nyx", "{name: nyx}"))
    world.update()
    del world.overlays[-1]
    for path in world.cache.iterdir():
        path.unlink()
    assert names(world.obtain()) == ["libevent-2.1.12", "tor-0.4.8_1,2"]
    assert len(list(world.cache.iterdir())) == 2


def test_a_pin_has_all_that_a_package_needs(world: World) -> None:
    chain = Made("libevent", "2.1.12", facts={"shlibs_provided": ["libevent-2.1.so.7"]})
    deep = replace(chain, deps={"deeper": "1.0"})
    world.publish(TOR, deep, Made("deeper"))
    world.update()
    needs = {pin.name: pin.needs for pin in lock.load(world.lock).packages.pins or ()}
    assert needs == {"tor": ("deeper", "libevent"), "libevent": ("deeper",), "deeper": ()}


def test_a_pin_that_lacks_what_it_needs_is_refused(world: World) -> None:
    world.update()
    text = world.lock.read_text()
    world.lock.write_text(text.replace('needs: ["libevent"]', 'needs: ["libother"]'))
    with pytest.raises(Refusal, match="tor needs libother, which is not pinned"):
        world.obtain()
    world.lock.write_text(text.replace(',\n       needs: ["libevent"]', ""))
    with pytest.raises(
        Refusal, match=r"libevent, among the packages that .*lock\.yaml pins\. Pin the newest"
    ):
        world.obtain()


def test_a_base_that_has_moved_on_from_the_pinned_packages_is_noticed(world: World) -> None:
    world.update()
    del world.base["lib/libc.so.7"]
    with pytest.raises(Refusal, match=r"libc\.so\.7.*\./exitisp lock --update"):
        world.obtain()
