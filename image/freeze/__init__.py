"""The wizard frozen: one program for the target, made on a Linux host.

PyInstaller analyses the program with this host's Python; for FreeBSD the target's standard
library, libpython and bootloader take the place of the host's.
"""

from image.freeze.freezing import freeze
from image.freeze.frozen import Frozen, Module, plant, save
from image.freeze.target import Target

__all__ = ["Frozen", "Module", "Target", "freeze", "plant", "save"]
