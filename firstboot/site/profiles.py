"""From hardware to settings of the kernel: the profiles below `overlays/performance/profiles`.

A profile is for the devices of one driver, or for the machine if it names none. Which devices
there are follows from the ports of the site; on the box, the kernel also says which chips they are
and what other devices it has. Values and conditions are expressions of Jinja with these names:

    cores memory      of the machine; memory in MiB
    relays            of the site
    forwarding        whether packets are passed on, for machines on a LAN or for the twin; never by
                      management
    outside           whether the device is a port that strangers are on, or leads to the twin
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import jinja2

from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.site.model import PortRole, Site

NONE = "none"
"""What a site writes for a device that no profile is to touch."""

UNITS = 8
"""Devices of one driver that the loader makes settings for: it runs before anybody can count."""


class PciId(str):
    """Vendor and device of a PCI function, four hexadecimal digits each: ``8086:15ab``."""

    @classmethod
    def parse(cls, text: str) -> Self:
        if not re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{4}", text):
            raise ValueError("vendor and device as in 8086:15ab")
        return cls(text)

    @property
    def numbers(self) -> tuple[int, int]:
        vendor, device = self.split(":")
        return int(vendor, 16), int(device, 16)


class By(Enum):
    """Who makes a setting: sysctl(8) on the running kernel, or the loader before there is one,
    which is the same for every machine."""

    SYSCTL = "sysctl"
    LOADER = "loader"


@dataclass(frozen=True)
class Chip:
    """A chip that the driver takes, as its table calls it, and the machine that it is a part of."""

    id: PciId
    name: str
    machine: str | None = None


@dataclass(frozen=True)
class Setting:
    """`{unit}` in the name is the number of the device. `value` and `when` are expressions; `chips`
    is empty for all of the profile's."""

    name: str
    value: str
    unit: str
    reason: str
    source: str
    by: By = By.SYSCTL
    when: str = "true"
    chips: tuple[PciId, ...] = ()


