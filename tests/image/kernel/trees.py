"""Trees with a kernel in them, and overlays to go with it."""

from collections.abc import Mapping
from pathlib import Path

from image import overlay
from image.overlay import Overlay
from image.tree import Tree, directory, file
from tests.image.kernel import objects
from tests.image.kernel.objects import FOLDER, LOADED_ONLY, NUMBER, TEXT, TUNED, Plan

KERNEL = Plan(
    sysctls={
        "dev": FOLDER,
        "hw.ncpu": 2,
        "hw.ix.flow_control": TUNED,
        "kern.coredump": NUMBER,
        "net.inet.ip.redirect": NUMBER,
        "net.inet.tcp.tcbhashsize": LOADED_ONLY,
        "net.inet.tcp.tso": NUMBER,
        "net.inet.icmp.reply_src": TEXT,
        "kern.geom": FOLDER,
    },
    texts=("iflib", "override_nrxds", "fw_lldp", "boot_serial", "hw.ixl.rx_itr", "redirect", "tso"),
    used=("kern.geom",),
    modules=("aio",),
    drivers=("pci/ix", "pci/ixl"),
    chips={"ix": [(0x8086, 0x1563)], "ixl": [(0x8086, 0x1572)]},
)
PF = Plan(
    sysctls={"net.pf": FOLDER, "net.pf.default_to_drop": TUNED},
    modules=("pf",),
    depends=("crypto",),
)
ICE = Plan(texts=("fw_lldp_agent",), modules=("ice",), drivers=("pci/ice",))
CRYPTO = Plan(sysctls={"kern.crypto_workers": LOADED_ONLY}, modules=("crypto",))


def tree(kernel: Plan = KERNEL, **modules: Plan) -> Tree:
    """A root tree with that kernel and, unless others are given, with pf, crypto and if_ice."""
    found = Tree()
    for path in ("boot", "boot/kernel", "boot/defaults", "boot/lua"):
        found[path] = directory()
    found["boot/kernel/kernel"] = file(objects.kernel(kernel))
    for name, plan in (modules or {"pf": PF, "crypto": CRYPTO, "if_ice": ICE}).items():
        found[f"boot/kernel/{name}.ko"] = file(objects.module(plan))
    found["boot/defaults/loader.conf"] = file(b'#autoboot_delay="10"\nmodule_path="/boot"\n')
    found["boot/lua/drawer.lua"] = file(b'local logo = loader.getenv("loader_logo")\n')
    found["boot/loader.efi"] = file(b"MZ\0comconsole_speed\0%s\0")
    return found


def make(folder: Path, files: Mapping[str, str]) -> Overlay:
    """An overlay of `files`; a path is relative to the overlay's folder."""
    place = folder / "one"
    place.mkdir(parents=True)
    (place / "overlay.yaml").write_text("description: a test\n")
    for path, text in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
    return overlay.load(place)
