"""What a machine prints that means something: prompts to wait for, and the ends of hope.

The texts are those of FreeBSD's loader (stand/), kernel (sys/), init(8) and rc(8), of Linux and
systemd for the rehearsal image, of SeaBIOS and of OVMF.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sign:
    """`meaning` completes a sentence: "waited for ...", "saw ..."."""

    meaning: str
    pattern: re.Pattern[str]


def sign(meaning: str, pattern: str) -> Sign:
    return Sign(meaning, re.compile(pattern))


def text(literal: str) -> Sign:
    """The sign that is `literal` itself."""
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
DEBUGGER = sign("the kernel's debugger", r"[\r\n]db> ")
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

CRASHES = (PANIC, DEBUGGER)
"""What is never good news."""

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
"""What ends the hope of a healthy boot. A test of a fallback from one slot to the other waits
with CRASHES instead: there, a boot program without a loader is the point."""
