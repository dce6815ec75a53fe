"""Runs in the frozen program before anything else, and restores the environment that it was called
with.

PyInstaller's bootloader adds the program's folder to the search path of the run-time linker, and
variables of its own. Daemons and tools that the program starts must see neither.
"""

import os

original = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
os.environ.pop("LD_LIBRARY_PATH", None)
if original is not None:
    os.environ["LD_LIBRARY_PATH"] = original
for name in [name for name in os.environ if name.startswith("_PYI_")]:
    del os.environ[name]
