"""Hardware becomes settings of the kernel, by profiles that say why."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.site.check import check
from firstboot.site.model import Performance, PortRole, Site
from firstboot.site.profiles import (
    Choice,
    Machine,
    PciId,
    choose,
    load_all,
    loader_conf,
    parse,
    parse_devices,
)
from image.freeze.program import Program
from tests.command import ROOT
from tests.firstboot.site.daemons.sites import EXAMPLES, example

OVERLAYS = ROOT / "overlays"
LOADER = OVERLAYS / "performance/files/boot/loader.conf.d/profiles.conf"
MACHINE = Machine(8, 16384)
TWO = "two-transits-and-an-exchange"

PROFILE = """\
description: a test
driver: ix
chips:
  - {id: "8086:1563", name: X550}
settings:
  - {name: "dev.ix.{unit}.x", value: %s, unit: u, reason: r, source: s, when: %s}
"""


def values(site: Site, machine: Machine = MACHINE) -> dict[str, int | str]:
    return {
        tuned.name: tuned.value
        for choice in choose(site, machine, OVERLAYS)
        for tuned in choice.settings
    }


def of(site: Site, device: str, machine: Machine = MACHINE) -> Choice | None:
    choices = choose(site, machine, OVERLAYS)
    return next((choice for choice in choices if choice.device == device), None)


def with_lan(site: Site) -> Site:
    assert any(port.role is PortRole.LAN for port in site.ports)
    return site


def without_lan(site: Site) -> Site:
    ports = tuple(port for port in site.ports if port.role is not PortRole.LAN)
    return replace(site, ports=ports)


def tuned_by_hand(site: Site, **performance: dict[str, str] | dict[str, int]) -> Site:
    return replace(site, performance=Performance(**performance))  # type: ignore[arg-type]


def test_every_profile_is_read() -> None:
    assert load_all(OVERLAYS).keys() == {
        "machine", "hwpstate_intel", "ix", "ixl", "ice", "igb", "em", "vtnet"
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(load_all(OVERLAYS)))
def test_every_setting_has_its_reason_and_where_it_is_from(name: str) -> None:
    profile = load_all(OVERLAYS)[name].value
    ids = [chip.id for chip in profile.chips]
    assert len(ids) == len(set(ids))
    for setting in profile.settings:
        assert setting.reason.strip().endswith(".")
        assert setting.source.strip()
        assert setting.unit.strip()
        assert set(setting.chips) <= set(ids)


def test_no_chip_is_in_two_profiles() -> None:
    ids = [chip.id for one in load_all(OVERLAYS).values() for chip in one.value.chips]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("chip", "profile", "machine"),
    [
        ("8086:15ac", "ix", "Xeon D-1500"),
        ("8086:15ad", "ix", "Xeon D-1500"),
        ("8086:37d0", "ixl", "Xeon D-2100"),
        ("8086:188c", "ice", "Xeon D-1700 and D-2700"),
        ("8086:10fb", "ix", None),
        ("8086:1563", "ix", None),
        ("8086:1572", "ixl", None),
    ],
)
def test_machines_and_cards_are_known_by_their_chips(
    chip: str, profile: str, machine: str | None
) -> None:
    chips = {one.id: one for one in load_all(OVERLAYS)[profile].value.chips}
    assert chips[PciId(chip)].machine == machine


@pytest.mark.parametrize("name", EXAMPLES)
def test_ports_are_tuned_by_their_drivers(name: str) -> None:
    site = example(name)
    for choice in choose(site, MACHINE, OVERLAYS):
        if choice.device is not None:
            assert choice.profile == choice.device.rstrip("0123456789")
            assert choice.device in {card for port in site.ports for card in port.cards}
        for setting in choice.settings:
            assert "{" not in setting.name
            assert " " not in str(setting.value)


def test_a_box_that_passes_packets_on_is_tuned_for_it() -> None:
    site = with_lan(example("one-port-of-each"))
    forwarding, alone = values(site), values(without_lan(site))
    assert forwarding["net.inet.tcp.tso"] == 0
    assert forwarding["dev.ix.0.iflib.tx_abdicate"] == 1
    assert "net.inet.tcp.tso" not in alone
    assert "dev.ix.0.iflib.tx_abdicate" not in alone
    assert "dev.igb.0.iflib.tx_abdicate" not in forwarding, "that is the management port"


def test_values_follow_the_machine() -> None:
    site = example(TWO)
    small, large = values(site, Machine(2, 2048)), values(site, Machine(32, 131072))
    assert small["kern.ipc.maxsockbuf"] == 8 << 20
    assert large["kern.ipc.maxsockbuf"] == 16 << 20
    assert small["net.inet.ip.intr_queue_maxlen"] == 1024
    assert large["net.inet.ip.intr_queue_maxlen"] == 4096
    assert small["kern.maxfiles"] == 65536 + 16384 * site.relays.count


@given(st.integers(1, 512), st.integers(512, 1 << 21), st.integers(1, 256))
def test_numbers_are_such_as_the_kernel_takes(cores: int, memory: int, relays: int) -> None:
    site = example(TWO)
    site = replace(site, relays=replace(site.relays, count=relays))
    found = values(site, Machine(cores, memory))
    numbers = {name: value for name, value in found.items() if isinstance(value, int)}
    assert len(numbers) > 8
    assert all(-1 <= value < 1 << 31 for value in numbers.values())
    assert numbers["kern.maxfilesperproc"] <= numbers["kern.maxfiles"]
    assert numbers["net.inet.ip.intr_queue_maxlen"] <= 10240, "netisr(9) refuses more"


def test_the_chip_decides_where_the_driver_does_not() -> None:
    site = example(TWO)
    backplane = Machine(8, 16384, {"ix0": "8086:15ab", "ix1": "8086:15ac"})
    found = values(site, backplane)
    assert found["dev.ix.0.eee_state"] == 0
    assert "dev.ix.1.eee_state" not in found
    assert "dev.ix.0.eee_state" not in values(site)


def test_the_configuration_names_the_chip() -> None:
    site = replace(example("ipv6-heavy"))
    choice = of(site, "ice0", Machine(8, 16384, {"ice0": "8086:188c"}))
    assert choice is not None
    assert choice.chip is not None
    assert choice.chip.name == "E823-C for SFP"


def test_processors_are_tuned_where_the_kernel_has_found_them() -> None:
    devices = {"hwpstate_intel0": "", "hwpstate_intel10": "", "hwpstate_intel9": "", "cpu0": ""}
    found = values(example(TWO), Machine(2, 4096, devices))
    assert [name for name in found if "epp" in name] == [
        "dev.hwpstate_intel.0.epp",
        "dev.hwpstate_intel.9.epp",
        "dev.hwpstate_intel.10.epp",
    ]
    assert not any("epp" in name for name in values(example(TWO)))


def test_cards_that_are_no_port_are_left_alone() -> None:
    found = values(example(TWO), Machine(2, 4096, {"ix0": "8086:15ac", "ice7": "8086:188c"}))
    assert not any(name.startswith("dev.ice") for name in found)


def test_a_site_sets_a_profile_aside() -> None:
    site = with_lan(example("one-port-of-each"))
    assert of(site, "ix0") is not None
    assert of(tuned_by_hand(site, profiles={"ix0": "none"}), "ix0") is None
    assert of(tuned_by_hand(site, profiles={"ix0": "none"}), "ix1") is not None
    assert of(tuned_by_hand(site, profiles={"ix0": "ix"}), "ix0") == of(site, "ix0")


@pytest.mark.parametrize("name", ["ice", "nothing", "machine", ""])
def test_a_profile_is_that_of_the_driver_or_none(name: str) -> None:
    site = tuned_by_hand(example("one-port-of-each"), profiles={"ix0": name})
    with pytest.raises(
        Refusal, match=r"performance\.profiles\.ix0: .* is not the profile of its driver"
    ):
        choose(site, MACHINE, OVERLAYS)


def test_a_site_has_its_own_numbers() -> None:
    site = tuned_by_hand(example(TWO), settings={"kern.ipc.soacceptqueue": 128})
    assert values(site) == {**values(example(TWO)), "kern.ipc.soacceptqueue": 128}


@pytest.mark.parametrize(
    "name", ["net.inet.ip.forwarding", "net.route.algo.inet.algo", "dev.ice.9.fc"]
)
def test_a_site_changes_nothing_that_no_profile_sets(name: str) -> None:
    site = tuned_by_hand(example(TWO), settings={name: 1})
    with pytest.raises(Refusal, match=rf"performance\.settings: .*'{name}'"):
        choose(site, MACHINE, OVERLAYS)


@pytest.mark.parametrize(
    ("performance", "key"),
    [
        (Performance(profiles={"ix9": "none"}), ("performance", "profiles", "ix9")),
        (Performance(settings={"a b=c": 1}), ("performance", "settings", "a b=c")),
        (Performance(settings={"kern.x\n": 1}), ("performance", "settings", "kern.x\n")),
        (Performance(settings={"kern.x": -1}), ("performance", "settings", "kern.x")),
        (Performance(settings={"kern.x": 1 << 31}), ("performance", "settings", "kern.x")),
    ],
)
def test_what_can_be_no_override_is_found(performance: Performance, key: tuple[str, ...]) -> None:
    site = replace(example(TWO), performance=performance)
    assert key in [finding.key for finding in check(Document("site.yaml", site, {}))]


def test_the_loader_is_told_what_the_profiles_say(request: pytest.FixtureRequest) -> None:
    text = loader_conf(OVERLAYS)
    if request.config.getoption("--renew-golden"):
        LOADER.write_text(text)
    assert LOADER.read_text() == text
    assert 'dev.ix.7.iflib.override_nrxds="4096"' in text
    assert 'ice_ddp_load="YES"' in text


def test_devices_are_read_from_what_the_kernel_says() -> None:
    text = """\
