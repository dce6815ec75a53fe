"""Packages on their target system: one boot, examined from inside."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from image import overlay
from image.freeze.elf import MAGIC
from image.packages.contents import Contents, unpack
from image.packages.install import detours, place
from image.packages.registration import PLACE
from image.root import VERSIONS
from qemu.console_patterns import LOGIN
from qemu.disk import Bus
from qemu.firmware import Firmware
from qemu.machine import Machine
from tests.boot.conftest import BOOT, ROOT, Real, machine, make, transcripts
from tests.image.packages.fixtures import FIXTURES, needs_fixtures
from tests.image.packages.given import fixture

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("packages"), needs_fixtures]

ASKED = ("openbgpd-7.7", "tor-0.4.9.11")
MORE = ("fixture-pax-2.0,1", "python311-3.11.2")
"""Packages that no appliance has: with extended attributes, and with a shared library."""

REFERENCE = """\
AS 65001
router-id 192.0.2.1
fib-update no
network 198.51.100.0/24
neighbor 192.0.2.2 {
	remote-as 65002
	descr "a neighbour"
}
"""


@pytest.fixture(scope="module")
def real(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    folder = tmp_path_factory.mktemp("packages")
    (folder / "more" / "files" / "testdata").mkdir(parents=True)
    (folder / "more" / "files" / "testdata" / "bgpd.conf").write_text(REFERENCE)
    recipe = {
        "description": "More packages than an appliance has.",
        "packages": [{"name": name.rpartition("-")[0]} for name in MORE],
        "files": [{"path": "testdata/bgpd.conf", "mode": "0600"}],
    }
    (folder / "more" / "overlay.yaml").write_text(yaml.safe_dump(recipe))
    return make(sets, folder / "exitisp.img", overlay.load(folder / "more"))


@pytest.fixture(scope="module")
def box(real: Real) -> Iterator[Machine]:
    with machine(
        real.image, transcripts(real.sets), Firmware.BIOS, Bus.VIRTIO, "packages"
    ) as running:
        running.console.expect(LOGIN, timeout=BOOT)
        running.shell.open_shell(timeout=BOOT)
        yield running


@pytest.fixture(scope="module", params=[*ASKED, *MORE])
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    cache = tmp_path_factory.mktemp("unpacked")
    return unpack(fixture(FIXTURES / "All" / f"{request.param}.pkg"), cache)


def said(box: Machine, command: str, timeout: float = 120.0) -> str:
    """Run `command` and return its output without the last line end. It must succeed."""
    return box.shell.run(command, timeout).text.rstrip("\n")


def test_owners_modes_flags_and_links_are_the_manifests(box: Machine, package: Contents) -> None:
    ways = detours(overlay.load_all(ROOT / "overlays"))
    expected = {
        f"/{place(one.path, ways)}": (one.owner, one.group, one.mode, one.flags, one.target)
        for one in package.members
    }
    folders = "/usr/local /etc/local /var/db /var/log /var/run"
    listing = said(
        box, f"find {folders} -print0 | xargs -0 stat -f '%Su %Sg %Mp%Lp %f %N|%Y'", timeout=300
    )
    found = {}
    for line in listing.splitlines():
        facts, _, target = line.partition("|")
        owner, group, mode, flags, path = facts.split(" ", 4)
        found[path] = (owner, group, int(mode, 8), int(flags), target)
    assert {path: found.get(path) for path in expected} == expected


def test_every_program_and_library_finds_its_libraries(box: Machine, real: Real) -> None:
    files = [*real.tree.below("usr/local"), *real.tree.below("etc/local")]
    listed = [f"/{path}" for path in files if real.tree[path].content.read().startswith(MAGIC)]
    assert {"/usr/local/bin/tor", "/usr/local/sbin/bgpd"} <= set(listed)
    assert "/usr/local/lib/libpython3.11.so.1.0" in listed
    told = said(box, f"ldd {' '.join(listed)} 2>&1", timeout=300)
    assert "not found" not in told
    assert told.count("libc.so.7 =>") == len(listed)


def test_hints_for_libraries_of_packages_are_made_at_the_boot(box: Machine) -> None:
    folders = said(box, "ldconfig -r | grep 'search directories:'").split()[-1]
    assert "/usr/local/lib" in folders.split(":")
    used = said(box, "ldd /usr/local/bin/python3.11")
    assert "libpython3.11.so.1.0 => /usr/local/lib/libpython3.11.so.1.0" in used


def test_the_daemons_run(box: Machine) -> None:
    assert said(box, "tor --version").startswith("Tor version 0.4.9.11")
    assert said(box, "bgpd -n -f /testdata/bgpd.conf 2>&1") == "configuration OK"
    assert box.shell.run("bgpctl show", check=False).status != 0
    assert said(box, "python3.11 -c 'import ssl, sys; print(sys.version_info[:2])'") == "(3, 11)"


@pytest.mark.parametrize(
    ("user", "number", "home"), [("_tor", 256, "/var/db/tor"), ("_bgpd", 130, "/var/empty")]
)
def test_users_are_known_and_locked(box: Machine, user: str, number: int, home: str) -> None:
    assert (
        said(box, f"id {user}")
        == f"uid={number}({user}) gid={number}({user}) groups={number}({user})"
    )
    fields = said(box, f"pw usershow {user}").split(":")
    assert (fields[1], fields[8], fields[9]) == ("*", home, "/usr/sbin/nologin")


def test_services_of_packages_are_known_and_off(box: Machine) -> None:
    services = said(box, "service -l").splitlines()
    assert {"tor", "openbgpd"} <= set(services)
    for name in ("tor", "openbgpd"):
        assert box.shell.run(f"service {name} enabled", check=False).status != 0


def test_samples_are_copied_except_for_files_that_the_site_renders(box: Machine) -> None:
    assert said(box, "cmp /usr/local/etc/tor/torrc /usr/local/etc/tor/torrc.sample") == ""
    assert box.shell.run("ls /usr/local/etc/bgpd.conf", check=False).status != 0
    assert said(box, "stat -f %Lp /usr/local/etc/bgpd.conf.sample") == "600"


def test_attributes_of_packages_arrive(box: Machine, package: Contents) -> None:
    for member in package.members:
        for attribute, value in member.attributes.items():
            space, _, name = attribute.partition(".")
            assert said(box, f"getextattr -q {space} {name} '/{member.path}'") == value.decode()


def test_the_box_knows_what_it_carries(box: Machine, real: Real) -> None:
    versions = json.loads(said(box, f"cat /{VERSIONS}"))["packages"]
    assert versions == dict(name.rsplit("-", 1) for name in (*ASKED, *MORE))
    content = real.tree[PLACE].content.read()
    assert said(box, f"sha256 -q /{PLACE}") == hashlib.sha256(content).hexdigest()


def test_pkg_lists_the_packages_and_finds_them_unchanged(box: Machine) -> None:
    if box.shell.run("test -x /usr/local/sbin/pkg", check=False).status != 0:
        pytest.skip("the repository has no package of pkg itself")
    listed = said(box, "pkg query '%n-%v'").splitlines()
    assert {*ASKED, *MORE} <= set(listed)
    said(box, "pkg check -s -m -a", timeout=600)