@dataclass(frozen=True)
class Profile:
    """What a file says; its name is that of the profile."""

    description: str
    settings: tuple[Setting, ...]
    driver: str | None = None
    modules: tuple[str, ...] = ()
    """That the loader brings along for the driver."""

    chips: tuple[Chip, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuned:
    """A setting that is made: which, for what reason, and the value, a number mostly."""

    name: str
    value: int | str
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A profile and what it is for: a device, or the machine (None), told with its chip where
    that is known."""

    profile: str
    device: str | None
    chip: Chip | None
    settings: tuple[Tuned, ...]


@dataclass(frozen=True)
class Machine:
    """What values are computed from. `devices` are those that the kernel has found, each with its
    PCI id or "": ``{"ix0": "8086:15ab", "hwpstate_intel0": ""}``. Empty where nobody looked."""

    cores: int
    memory_mib: int
    devices: Mapping[str, str] = field(default_factory=dict)


def load_all(overlays: Path) -> dict[str, Document[Profile]]:
    """The profiles below `overlays`, by name; none without the overlay of performance.

    Raises Refusal for a faulty profile, and for an overlay of performance that has lost them.
    """
    overlay = overlays / "performance"
    paths = sorted((overlay / "profiles").glob("*.yaml"))
    if overlay.exists() and not paths:
        raise Refusal(
            overlay / "profiles",
            "the profiles of hardware are missing",
            "Use a program that was built with them",
        )
    return {path.stem: parse(document.read(path), str(path)) for path in paths}


@lru_cache(64)
def parse(data: bytes, name: str) -> Document[Profile]:
    """The profile that a file named `name` says. Raises Refusal."""
    profile = document.parse(data, name, Profile)
    for at, setting in enumerate(profile.value.settings):
        for key in ("value", "when"):
            try:
                _expression(getattr(setting, key))
            except (jinja2.TemplateError, ValueError) as error:
                raise Refusal(
                    profile.where("settings", at, key),
                    f"this is not an expression of Jinja: {error}",
                    "Correct the expression",
                ) from error
    return profile


def choose(site: Site, machine: Machine, overlays: Path) -> list[Choice]:
    """What is set on `machine` for `site`: for the machine first, then for each device of a port,
    by name. Raises Refusal for a profile that the site names and that there is not, and for an
    override of a setting that no chosen profile makes."""
    profiles = load_all(overlays)
    if not profiles:
        return []
    found = [
        _choice(name, profile, device, site, machine)
        for name, profile, device in _matches(site, machine, profiles)
    ]
    made = {
        tuned.name for choice in found for tuned in choice.settings if isinstance(tuned.value, int)
    }
    for name in site.performance.settings:
        if name not in made:
            raise Refusal(
                "performance.settings",
                f"no profile sets {document.quote(name)} on this machine",
                "Name a setting that sysctl.conf has below a profile, or remove it",
            )
    return [choice for choice in found if choice.settings]


def _matches(
    site: Site, machine: Machine, profiles: Mapping[str, Document[Profile]]
) -> Iterator[tuple[str, Document[Profile], str | None]]:
    for name, profile in profiles.items():
        if profile.value.driver is None:
            yield name, profile, None
    drivers = {profile.value.driver: name for name, profile in profiles.items()}
    ports = {card for port in site.ports for card in port.cards}
    for device in sorted(ports | machine.devices.keys(), key=_natural):
        driver = device.rstrip("0123456789")
        name = site.performance.profiles.get(device, drivers.get(driver, NONE))
        if name == NONE or (device not in ports and not _is_for_others(device, machine)):
            continue
        if name not in profiles or profiles[name].value.driver != driver:
            raise Refusal(
                f"performance.profiles.{device}",
                f"{document.quote(name)} is not the profile of its driver",
                f"Write {NONE}, or remove the key for the profile of its driver",
            )
        yield name, profiles[name], device


def _is_for_others(device: str, machine: Machine) -> bool:
    """Whether a device that is no port is tuned: one that is not on PCI, such as a processor's."""
    return not machine.devices[device]


def _choice(
    name: str, profile: Document[Profile], device: str | None, site: Site, machine: Machine
) -> Choice:
    id_ = machine.devices.get(device or "", "")
    roles = [port.role for port in site.ports if device in port.cards]
    known = {
        "cores": machine.cores,
        "memory": machine.memory_mib,
        "relays": site.relays.count,
        "forwarding": site.forwards and PortRole.MANAGEMENT not in roles,
        "outside": any(role.guarded for role in roles),
    }
    unit = "" if device is None else str(_natural(device)[1])
    settings = []
    for at, one in enumerate(profile.value.settings):
        if one.by is By.LOADER or (one.chips and id_ not in one.chips):
            continue
        where = profile.where("settings", at)
        if _evaluate(one.when, known, where):
            spelled = one.name.replace("{unit}", unit)
            value = _evaluate(one.value, known, where)
            if isinstance(value, int):
                value = site.performance.settings.get(spelled, value)
            settings.append(Tuned(spelled, value, one.reason))
    chip = next((chip for chip in profile.value.chips if chip.id == id_), None)
    return Choice(name, device, chip, tuple(settings))


def loader_conf(overlays: Path) -> str:
    """The part of loader.conf(5) that follows from the profiles. It is in the image as it is: the
    loader has gone when the site is read, so it is for every machine, and a setting of hardware
    that is not there does nothing."""
    parts = ["# Made of the profiles."]
    for name, profile in load_all(overlays).items():
        lines = [f'{module}_load="YES"' for module in profile.value.modules]
        if lines:
            parts.append(f"# {name}: {profile.value.description}\n" + "\n".join(lines))
        for at, one in enumerate(profile.value.settings):
            if one.by is By.LOADER:
                value = _evaluate(one.value, {}, profile.where("settings", at))
                units = range(UNITS) if "{unit}" in one.name else range(1)
                lines = [f'{one.name.replace("{unit}", str(unit))}="{value}"' for unit in units]
                parts.append(f"# {name}: {one.reason}\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def parse_devices(text: str) -> dict[str, str]:
    """The devices in the output of ``sysctl dev``, with their PCI ids, as `Machine` has them:
    ``dev.ix.0.%pnpinfo: vendor=0x8086 device=0x15ab ...`` (device_get_sysctl(9), pci(4))."""
    devices = dict.fromkeys(
        (
            f"{driver}{unit}"
            for driver, unit in re.findall(r"(?m)^dev\.(\w+)\.([0-9]+)\.%driver: \1$", text)
        ),
        "",
    )
    found = re.finditer(
        r"(?m)^dev\.(\w+)\.([0-9]+)\.%pnpinfo: vendor=0x([0-9a-f]{4}) device=0x([0-9a-f]{4})\b",
        text,
    )
    for driver, unit, vendor, device in (match.groups() for match in found):
        devices[f"{driver}{unit}"] = f"{vendor}:{device}"
    return devices


def _natural(device: str) -> tuple[str, int]:
    driver = device.rstrip("0123456789")
    return driver, int(device[len(driver) :] or 0)


_ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701


@lru_cache(256)
def _expression(text: str) -> Any:
    return _ENVIRONMENT.compile_expression(text, undefined_to_none=False)


def _evaluate(text: str, known: Mapping[str, Any], where: str) -> Any:
    try:
        value = _expression(text)(**known)
        if isinstance(value, jinja2.Undefined):
            raise jinja2.UndefinedError(str(value))
    except (jinja2.TemplateError, ArithmeticError, TypeError) as error:
        raise Refusal(
            where,
            f"the expression cannot be evaluated: {error}",
            "Correct it; it can use " + (", ".join(known) or "numbers"),
        ) from error
    return value
