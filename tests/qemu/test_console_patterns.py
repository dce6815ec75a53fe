import pytest

from qemu import console_patterns
from qemu.console_patterns import FAILURES, Sign


@pytest.mark.parametrize(
    ("printed", "sign"),
    [
        ("Autoboot in 3 seconds. [Space] to pause", console_patterns.LOADER_MENU),
        ("for help.\r\nOK ", console_patterns.LOADER),
        ("Enter full pathname of shell or RETURN for /bin/sh: ", console_patterns.SINGLE_USER),
        ("\r\nFreeBSD/amd64 (exit) (ttyu0)\r\n\r\nlogin: ", console_patterns.LOGIN),
        ("\r\nDebian GNU/Linux 12 exit ttyS0\r\n\r\nexit login: ", console_patterns.LOGIN),
        ("\r\n# ", console_patterns.SHELL),
        ("\r\nroot@exit:~ # ", console_patterns.SHELL),
        ("\r\nroot@exit:~# ", console_patterns.SHELL),
        ("panic: vm_fault: fault on nofault entry", console_patterns.PANIC),
        ("Fatal trap 12: page fault while in kernel mode", console_patterns.PANIC),
        ("\r\nKDB: enter: panic\r\n[ thread pid 0 ]\r\ndb> ", console_patterns.DEBUGGER),
        ("panic: mutex socket not owned at uipc_usrreq.c:4075", console_patterns.PANIC),
        ("KDB: enter: Break to debugger\r\n", console_patterns.DEBUGGER),
        ("[ thread pid 11 tid 100003 ]\r\nStopped at kdb_enter", console_patterns.DEBUGGER),
        ("Automatic reboot in 15 seconds - press a key to abort", console_patterns.RESTART),
        ("\r\nmountroot> ", console_patterns.MOUNTROOT),
        ("\r\nBusyBox v1.35.0\r\n(initramfs) ", console_patterns.MOUNTROOT),
        ("|/-\\can't load 'kernel'\r\n", console_patterns.NO_KERNEL),
        ("BTX halted", console_patterns.BTX_HALTED),
        ("gptboot: unable to load GPT", console_patterns.NO_LOADER),
        ("gptboot.efi: no UFS partition was found", console_patterns.NO_LOADER),
        ("gptboot.efi: Can't load /boot/loader.efi from partition 3", console_patterns.NO_LOADER),
        ("\nFreeBSD/x86 boot\nDefault: 0:ad(0p1)/boot/loader\nboot: ", console_patterns.NO_LOADER),
        ("Missing boot loader", console_patterns.NO_BOOT_PROGRAM),
        ("No bootable device.", console_patterns.NOT_BOOTABLE),
        ("BdsDxe: No bootable option or device was found.", console_patterns.NOT_BOOTABLE),
        (
            "BdsDxe: failed to load Boot0001 from PciRoot(0x0): Not Found",
            console_patterns.NOT_BOOTABLE,
        ),
        ("ERROR: ABORTING BOOT (sending SIGTERM to parent)!", console_patterns.BOOT_ABORTED),
        ("Login incorrect", console_patterns.LOGIN_INCORRECT),
    ],
)
def test_the_sign_is_seen(printed: str, sign: Sign) -> None:
    assert sign.pattern.search(printed)


@pytest.mark.parametrize(
    ("printed", "sign"),
    [
        ("\r\nNov 21 21:45:58 exit login[815]: ROOT LOGIN (root) ON ttyu0", console_patterns.LOGIN),
        ("\r\nsavecore: reboot after panic: page fault\r\n", console_patterns.PANIC),
        ("\r\n## see pf.conf(5)\r\n", console_patterns.SHELL),
        ("gptboot: invalid backup GPT header\r\n", console_patterns.NO_LOADER),
        ("\r\n[  OK  ] Reached target\r\n", console_patterns.LOADER),
        ("refusing to enter KDB with elevated securelevel", console_patterns.DEBUGGER),
        ("KDB: stack backtrace:\r\n", console_patterns.DEBUGGER),
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
