"""What services.yaml of an overlay declares reaches everybody who has to know."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from firstboot.box.preflight import Facts, judge
from firstboot.box.systems import freebsd
from firstboot.core.refusal import Refusal
from firstboot.site.listening import Socket
from firstboot.site.render import render
from firstboot.site.services import Service, files, load, management_ports
from image import overlay
from tests.firstboot.site.daemons.sites import BOX, ROOT, example
from tests.image.rehearsal.test_system import SYSTEM as REHEARSAL

SITE = example("two-transits-and-an-exchange")
OVERLAYS = ROOT / "overlays"

EXPORTER = """\
services:
  - name: node_exporter
    on: site
    reason: "measurements for the administrators"
    label: exporter
    program: /usr/local/bin/node_exporter
    after: sshd
    listens:
      - {on: management, protocol: tcp, port: 9100, reason: "Prometheus"}
"""


def everybody() -> list[Socket]:
    """The exporter, and nobody else."""
    return [Socket("node_exporter", "tcp", "192.0.2.194", 9100)]


def reasons(services: tuple[Service, ...]) -> set[str]:
    facts = Facts({}, tuple(everybody()), frozenset())
    return {one.reason for one in judge(SITE, facts, services) if "listens" in one.reason}


@pytest.fixture
def more(tmp_path: Path) -> Path:
    """All overlays, and one that brings another listener on the management port."""
    folder = tmp_path / "overlays"
    shutil.copytree(OVERLAYS, folder)
    (folder / "exporter").mkdir()
    (folder / "exporter/overlay.yaml").write_text("description: measurements\n")
    (folder / "exporter/services.yaml").write_text(EXPORTER)
    return folder


def test_a_new_listener_on_the_management_port_is_declared_in_one_overlay(more: Path) -> None:
    """The preflight lets the ports go up, and pf lets administrators in."""
    assert reasons(load(files(OVERLAYS))) == {
        "node_exporter listens on 192.0.2.194 port 9100 (tcp)"
    }
    assert reasons(load(files(more))) == set()
    assert management_ports(more) == {"tcp": (22, 9100)}
    (pf,) = (file.text for file in render(SITE, BOX, more) if file.path == "etc/pf.conf")
    assert "from <admins> to <management> port { 22 9100 } keep state (if-bound)" in pf
    names = {one.name for o in overlay.load_all(more) for one in o.services.value.services}
    assert "node_exporter" in names


def test_the_box_starts_it_after_what_it_names(more: Path) -> None:
    names = [
        one.name for one in dataclasses.replace(freebsd.SYSTEM, service_files=files(more)).services
    ]
    assert names.index("node_exporter") > names.index("sshd")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("port: 9100, ", "", r"services\.yaml:9: .* no port number"),
        ("    label: exporter\n", "", r"services\.yaml:2: .* listens and has no label"),
        ("    program: /usr/local/bin/node_exporter\n", "", r"services\.yaml:2: .* no program"),
        ("after: sshd", "after: sshx", r"services\.yaml:2: node_exporter starts after sshx, which"),
        ("after: sshd", "after: node_exporter", r"starts after the next: node_exporter"),
        ("name: node_exporter", "name: sshd", r"the service sshd is declared in .*services\.yaml:"),
    ],
)
def test_a_declaration_without_sense_is_refused(more: Path, old: str, new: str, told: str) -> None:
    assert old in EXPORTER
    (more / "exporter/services.yaml").write_text(EXPORTER.replace(old, new))
    with pytest.raises(Refusal, match=told):
        load(files(more))


def test_a_missing_file_is_not_a_box_without_services(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"none/services\.yaml"):
        load((tmp_path / "none/services.yaml",))


def test_the_rehearsal_starts_its_services_in_the_order_that_it_declares() -> None:
    script = (ROOT / "image/rehearsal/overlay/files/etc/rc").read_text()
    started = script.partition('services="')[2].partition('"')[0].split()
    assert started == [service.name for service in REHEARSAL.services]
