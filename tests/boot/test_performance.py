"""The kernel's settings on a real kernel: every value that was set is read back.

The machine has cards of two drivers, one of which has the queues and tunables of iflib(4), as the
cards of real boxes have.
"""

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from firstboot.site import profiles
from firstboot.site.model import PortRole, Site
from firstboot.site.profiles import parse_devices
from firstboot.site.render import Box, render
from image import overlay
from image.kernel.kernel import Certainty, Kernel
from image.kernel.lint import Checked, lint
from image.kernel.mentions import Use
from image.tree import Tree
from qemu.console_patterns import LOGIN
from qemu.disk import Disk
from qemu.machine import Machine
from qemu.wire import Nic
from tests.boot.conftest import BOOT, ROOT, STICK, Real, made, transcripts, untouched
from tests.firstboot.site.daemons.sites import example

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("performance")]

DEVICES = {"ix0": "em0", "ix1": "vtnet0", "ix2": "em1", "igb0": "vtnet1"}
MODELS = {"em": "e1000e", "vtnet": "virtio-net-pci"}
CHIPS = {"em0": "8086:10d3", "em1": "8086:10d3"}
BOX = Box(2, 1024, unbound=(1, 25), openbgpd=(8, 8), tor=(0, 4, 9), devices=CHIPS)


def on_qemu(site: Site) -> Site:
    ports = (dataclasses.replace(port, device=DEVICES[port.device]) for port in site.ports)
    return dataclasses.replace(site, ports=tuple(ports))


SITE = on_qemu(example("one-port-of-each"))
FILES = {file.path: file for file in render(SITE, BOX, ROOT / "overlays")}


@dataclass(frozen=True)
class Running:
    """The machine, and what our tools read out of its kernel file."""

    box: Machine
    tree: Tree
    kernel: Kernel
    checked: list[Checked]

    def said(self, command: str, timeout: float = 120.0) -> str:
        return self.box.shell.run(command, timeout).text.rstrip("\n")

    def read(self, command: str) -> dict[str, str]:
        """Return the lines NAME=VALUE that `command` prints."""
        pairs = (line.partition("=") for line in self.said(command, 300.0).splitlines())
        return {name: value.strip('"') for name, _, value in pairs}


def loader_settings() -> dict[str, str]:
    """Return the values of loader.conf(5) that have to be in the kernel's environment."""
    found = {}
    for path in sorted((ROOT / "overlays").glob("*/files/boot/loader.conf.d/*.conf")):
        for line in path.read_text().splitlines():
            name, equals, value = line.partition("=")
            if equals and not name.startswith("#"):
                found[name] = value.strip('"')
    return found


def names(kernel: Kernel) -> list[str]:
    """Return all names that were read out of the kernel file, without nodes and names that end in a
    dot."""
    return sorted(
        name for name, oid in kernel.sysctls.items() if not oid.is_node and not name.endswith(".")
    )


