"""A real image on a real kernel: one boot with each firmware, examined from inside."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from firstboot.core.boot_places import IDLE
from firstboot.site.services import On
from image.tree import Content, Entry, Kind, Tree, parent
from qemu.console_patterns import LOGIN, LOGIN_INCORRECT, PASSWORD
from qemu.disk import Bus
from qemu.firmware import Firmware
from qemu.machine import Machine
from tests.boot.conftest import BOOT, ROOT, STICK, Real, full, identify, machine, transcripts
from tests.boot.power import loses_nothing
from tests.boot.services import enabled, listed

pytestmark = pytest.mark.boot

UEFI = pytest.mark.xdist_group("uefi")
FIRMWARES = [
    pytest.param((Firmware.BIOS, Bus.SATA), id="bios", marks=pytest.mark.xdist_group("bios")),
    pytest.param((Firmware.UEFI, Bus.NVME), id="uefi", marks=UEFI),
]
BOTH = pytest.mark.parametrize(
    "box",
    [FIRMWARES[0], pytest.param(*FIRMWARES[1].values, id="uefi", marks=[UEFI, full])],
    indirect=True,
)
"""For tests in which firmware and disk hardly matter: BIOS alone, and UEFI with --full."""

TYPES = {Kind.DIRECTORY: 0o040000, Kind.FILE: 0o100000, Kind.SYMLINK: 0o120000}


@pytest.fixture(scope="module", params=FIRMWARES)
def box(request: pytest.FixtureRequest, real: Real) -> Iterator[Machine]:
    """A box after its first boot."""
    firmware, bus = request.param
    name = f"first-{firmware.value}"
    with machine(real.image, transcripts(real.sets), firmware, bus, name) as running:
        running.console.expect(LOGIN, timeout=BOOT)
        running.shell.open_shell(timeout=BOOT)
        identify(running.shell)
        yield running


def said(box: Machine, command: str, timeout: float = 120.0) -> str:
    """Run `command` and return its output without the last line end. It must succeed."""
    return box.shell.run(command, timeout).text.rstrip("\n")


def test_the_root_is_locked(box: Machine) -> None:
    for password in ("", "root"):
        box.console.send_line("root")
        box.console.expect(PASSWORD, timeout=BOOT)
        box.console.send_line(password)
        box.console.expect(LOGIN_INCORRECT, timeout=BOOT, failures=())
    assert said(box, "pw usershow root").startswith("root:*:0:0:")
    assert said(box, "grep -c '^[^:#]*::' /etc/master.passwd; true") == "0"


def test_the_password_databases_are_those_of_master_passwd(box: Machine) -> None:
    said(box, "mkdir /tmp/pw && cp /etc/master.passwd /tmp/pw")
    said(box, "pwd_mkdb -d /tmp/pw /tmp/pw/master.passwd")
    for name in ("pwd.db", "spwd.db"):
        assert said(box, f"cmp /tmp/pw/{name} /etc/{name}") == ""


@pytest.mark.parametrize("slot", ["rootA", "rootB"])
def test_fsck_finds_nothing_in_a_slot(box: Machine, slot: str) -> None:
    lines = said(box, f"fsck_ffs -n /dev/gpt/{slot}").splitlines()
    remarks = [line for line in lines if line and not line.startswith("** ")]
    assert sum(line.startswith("** Phase") for line in lines) == 5
    assert len(remarks) == 1
    assert remarks[0].endswith("fragmentation)")


@BOTH
def test_the_kernel_reads_the_tree_that_was_written(box: Machine, real: Real) -> None:
    """Compare type, mode, owner, group, flags, links, size and content of every path."""
    names = hard_links(real.tree)
    expected = {
        path: facts(entry, names[path]) for path, entry in real.tree.items() if not covered(path)
    }
    listing = said(
        box, "cd / && find -x . -print0 | xargs -0 stat -f '%p %u %g %f %l %z %N'", timeout=300
    )
    found = {}
    for line in listing.splitlines():
        mode, uid, gid, flags, links, size, path = line.split(" ", 6)
        found[path.removeprefix("./")] = (
            int(mode, 8),
            int(uid),
            int(gid),
            int(flags),
            int(links),
            None if mode.startswith("4") else int(size),
        )
    assert {path: found.get(path) for path in expected} == expected
    assert {path for path in found if not covered(path)} == expected.keys()

    digests = said(box, "cd / && find -x . -type f -print0 | xargs -0 sha256 -r", timeout=600)
    # sha256(1) writes `\[` for `[`.
    read = {line[67:].replace("\\", ""): line[:64] for line in digests.splitlines()}
    for path in expected:
        entry = real.tree[path]
        if entry.kind is Kind.FILE:
            assert read[path] == digest(entry.content), path


def covered(path: str) -> bool:
    """Whether something is mounted over `path`, or it is the root."""
    return path.partition("/")[0] in (".", "etc", "var", "tmp", "dev", "cfg", "data")


def hard_links(tree: Tree) -> dict[str, int]:
    """Return the link count of each path: names of a file; for a directory 2 and its folders."""
    names = Counter(map(id, tree.values()))
    folders = Counter(parent(path) for path in tree if tree.is_directory(path))
    return {
        path: 2 + folders[path] if tree.is_directory(path) else names[id(entry)]
        for path, entry in tree.items()
    }


def facts(entry: Entry, links: int) -> tuple[int, int, int, int, int, int | None]:
    """Return mode, owner, group, flags, links and size as stat(1) has to print them. The size of a
    directory is left to the writer."""
    size = None if entry.kind is Kind.DIRECTORY else entry.size
    return TYPES[entry.kind] | entry.mode, entry.uid, entry.gid, entry.flags, links, size


def digest(content: Content) -> str:
    return hashlib.sha256(content.read()).hexdigest()


def test_attributes_of_the_system_namespace_arrive(box: Machine) -> None:
    marked = "/testdata/marked"
    assert said(box, f"getextattr -q system hbsd.pax.nomprotect {marked}") == "1"
    assert said(box, f"getextattr -q user note {marked}") == "kept"
    told = said(box, f"stat -f '%Su:%Sg %Sp %Sf' {marked}")
    assert told == "daemon:operator -rws--x--x schg,uarch"
    assert len(said(box, "readlink /testdata/far")) > 120


def test_the_root_cannot_be_written_and_etc_and_var_can(box: Machine) -> None:
    assert box.shell.run("touch /x /usr/x", check=False).status != 0
    said(box, "touch /etc/x /var/x /var/db/x /usr/local/etc/x && rm /usr/local/etc/x /etc/x")
    mounts = {line.split(" ")[2]: line for line in said(box, "mount").splitlines()}
    assert "read-only" in mounts["/"]
    assert mounts["/"].startswith("/dev/gpt/rootA ")
    assert mounts["/etc"].startswith("tmpfs ")
    assert mounts["/var"].startswith("tmpfs ")
    for place in ("/tmp", "/var", "/cfg", "/data"):
        assert {"noexec", "nosuid"} <= set(re.findall(r"\w+", mounts[place])), place
    for place in ("/", "/etc"):
        assert "nosuid" in mounts[place]


def test_no_program_is_setuid_or_setgid(box: Machine) -> None:
    """The tests' own overlay has one, which shows that others would be found."""
    command = "find -x / /etc /var /tmp /cfg /data -type f -perm +6000"
    assert said(box, command, 300.0) == "/testdata/marked"


