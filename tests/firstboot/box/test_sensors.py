"""Temperatures and optics, in the words of sysctl(8) and of ifconfig's sfp.c."""

import pytest

from firstboot.box.sensors import of_optic, of_temperatures

SYSCTL = """\
sysctl: unknown oid 'hw.acpi.thermal.tz1'
dev.cpu.11.coretemp.tjmax: 100.0C
dev.cpu.11.temperature: 51.0C
dev.cpu.0.temperature: 48.5C
dev.cpu.0.freq: 2100
hw.acpi.thermal.tz0._CRT: 105.1C
hw.acpi.thermal.tz0.temperature: 27.9C
"""

PLUGGED = """\
ix0: flags=1008843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\tether 00:25:90:00:00:01
\tstatus: active
\tplugged: SFP/SFP+/SFP28 10G Base-LR (LC)
\tvendor: Example PN: SFP-10G-LR SN: A1B2C3 DATE: 2025-01-31
\tmodule temperature: 31.94 C voltage: 3.29 Volts
\tlane 1: RX power: 0.47 mW (-3.32 dBm) TX bias: 33.12 mA
"""

DARK = PLUGGED.replace("0.47 mW (-3.32 dBm)", "0.00 mW (-inf dBm)")

FOUR_LANES = """\
\tplugged: QSFP+ 40GBASE-LR4 (LC)
\tmodule temperature: -2.00 C voltage: 3.31 Volts
\tlane 1: RX power: 1.00 mW (0.00 dBm) TX bias: 40.00 mA
\tlane 4: RX power: 0.50 mW (-3.01 dBm) TX bias: 41.50 mA
"""


def test_each_core_and_zone_has_its_temperature() -> None:
    assert [str(one) for one in of_temperatures(SYSCTL)] == [
        'exitisp_temperature_celsius{sensor="cpu11"} 51.0',
        'exitisp_temperature_celsius{sensor="cpu0"} 48.5',
        'exitisp_temperature_celsius{sensor="tz0"} 27.9',
    ]


def test_an_optic_tells_temperature_voltage_light_and_current() -> None:
    assert [str(one) for one in of_optic("ix0", PLUGGED)] == [
        'exitisp_optic_temperature_celsius{interface="ix0"} 31.94',
        'exitisp_optic_volts{interface="ix0"} 3.29',
        'exitisp_optic_received_dbm{interface="ix0",lane="1"} -3.32',
        'exitisp_optic_bias_milliamperes{interface="ix0",lane="1"} 33.12',
    ]


def test_no_light_at_all_is_a_sample_too() -> None:
    assert 'exitisp_optic_received_dbm{interface="ix0",lane="1"} -Inf' in [
        str(one) for one in of_optic("ix0", DARK)
    ]


def test_each_lane_of_an_optic_with_several_is_told() -> None:
    lanes = [one for one in of_optic("ixl0", FOUR_LANES) if one.name.endswith("dbm")]
    assert [(dict(one.labels)["lane"], one.value) for one in lanes] == [("1", 0.0), ("4", -3.01)]


@pytest.mark.parametrize("text", ["", "ifconfig: interface ix9 does not exist\n", PLUGGED[:200]])
def test_a_card_without_an_optic_that_measures_tells_nothing(text: str) -> None:
    assert list(of_optic("ix9", text)) == []
