"""How long each stage of a start took, read from the transcript of its console."""

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
"""The name of each stage, and what is printed when it ends. The last stage ends at the prompt."""

LAST = "prompt"

LINE = re.compile(r"\[ *(\d+\.\d)\] (.*)")
"""A line as Transcript writes it: seconds since power-on, and the text."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a start, and how many seconds it took."""

    name: str
    seconds: float


def stages(transcript: Iterable[str], ready: Sequence[Sign]) -> tuple[Stage, ...]:
    """Return the stages of the start whose lines are `transcript`, from power-on to the first
    prompt of `ready`.

    A stage whose end was not printed is counted with the next one. Raises Failure if there is no
    prompt.
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
    raise Failure("the transcript has no prompt")
