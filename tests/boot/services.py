"""Which services a box runs, and which services the overlays list."""

from firstboot.site.services import On
from image import overlay
from qemu.machine import Machine
from tests.boot.conftest import ROOT, SHELL

FOLDERS = "/etc/rc.d/* /usr/local/etc/rc.d/*"


def listed(*when: On) -> set[str]:
    """Return the services that the overlays, including those of the tests, have on at `when`."""
    overlays = [*overlay.load_all(ROOT / "overlays"), overlay.load(SHELL)]
    found = (service for one in overlays for service in one.services.value.services)
    return {service.name for service in found if service.on in when}


def enabled(box: Machine) -> set[str]:
    """Return the services that rc(8) starts on the box. service(8) lists those that rc.conf(5) can
    switch off; the others are always on."""
    told = box.shell.run("service -e", 120.0).text.split()
    fixed = box.shell.run(f"grep -L '^rcvar=' {FOLDERS} 2>/dev/null; true", 120.0).text.split()
    return {path.rpartition("/")[2] for path in (*told, *fixed)}
