"""What the wizard can be frozen for."""

from enum import Enum


class Target(Enum):
    """An operating system on amd64; the value is what the command line calls it."""

    FREEBSD = "freebsd"
    LINUX = "linux"