def test_the_settings_of_hardening_hold_and_cannot_be_undone(box: Machine) -> None:
    lines = (ROOT / "overlays/hardening/files/etc/sysctl.conf.local").read_text().splitlines()
    settings = dict(line.split("=") for line in lines if line and not line.startswith("#"))
    assert len(settings) > 10
    assert said(box, f"sysctl -n {' '.join(settings)}").splitlines() == [*settings.values()]
    assert said(box, "sysctl -n kern.securelevel") == "1"
    said(box, "kldstat -q -n mac_ntpd")
    assert box.shell.run("kldload accf_data", check=False).status != 0
    assert box.shell.run("kldunload mac_ntpd", check=False).status != 0
    assert box.shell.run("sysctl kern.securelevel=0", check=False).status != 0
    assert said(box, "swapinfo | tail -n +2") == ""


def test_the_clock_can_be_set_at_securelevel_1(box: Machine) -> None:
    before = int(said(box, "date +%s"))
    said(box, f"date -f %s {before + 86400}")
    assert int(said(box, "date +%s")) >= before + 86400
    said(box, "date -f %s $(($(date +%s) - 86400))")


def test_the_idle_slot_can_be_written_at_securelevel_1(box: Machine) -> None:
    said(box, "dd if=/dev/gpt/rootB of=/tmp/block bs=64k count=1 2>&1")
    said(box, "dd if=/tmp/block of=/dev/gpt/rootB bs=64k conv=notrunc 2>&1 && rm /tmp/block")
    disk = said(box, "glabel status -s | awk '$1 == \"gpt/rootB\" { print $3 }'").removesuffix("p4")
    said(box, f"gpart set -a bootonce -i 4 {disk}")
    # With it comes `bootme`.
    said(box, f"gpart unset -a bootonce -i 4 {disk} && gpart unset -a bootme -i 4 {disk}")