dev.hwpstate_intel.3.%driver: hwpstate_intel
dev.hwpstate_intel.3.epp: 50
dev.ix.1.%parent: pci5
dev.ix.1.%pnpinfo: vendor=0x8086 device=0x15ac subvendor=0x15d9 subdevice=0x15ac class=0x020000
dev.ix.1.%location: slot=0 function=1 dbsf=pci0:5:0:1
dev.ix.1.%driver: ix
dev.vtnet.0.%pnpinfo: vendor=0x00001af4 device=0x00001000 device_type=0x00000001
dev.vtnet.0.%driver: vtnet
dev.ix.%parent:
"""
    assert parse_devices(text) == {"hwpstate_intel3": "", "ix1": "8086:15ac", "vtnet0": ""}
    assert parse_devices("") == {}


@given(st.text())
def test_whatever_is_said_is_no_fault(text: str) -> None:
    parse_devices(text)


@pytest.mark.parametrize(
    ("value", "when", "found"),
    [
        ("cores *", "true", "expression"),
        ("corse", "true", "'corse'"),
        ("1 // 0", "true", "expression"),
        ("1", "forwarding and", "expression"),
        ("'x' + 1", "true", "expression"),
    ],
)
def test_a_faulty_expression_is_told_with_its_line(
    tmp_path: Path, value: str, when: str, found: str
) -> None:
    folder = tmp_path / "performance" / "profiles"
    folder.mkdir(parents=True)
    (folder / "ix.yaml").write_text(PROFILE % (f'"{value}"', f'"{when}"'))
    with pytest.raises(Refusal) as caught:
        choose(example(TWO), MACHINE, tmp_path)
    assert f"{folder / 'ix.yaml'}:6: " in str(caught.value)
    assert found in str(caught.value)


def test_a_pci_id_is_one() -> None:
    with pytest.raises(Refusal, match=r"ix\.yaml:4: .*8086:15ab"):
        parse((PROFILE % ("1", "true")).replace("8086:1563", "8086-1563").encode(), "ix.yaml")


def test_the_frozen_program_has_them() -> None:
    files = Program.read().files
    for name in load_all(OVERLAYS):
        assert f"overlays/performance/profiles/{name}.yaml" in files


def test_profiles_that_are_lost_are_missed(tmp_path: Path) -> None:
    shutil.copytree(OVERLAYS / "performance" / "templates", tmp_path / "performance" / "templates")
    with pytest.raises(Refusal, match="the profiles of hardware are missing"):
        load_all(tmp_path)
    assert load_all(tmp_path / "elsewhere") == {}
