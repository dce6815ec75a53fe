"""The firmware of a virtual machine, and where Debian keeps it."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from firstboot.core.refusal import Refusal


class Firmware(Enum):
    BIOS = "bios"
    UEFI = "uefi"


@dataclass(frozen=True, slots=True)
class Ovmf:
    """OVMF's two flash files: the code, and the variables that a machine copies and writes."""

    code: Path
    variables: Path


OVMF = (
    Ovmf(Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),
    Ovmf(Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")),
)
"""Builds without Secure Boot, since what we boot is not signed. Since Debian 12 they have 4 MiB."""


def find_ovmf(candidates: tuple[Ovmf, ...] = OVMF) -> Ovmf:
    """Return the first of `candidates` that is installed. Raises Refusal if none is."""
    for ovmf in candidates:
        if ovmf.code.is_file() and ovmf.variables.is_file():
            return ovmf
    raise Refusal(
        "UEFI firmware",
        f"there is no {' or '.join(str(ovmf.code) for ovmf in candidates)}",
        "Install it, on Debian and Ubuntu: sudo apt install ovmf",
    )