def test_the_listed_services_run_and_no_others(box: Machine) -> None:
    assert enabled(box) == listed(On.ALWAYS)


def test_the_partitions_are_as_designed(box: Machine) -> None:
    lines = said(box, "gpart show -p; gpart show -l").splitlines()
    rows = [line.split() for line in lines if line.strip() and " - free - " not in line]
    rows = [row for row in rows if row[0] != "=>"]
    types, labels = rows[:8], rows[8:]
    assert [(row[2][-2:], row[3]) for row in types] == [
        ("p2", "freebsd-boot"),
        ("p8", f"!{IDLE}"),
        ("p1", "efi"),
        ("p7", f"!{IDLE}"),
        ("p3", "freebsd-ufs"),
        ("p4", "freebsd-ufs"),
        ("p5", "freebsd-ufs"),
        ("p6", "freebsd-ufs"),
    ]
    assert [row[3] for row in labels] == [
        *("boot", "boot2", "efi", "efi2", "rootA", "rootB", "cfg", "data")
    ]
    assert [row[3] for row in labels if "[bootme]" in row] == ["rootA"]
    assert "CORRUPT" not in "".join(lines)


def test_data_is_as_large_as_the_disk(box: Machine) -> None:
    blocks = int(said(box, "df -k /data | awk 'END { print $2 }'"))
    assert blocks * 1024 > (STICK - (2259 << 20)) * 0.95
    assert "journaled soft-updates" in said(box, "mount | grep ' /data '")


def test_nothing_listens_on_the_network(box: Machine) -> None:
    assert said(box, "sockstat -46l | tail -n +2") == ""
    assert (
        said(box, "ifconfig -u -l ether; pgrep -l 'sshd|dhclient|ntpd|sendmail|cron'; true") == ""
    )


def test_both_consoles_offer_a_login(box: Machine) -> None:
    active = said(box, "sysctl -n kern.console").partition("/")[0].split(",")
    assert {"ttyv0", "ttyu0"} <= set(active)
    waiting = said(box, "ps -axo tt,command | grep -E 'getty|login'").splitlines()
    assert {"v0", "u0"} <= {line.split()[0] for line in waiting}


def test_the_slot_is_told_by_the_loader(box: Machine) -> None:
    assert said(box, "kenv exitisp.slot") == "rootA"


def test_no_service_complained(box: Machine) -> None:
    transcript = box.console.transcript.text.read_text(errors="replace")
    signs = (
        "run_rc_command",
        "has an image too",
        "not found",
        "No such file",
        "failed",
        "Traceback",
    )
    for sign in signs:
        known = (
            "g_dev_taste",
            "MSI",
            "TSC calibration",
            "lapic calibration",
            "/boot.config",
        )
        lines = [line for line in transcript.splitlines() if sign in line]
        assert [line for line in lines if not any(word in line for word in known)] == []


@BOTH
def test_a_second_boot_keeps_data_and_cfg(box: Machine) -> None:
    said(box, "echo identity > /data/kept && echo site > /cfg/kept && touch /etc/lost /var/lost")
    box.shell.send_line("shutdown -r now")
    box.console.expect("Trying to mount root", timeout=BOOT)
    seen = box.console.expect(LOGIN, timeout=BOOT)
    assert "Making /data" not in seen.before
    box.shell.open_shell(timeout=BOOT)
    assert said(box, "cat /data/kept /cfg/kept") == "identity\nsite"
    assert box.shell.run("ls /etc/lost /var/lost", check=False).status != 0


def test_a_power_cut_takes_nothing_that_was_written(box: Machine) -> None:
    loses_nothing(box)