@pytest.fixture(scope="module")
def running(sets: Path, real: Real, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    overlays = overlay.load_all(ROOT / "overlays")
    checked = lint(real.tree, overlays)
    loaded = [one.mention.name for one in checked if one.mention.use is Use.MODULE]
    kernel = Kernel(real.tree, loaded)
    folder = tmp_path_factory.mktemp("performance")
    texts = {"etc/sysctl.conf": FILES["etc/sysctl.conf"].text}
    texts["testdata/names"] = "\n".join(names(kernel)) + "\n"
    rules = []
    for path, text in texts.items():
        (folder / "files" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "files" / path).write_text(text)
        rules.append({"path": path, "replaces": "yes" if path in real.tree else "no"})
    recipe = {"description": "Settings to read back.", "files": rules}
    (folder / "overlay.yaml").write_text(yaml.safe_dump(recipe))
    tuned = made(sets, folder / "tuned.img", *untouched(sets), overlay.load(folder))
    nics = [
        Nic(f"02:00:5e:10:02:{at:02x}", model=MODELS[port.device.rstrip("0123456789")])
        for at, port in enumerate(SITE.ports)
    ]
    disk = Disk(tuned.image, size=STICK)
    with Machine(disk, folder=transcripts(sets), nics=nics, memory=1024, name="performance") as box:
        box.console.expect(LOGIN, timeout=BOOT)
        box.shell.open_shell(timeout=BOOT)
        yield Running(box, real.tree, kernel, checked)


def test_every_setting_has_the_value_that_was_set(running: Running) -> None:
    lines = FILES["etc/sysctl.conf"].text.splitlines()
    wanted = dict(line.split("=") for line in lines if line and not line.startswith("#"))
    assert {"dev.em.0.fc", "dev.em.1.iflib.tx_abdicate", "kern.maxfiles"} <= wanted.keys()
    assert wanted["net.route.algo.inet.algo"] == "dxr"
    found = running.read("sed -n '/^#/!s/=.*//p' /etc/sysctl.conf | xargs sysctl -e")
    assert found == wanted


def test_no_setting_was_refused_at_boot(running: Running) -> None:
    transcript = running.box.console.transcript.text.read_text(errors="replace")
    assert "unknown oid" not in transcript
    assert not re.search(r"sysctl: .*: (Invalid|Operation|Read-only)", transcript)


def test_the_loader_passed_every_variable_on(running: Running) -> None:
    wanted = {name: value for name, value in loader_settings().items() if "." in name}
    assert len(wanted) > 60
    environment = running.read("kenv")
    assert {name: environment.get(name) for name in wanted} == wanted


def test_what_the_loader_set_is_what_the_kernel_has(running: Running) -> None:
    """This is limited to hardware that is there: other drivers, and PaX, have made no names."""
    found = running.read("sysctl -ae 2>/dev/null | grep -E '^(dev.em|hw.|net.|machdep.|kern.)'")
    wanted = {
        name: value
        for name, value in loader_settings().items()
        if "." in name
        and not name.startswith("hardening.")
        and (not name.startswith("dev.") or name.startswith(("dev.em.0.", "dev.em.1.")))
    }
    for name in ("dev.em.0.iflib.override_nrxds", "dev.em.1.iflib.override_ntxds"):
        assert name in wanted
    # netisr(9) writes the number of threads over -1, and their number is that of the cores.
    assert found["net.isr.maxthreads"] == found["hw.ncpu"] == "1"
    assert wanted.pop("net.isr.maxthreads") == "-1"
    assert {name: found.get(name) for name in wanted} == wanted


def test_queues_have_the_descriptors_that_were_asked_for(running: Running) -> None:
    said = running.said("dmesg | grep -E '^em[01]: Using [0-9]+ TX'").splitlines()
    assert said == [
        f"{device}: Using 4096 TX descriptors and 4096 RX descriptors" for device in ("em0", "em1")
    ]


def test_modules_of_the_loader_are_loaded(running: Running) -> None:
    loaded = running.said("kldstat").splitlines()[1:]
    files = {line.split()[-1] for line in loaded}
    asked = {one.mention.name for one in running.checked if one.mention.use is Use.MODULE}
    assert {"pf", "fib_dxr", "ice_ddp"} <= asked
    assert {f"{name}.ko" for name in asked} <= files


def test_drivers_are_compiled_in_as_believed(running: Running) -> None:
    verbose = running.said("kldstat -v", 300.0)
    found = set(re.findall(r"(?m)^\s+[0-9]+ (\S+)$", verbose))
    for profile in profiles.load_all(ROOT / "overlays").values():
        driver = profile.value.driver
        if driver is not None:
            assert any(one.rpartition("/")[2] == driver for one in found), driver
    assert running.kernel.facts.drivers <= found


def test_the_running_kernel_knows_every_name_that_was_read_out_of_it(running: Running) -> None:
    count = len(names(running.kernel))
    assert count > 2000
    assert running.said("wc -l < /testdata/names").strip() == str(count)
    unknown = running.said("xargs -n 100 sysctl -N < /testdata/names 2>&1 >/dev/null; true", 600.0)
    assert unknown == ""


def test_names_that_are_made_at_run_time_are_there_where_the_hardware_is(running: Running) -> None:
    made = {
        one.mention.name.replace("*", "0")
        for one in running.checked
        if one.certainty is Certainty.MADE and one.mention.name.startswith("dev.em.")
    }
    made = {name for name in made if name.startswith("dev.em.0.")}
    assert len(made) >= 4
    assert running.said(f"sysctl -N {' '.join(sorted(made))}").splitlines() == sorted(made)


def test_the_kernel_says_which_devices_it_has(running: Running) -> None:
    devices = parse_devices(running.said("sysctl dev", 300.0))
    assert {name: devices.get(name) for name in CHIPS} == CHIPS
    assert {port.device for port in SITE.ports} <= devices.keys()
    assert PortRole.LAN in {port.role for port in SITE.ports}


def test_wrong_names_are_unknown_there_too(running: Running) -> None:
    for name in ("net.inet.ip.redirects", "net.inet.ip.fastforwarding", "net.inet.tcp.maxtcptw"):
        assert running.kernel.look_up(name) is None
        assert running.box.shell.run(f"sysctl -N {name}", 60.0, check=False).status != 0
