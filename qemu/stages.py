"""Where the time of a start goes, told from the transcript of its console."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qemu.console_patterns import Sign, sign
from qemu.failure import Failure

STAGES = (
    ("firmware", sign("the boot program", r"Consoles: |FreeBSD/x86|gptboot|bootstrap loader|EFI")),
    ("loader", sign("the kernel's first word", r"---<<BOOT>>---")),
    ("kernel", sign("the root", r"Trying to mount root")),
    ("file systems", sign("file systems that are mounted", r"Mounting local filesystems")),
    ("network", sign("addresses", r"Starting Network")),
    ("daemons", sign("the end of rc(8)", r"\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \S+ \d{4} $")),
)
"""What a stage is called, and what is printed when it ends; the last one ends at the prompt."""

LAST = "prompt"

LINE = re.compile(r"\[ *(\d+\.\d)\] (.*)")
"""As Transcript writes it: seconds since power-on, and the text."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a start, and how long it took, in seconds."""

    name: str
    seconds: float


def stages(transcript: Iterable[str], ready: Sequence[Sign]) -> tuple[Stage, ...]:
    """The stages of the start in `transcript`, the lines of one from power-on to a prompt that is
    one of `ready`.

    A stage whose end was not printed is part of the next one. Raises Failure if no prompt came.
    """
    found = []
    waiting = list(STAGES)
    began = 0.0
    for line in transcript:
        match = LINE.match(line)
        if match is None:
            continue
        stamp, text = float(match[1]), f"\n{match[2]} "
        for at, (name, end) in enumerate(waiting):
            if end.pattern.search(text):
                found.append(Stage(name, round(stamp - began, 1)))
                began = stamp
                del waiting[: at + 1]
                break
        if any(one.pattern.search(text) for one in ready):
            return (*found, Stage(LAST, round(stamp - began, 1)))
    raise Failure("no prompt in the transcript")
