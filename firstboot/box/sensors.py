"""What the hardware measures: temperatures, and the light in the optics of network cards."""

import re
from collections.abc import Iterator

from firstboot.box.sample import Sample

TEMPERATURE = re.compile(
    r"(?m)^(?:dev\.(cpu\.[0-9]{1,4})|hw\.acpi\.thermal\.(tz[0-9]{1,3}))\.temperature:"
    r" (-?[0-9]{1,4}(?:\.[0-9]{1,4})?)C$"
)
"""As sysctl(8) prints those of coretemp(4) and acpi_thermal(4)."""

MODULE = re.compile(
    r"(?m)^\s+module temperature: (-?[0-9]{1,4}\.[0-9]{2}) C"
    r" voltage: (-?[0-9]{1,4}\.[0-9]{2}) Volts$"
)
LANE = re.compile(
    r"(?m)^\s+lane ([0-9]{1,2}): RX power: [0-9]{1,4}\.[0-9]{2} mW"
    r" \((-?[0-9]{1,4}\.[0-9]{2}|-inf) dBm\) TX bias: ([0-9]{1,4}\.[0-9]{2}) mA$"
)
"""As ``ifconfig -v`` prints what an optic measures (SFF-8472, SFF-8636): ifconfig's sfp.c."""


def of_temperatures(text: str) -> Iterator[Sample]:
    """What ``sysctl dev.cpu hw.acpi.thermal`` prints: degrees Celsius of each core and zone."""
    for core, zone, degrees in TEMPERATURE.findall(text):
        labels = (("sensor", core.replace(".", "") or zone),)
        yield Sample("exitisp_temperature_celsius", float(degrees), labels)


def of_optic(card: str, text: str) -> Iterator[Sample]:
    """What ``ifconfig -v`` prints of a network card: the temperature and the voltage of its optic,
    and for each lane the light that comes in, in dBm (none is -Inf), and the current of the laser.
    Nothing for a card without an optic, or with one that does not measure."""
    labels = (("interface", card),)
    for degrees, volts in MODULE.findall(text):
        yield Sample("exitisp_optic_temperature_celsius", float(degrees), labels)
        yield Sample("exitisp_optic_volts", float(volts), labels)
    for lane, power, bias in LANE.findall(text):
        of_lane = (*labels, ("lane", lane))
        yield Sample("exitisp_optic_received_dbm", float(power), of_lane)
        yield Sample("exitisp_optic_bias_milliamperes", float(bias), of_lane)
