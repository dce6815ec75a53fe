"""`exitisp top`: how the box is, again and again, on whatever terminal there is.

It needs no curses: a terminal that moves its cursor as a VT100 does is painted over, and any other
one, and a line that nobody said the kind of, gets one screen below the other. What is wrong comes
first, so that a small screen has it too. Between two looks it rests at least as long as one takes.
"""

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from firstboot.box.look import look
from firstboot.box.machine import Machine
from firstboot.box.metrics import of_interfaces
from firstboot.box.status import Line

EVERY = 5
"""Seconds between two looks."""

SIZE = (80, 24)
"""Columns and rows of a terminal that does not tell, as a serial line."""

SMALLEST = (20, 4)

DUMB = ("", "dumb", "unknown", "network", "dialup", "su")
"""Values of TERM that promise nothing (termcap(5) of FreeBSD has some of them)."""

HOME, CLEAR, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[2J", "\x1b[K", "\x1b[J"

LEAVE = (b"q", b"Q", b"\x03", b"\x04")
"""Keys that end it: q, Ctrl-C and Ctrl-D."""

PATIENCE = 10.0
"""Seconds for the counters of the ports."""

Counters = Mapping[str, tuple[int, int]]
"""Bytes that each port received and sent."""


@dataclass(frozen=True, slots=True)
class Screenful:
    """What was found `at` a time of the monotonic clock."""

    at: float
    found: tuple[Line, ...]
    counters: Counters


def top(machine: Machine, every: int = EVERY) -> None:
    """Draw until somebody types q. Where standard output is no terminal, one screen is all."""
    before: Screenful | None = None
    paints = os.environ.get("TERM", "") not in DUMB and sys.stdout.isatty()
    with _keys() as typed:
        if paints:
            _write(HOME + CLEAR)
        while True:
            started = time.monotonic()
            now = taken(machine, started)
            took = time.monotonic() - started
            width, height = _size()
            drawn = screen(now, before, time.time(), width, height)
            _write(painted(drawn) if paints else below(drawn))
            before = now
            if not sys.stdout.isatty() or typed(max(float(every), took)):
                break
    if paints:
        _write("\n")


def taken(machine: Machine, at: float) -> Screenful:
    seen = look(machine)
    found = list(seen.lines)
    if seen.problem:
        found.append(Line(f"UNKNOWN: how the box is: {seen.problem}", "the box can say how it is"))
    return Screenful(at, tuple(found), parse_counters(_netstat(machine)))


def parse_counters(text: str) -> Counters:
    """Of what ``netstat -ibn`` prints."""
    by_name: dict[str, list[int]] = {}
    for one in of_interfaces(text):
        name = dict(one.labels)["interface"]
        which = ("exitisp_interface_in_bytes_total", "exitisp_interface_out_bytes_total")
        if one.name in which:
            by_name.setdefault(name, [0, 0])[which.index(one.name)] = int(one.value)
    return {name: (both[0], both[1]) for name, both in by_name.items()}


def screen(
    now: Screenful, before: Screenful | None, clock: float, width: int, height: int
) -> list[str]:
    """At most `height` rows of less than `width` characters."""
    width, height = max(width, SMALLEST[0]), max(height, SMALLEST[1])
    wrong = [one.text for one in now.found if one.bad]
    told = [one.text for one in now.found if one.cause and not one.bad]
    rest = [one.text for one in now.found if not one.cause]
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(clock))
    well = "well" if not wrong else f"{len(wrong)} not as it has to be"
    rows = [*wrong, *told, *rates(now, before), *rest]
    room = height - 2
    if len(rows) > room:
        left = len(rows) - room + 1
        rows = [*rows[: room - 1], f"and {left} more: exitisp status"]
    return [_cut(row, width) for row in (f"{when}  {well}", *rows, "q ends")]


def rates(now: Screenful, before: Screenful | None) -> Iterator[str]:
    """What each port receives and sends, since the look before."""
    if before is None or now.at <= before.at:
        return
    for name, counters in sorted(now.counters.items()):
        if name in before.counters:
            bits = [
                8 * max(0, new - old) / (now.at - before.at)
                for new, old in zip(counters, before.counters[name], strict=True)
            ]
            if any(bits):
                yield f"{name}: {_bits(bits[0])} in, {_bits(bits[1])} out"


def painted(rows: Sequence[str]) -> str:
    """Over what is there, without a flicker."""
    return HOME + "".join(f"{row}{REST_OF_LINE}\r\n" for row in rows) + REST_OF_SCREEN


def below(rows: Sequence[str]) -> str:
    return "".join(f"{row}\n" for row in ("", *rows))


def _bits(many: float) -> str:
    for unit in ("bit/s", "kbit/s", "Mbit/s"):
        if many < 1000:
            return f"{many:.0f} {unit}"
        many /= 1000
    return f"{many:.1f} Gbit/s"


def _cut(row: str, width: int) -> str:
    plain = "".join(char if char.isprintable() else "?" for char in row)
    return plain if len(plain) < width else f"{plain[: width - 4]}..."


def _netstat(machine: Machine) -> str:
    return machine.run("netstat", "-ibn", patience=PATIENCE).text


def _size() -> tuple[int, int]:
    try:
        found = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return SIZE
    return found.columns or SIZE[0], found.lines or SIZE[1]


def _write(text: str) -> None:
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


class _Typed:
    """Waits for a key that ends it."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def __call__(self, seconds: float) -> bool:
        """Whether such a key, or the end of the input, came within `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._descriptor is None:
                time.sleep(left)
            elif select.select([self._descriptor], [], [], left)[0]:
                key = os.read(self._descriptor, 1)
                if not key or key in LEAVE:
                    return True
        return False


@contextlib.contextmanager
def _keys() -> Iterator[_Typed]:
    """Each key counts at once, and none is shown, until the end; the terminal is then as before."""
    if sys.stdin is None or not sys.stdin.isatty():
        yield _Typed(None)
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield _Typed(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
