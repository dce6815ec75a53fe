import pytest

from qemu import signs
from qemu.signs import FAILURES, Sign


@pytest.mark.parametrize(
    ("printed", "sign"),
    [
        ("Autoboot in 3 seconds. [Space] to pause", signs.LOADER_MENU),
        ("for help.\r\nOK ", signs.LOADER),
        ("Enter full pathname of shell or RETURN for /bin/sh: ", signs.SINGLE_USER),
        ("\r\nFreeBSD/amd64 (exit) (ttyu0)\r\n\r\nlogin: ", signs.LOGIN),
        ("\r\nDebian GNU/Linux 12 exit ttyS0\r\n\r\nexit login: ", signs.LOGIN),
        ("\r\n# ", signs.SHELL),
        ("\r\nroot@exit:~ # ", signs.SHELL),
        ("\r\nroot@exit:~# ", signs.SHELL),
        ("panic: vm_fault: fault on nofault entry", signs.PANIC),
        ("Fatal trap 12: page fault while in kernel mode", signs.PANIC),
        ("\r\nKDB: enter: panic\r\n[ thread pid 0 ]\r\ndb> ", signs.DEBUGGER),
        ("\r\nmountroot> ", signs.MOUNTROOT),
        ("\r\nBusyBox v1.35.0\r\n(initramfs) ", signs.MOUNTROOT),
        ("|/-\\can't load 'kernel'\r\n", signs.NO_KERNEL),
        ("BTX halted", signs.BTX_HALTED),
        ("gptboot: unable to load GPT", signs.NO_LOADER),
        ("gptboot.efi: no UFS partition was found", signs.NO_LOADER),
        ("gptboot.efi: Can't load /boot/loader.efi from partition 3", signs.NO_LOADER),
        ("\nFreeBSD/x86 boot\nDefault: 0:ad(0p1)/boot/loader\nboot: ", signs.NO_LOADER),
        ("Missing boot loader", signs.NO_BOOT_PROGRAM),
        ("No bootable device.", signs.NOT_BOOTABLE),
        ("BdsDxe: No bootable option or device was found.", signs.NOT_BOOTABLE),
        ("BdsDxe: failed to load Boot0001 from PciRoot(0x0): Not Found", signs.NOT_BOOTABLE),
        ("ERROR: ABORTING BOOT (sending SIGTERM to parent)!", signs.BOOT_ABORTED),
        ("Login incorrect", signs.LOGIN_INCORRECT),
    ],
)
def test_the_sign_is_seen(printed: str, sign: Sign) -> None:
    assert sign.pattern.search(printed)


@pytest.mark.parametrize(
    ("printed", "sign"),
    [
        ("\r\nNov 21 21:45:58 exit login[815]: ROOT LOGIN (root) ON ttyu0", signs.LOGIN),
        ("\r\nsavecore: reboot after panic: page fault\r\n", signs.PANIC),
        ("\r\n## see pf.conf(5)\r\n", signs.SHELL),
        ("gptboot: invalid backup GPT header\r\n", signs.NO_LOADER),
        ("\r\n[  OK  ] Reached target\r\n", signs.LOADER),
    ],
)
def test_what_only_looks_like_the_sign_is_not(printed: str, sign: Sign) -> None:
    assert not sign.pattern.search(printed)


def test_a_healthy_boot_has_no_failure() -> None:
    boot = (
        "BdsDxe: loading Boot0001 from PciRoot(0x0)\r\nBdsDxe: starting Boot0001\r\n"
        ">> FreeBSD EFI boot block\r\nLoading /boot/loader.conf\r\nAutoboot in 2 seconds\r\n"
        "Trying to mount root from ufs:/dev/ufs/rootA [ro]...\r\nDual Console: Serial Primary\r\n"
        "\r\nFreeBSD/amd64 (exit) (ttyu0)\r\n\r\nlogin: "
    )
    assert not any(sign.pattern.search(boot) for sign in FAILURES)
