"""The systems that the wizard can be frozen for."""

from enum import Enum


class Target(Enum):
    """An operating system on amd64. The value is its name on the command line."""

    FREEBSD = "freebsd"
    LINUX = "linux"
