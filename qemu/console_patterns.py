"""What a machine prints that means something: prompts, and messages after which a boot has failed.

The texts are those of FreeBSD's and HardenedBSD's loader (stand/), kernel (sys/), init(8) and
rc(8), of Linux and systemd for the rehearsal, of SeaBIOS and of OVMF.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sign:
    """A pattern in the output; `meaning` completes the sentences "waited for ..." and "saw ..."."""

    meaning: str
    pattern: re.Pattern[str]


def sign(meaning: str, pattern: str) -> Sign:
    return Sign(meaning, re.compile(pattern))


def text(literal: str) -> Sign:
    """The sign for exactly this text."""
    return Sign(repr(literal), re.compile(re.escape(literal)))


LOADER_MENU = sign("the loader's menu", r"Autoboot in \d+ sec|ape to loader prompt")
LOADER = sign("the loader's prompt", r"[\r\n]OK ")
SINGLE_USER = sign("init's single-user question", r"Enter full pathname of shell")
LOGIN = sign("the login prompt", r"[\r\n](?:[\w.-]+ )?login: ")
PASSWORD = sign("the password prompt", r"Password: ?")
SHELL = sign("a root shell's prompt", r"[\r\n](?:[^\s#]+ ?)?# ")

PANIC = sign(
    "a kernel panic",
    r"(?<!after )panic: |Fatal (?:double fault|trap \d+)|Kernel panic - not syncing",
)
DEBUGGER = sign("the kernel's debugger", r"[\r\n]db> |KDB: enter: |\[ thread pid \d+ tid \d+ \]")
"""As kdb_enter() of sys/kern/subr_kdb.c and ddb(4) announce it. A kernel without DDB says
`KDB: enter:` and goes on."""

RESTART = sign("a restart after a panic", r"Automatic reboot in \d+ seconds")
MOUNTROOT = sign("a kernel without a root file system", r"mountroot> |[\r\n]\(initramfs\) ")
NO_KERNEL = sign("a loader without a kernel", r"can't load '|LUA ERROR")
BTX_HALTED = sign("a boot program that crashed", r"BTX halted")
NO_LOADER = sign(
    "a boot program without a loader",
    r"gptboot(?:\.efi)?: (?:unable to load GPT|unable to find raw disk|no UFS partition"
    r"|Can't (?:find|load) )"
    r"|FreeBSD/x86 boot[\r\n]",
)
NO_BOOT_PROGRAM = sign(
    "a disk without a boot program",
    r"Missing boot loader|Missing operating system|Error loading operating system"
    r"|Invalid partition table",
)
NOT_BOOTABLE = sign(
    "firmware with nothing to boot",
    r"No bootable (?:option or )?device|Boot [Ff]ailed|BdsDxe: failed to (?:load|start) "
    r"|UEFI Interactive Shell|Shell> ",
)
BOOT_ABORTED = sign(
    "a boot that gave up", r"ERROR: ABORTING BOOT|You are in emergency mode|Give root password"
)
LOGIN_INCORRECT = sign("a refused login", r"Login incorrect")

CRASHES = (PANIC, DEBUGGER, RESTART)
"""Failures whatever the machine is doing."""

FAILURES = (
    *CRASHES,
    MOUNTROOT,
    NO_KERNEL,
    BTX_HALTED,
    NO_LOADER,
    NO_BOOT_PROGRAM,
    NOT_BOOTABLE,
    BOOT_ABORTED,
    SINGLE_USER,
)
"""Messages after which a boot will not come to a login. A test of the fallback from one slot to the
other waits with CRASHES instead, since a boot program without a loader is what it provokes."""
