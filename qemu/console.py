"""A machine's serial port: waits for output, types, and runs commands in the root shell there."""

import os
import re
import select
import shlex
import socket
import sys
import termios
import time
import tty
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

import pexpect

from firstboot.core.refusal import Refusal
from qemu.console_patterns import (
    CRASHES,
    FAILURES,
    LOGIN,
    LOGIN_INCORRECT,
    PASSWORD,
    SHELL,
    Sign,
    text,
)
from qemu.failure import Failure
from qemu.line import Line
from qemu.transcript import Transcript

DETACH = b"\x1d"
"""Ctrl-], as in telnet(1) and virsh(1)."""

PROBE_SECONDS = 2.0
"""Seconds after which a shell that has not answered is asked again."""

SETTLED = 0.5
"""Seconds after an interrupt until a shell reads what is typed."""

PIECE = 100
"""Characters of a command that go on one line. Terminals accept lines of at least 255 bytes
(_POSIX_MAX_CANON), and a piece that is all quotes grows fivefold when it is quoted."""

BURST, PAUSE = 64, 0.03
"""Bytes that are typed at once, and the seconds of pause after them. The serial port of a busy
guest drops bytes that come faster."""

_REFUSALS = (*CRASHES, LOGIN_INCORRECT)


class ConsoleFailure(Failure):
    """The console did not show what was awaited. The message ends with the last lines shown.

    `transcript` is the file that has all lines.
    """

    def __init__(self, what: str, console: "Console") -> None:
        self.transcript = console.transcript.text
        self.tail = console.transcript.tail()
        shown = "\n".join(f"  {line}" for line in self.tail) or "  (nothing)"
        super().__init__(
            f"{console.name}: {what}; the last lines were\n{shown}\n"
            f"the whole transcript is in {self.transcript}"
        )


class TimedOut(ConsoleFailure):
    """The awaited output did not come in time."""


class SawFailure(ConsoleFailure):
    """The machine printed `sign`, after which the awaited output will not come."""

    def __init__(self, sign: Sign, what: str, console: "Console") -> None:
        self.sign = sign
        super().__init__(what, console)


class HungUp(ConsoleFailure):
    """The machine has ended."""


class CommandFailed(Failure):
    """A command in the machine's shell exited with a status other than 0."""

    def __init__(self, command: str, output: "Output") -> None:
        self.command = command
        self.output = output
        shown = output.text.encode(errors="surrogateescape").decode(errors="backslashreplace")
        super().__init__(f"exit status {output.status} from: {_beginning(command)}\n{shown}")


@dataclass(frozen=True, slots=True)
class Seen:
    """The sign that was printed, its match, and the text between the previous match and this
    one."""

    sign: Sign
    match: re.Match[str]
    before: str


@dataclass(frozen=True, slots=True)
class Output:
    """What a command wrote to standard output and standard error, and its exit status.

    The text is exact, except that the terminal's line ends are converted back. Bytes that are not
    UTF-8 are surrogates: ``text.encode(errors="surrogateescape")`` gives the bytes.
    """

    text: str
    status: int


class Console:
    """The host's end of a machine's serial port. A context manager that hangs up at the end.

    `link` is a connected stream socket, which the console owns from now on. `stem` is the path of
    the transcript without its suffixes, see Transcript. Every wait has a time limit in seconds.
    """

    def __init__(self, link: socket.socket, stem: Path) -> None:
        self.name = stem.name
        self.transcript = Transcript(stem)
        self._line = Line(link, self.transcript)
        self._opened = False
        self._interrupted = False

    def __enter__(self) -> "Console":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._line.close()
        self.transcript.close()

    def expect(
        self, *awaited: Sign | str, timeout: float, failures: Sequence[Sign] = FAILURES
    ) -> Seen:
        """Wait until one of `awaited` is printed. A string is matched literally.

        Raises SawFailure as soon as one of `failures` is printed instead, TimedOut, and HungUp
        if the machine ends first. A sign that is both awaited and a failure counts as awaited.
        """
        hopes = [text(item) if isinstance(item, str) else item for item in awaited]
        signs = [*hopes, *failures]
        goal = " or ".join(hope.meaning for hope in hopes)
        try:
            index = self._line.expect_list([sign.pattern for sign in signs], timeout)
        except pexpect.TIMEOUT:
            raise TimedOut(f"{goal} did not come within {timeout:g} s", self) from None
        except pexpect.EOF:
            raise HungUp(f"the machine ended before {goal} came", self) from None
        if index >= len(hopes):
            sign = signs[index]
            raise SawFailure(sign, f"waited for {goal} and saw {sign.meaning}", self)
        match = self._line.match
        assert isinstance(match, re.Match)
        return Seen(signs[index], match, self._line.before or "")

    def send(self, keys: str) -> None:
        """Type `keys`; ``"\\r"`` is the return key. Raises HungUp."""
        data = keys.encode(errors="surrogateescape")
        try:
            for at in range(0, len(data), BURST):
                self._line.send_bytes(data[at : at + BURST])
                time.sleep(PAUSE)
        except OSError:
            raise HungUp("the machine has ended and takes no keys", self) from None

    def send_line(self, keys: str = "") -> None:
        """Type `keys` and the return key."""
        self.send(keys + "\r")

    def login(self, user: str = "root", password: str | None = None, *, timeout: float) -> None:
        """Wait for a new login prompt, log in, and open the shell.

        `user` is root or another user with a shell. Raises what expect() raises, and SawFailure
        with LOGIN_INCORRECT if the machine refuses the login.
        """
        deadline = time.monotonic() + timeout
        self.expect(LOGIN, timeout=timeout)
        self.send_line(user)
        if password is not None:
            self.expect(PASSWORD, timeout=_left(deadline))
            self.send_line(password)
        self.open_shell(timeout=_left(deadline))

    def open_shell(self, *, timeout: float) -> None:
        """Prepare the shell at the port, once there is one, for run().

        Whatever shell it is, it is replaced by sh(1) without line editing, prompts and echo.
        Nothing is typed before the shell's prompt came, now or earlier, because OVMF and the
        loader read keys from every serial port. Raises what expect() raises.
        """
        deadline = time.monotonic() + timeout
        self.expect(SHELL, timeout=timeout, failures=_REFUSALS)
        self._probe(deadline)
        self.send_line("exec /bin/sh")
        self._probe(deadline)
        # A shell that switches line editing off drops what was typed ahead (editline(3)).
        for command in ("set +o emacs", "set +o vi", "PS1= PS2=", "stty -echo -opost"):
            self.send_line(command)
            self._probe(deadline)
        self._opened, self._interrupted = True, False

    def _probe(self, deadline: float) -> None:
        token = uuid.uuid4().hex
        while True:
            # The quotes keep the echo of the command from looking like the answer.
            self.send_line(f"echo {token[:16]}''{token[16:]}")
            patience = min(PROBE_SECONDS, _left(deadline))
            try:
                self.expect(token, timeout=patience, failures=_REFUSALS)
                return
            except TimedOut:
                if _left(deadline) == 0:
                    raise TimedOut("no shell answered in time", self) from None
                if self._interrupted:
                    self.send("\x03")
                    time.sleep(SETTLED)

    def run(self, command: str, timeout: float = 60.0, *, check: bool = True) -> Output:
        """Run `command` in the shell that open_shell() or login() prepared.

        It runs in a subshell without input, and may have several lines. With `check`, raises
        CommandFailed unless the exit status is 0. Raises TimedOut after interrupting the command,
        SawFailure if the time is up because the kernel panicked, HungUp, and ValueError if
        `command` has control characters, on which the terminal would act. If the port is the
        kernel's console, the kernel's messages are part of the text.
        """
        if not self._opened:
            raise RuntimeError("run() needs login() or open_shell() before it")
        if any(char < " " and char != "\n" for char in command) or "\x7f" in command:
            raise ValueError(f"control characters in the command {command!r}")
        deadline = time.monotonic() + timeout
        if self._interrupted:
            # The shell may drop what is typed before it handles the interrupt, and the command may
            # survive the interrupt.
            self._probe(deadline)
            self._interrupted = False
        token = uuid.uuid4().hex
        halves = f"{token[:16]} {token[16:]}"
        self._line.exact = True
        try:
            self.send(
                f"printf '%s%s{{\\n' {halves}; (eval {_quote(command)}) </dev/null 2>&1; "
                f"printf '%s%s}}%d.\\n' {halves} $?\n"
            )
            begin = self._await(rf"{token}\{{(\r?\n)", command, timeout, deadline)
            end = self._await(rf"{token}\}}(\d+)\.\r?\n", command, timeout, deadline)
        finally:
            self._line.exact = False
        output = Output(end.before.replace(begin.match[1], "\n"), int(end.match[1]))
        if check and output.status != 0:
            raise CommandFailed(command, output)
        return output

    def _await(self, pattern: str, command: str, timeout: float, deadline: float) -> Seen:
        end = Sign(f"the end of: {_beginning(command)}", re.compile(pattern))
        try:
            return self.expect(end, timeout=_left(deadline), failures=())
        except TimedOut:
            printed = self._line.before or ""
            for crash in CRASHES:
                if crash.pattern.search(printed):
                    what = f"{crash.meaning} came during: {_beginning(command)}"
                    raise SawFailure(crash, what, self) from None
            self.send("\x03")
            self._interrupted = True
            raise TimedOut(f"not done within {timeout:g} s: {_beginning(command)}", self) from None

    def hand_over(self, keyboard: int | None = None, screen: int | None = None) -> None:
        """Hand the shell of run() to a person, with prompt, echo and their terminal's size.

        Like interact() otherwise. run() cannot be used afterwards.
        """
        columns, rows = os.get_terminal_size(_descriptor(keyboard, sys.stdin))
        self._opened = False
        self.interact(
            keyboard, screen, f"stty sane rows {rows} columns {columns}; PS1='# ' exec /bin/sh -i\r"
        )

    def interact(
        self, keyboard: int | None = None, screen: int | None = None, opening: str = ""
    ) -> None:
        """Hand the port to a person until Ctrl-] is typed or the machine ends.

        `keyboard` and `screen` are file descriptors, by default of standard input and output.
        `opening` is typed first, once everything that comes is shown. Raises Refusal if the
        keyboard is no terminal.
        """
        keyboard = _descriptor(keyboard, sys.stdin)
        target = _descriptor(screen, sys.stdout)
        if not os.isatty(keyboard):
            raise Refusal(
                "standard input",
                "the console needs a terminal, and this is a file or a pipe",
                "Run the command in a terminal, without redirecting its input",
            )
        before = termios.tcgetattr(keyboard)
        tty.setraw(keyboard)
        self._line.echo_to = lambda data: _write_all(target, data)
        try:
            self.send(opening)
            while not self._line.ended:
                if not select.select([keyboard], [], [], 0.1)[0]:
                    continue
                keys, detach, _ = os.read(keyboard, 1024).partition(DETACH)
                self.send(keys.decode(errors="surrogateescape"))
                if detach or not keys:
                    return
        except HungUp:
            pass
        finally:
            self._line.echo_to = None
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _descriptor(given: int | None, standard: IO[str]) -> int:
    return standard.fileno() if given is None else given


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _beginning(command: str) -> str:
    """Return the first line of `command`. The others may be a file with secrets."""
    first, *more = command.splitlines() or [""]
    return f"{first} ..." if more else first


def _quote(command: str) -> str:
    """Return `command` as one word of sh(1), split into lines of at most PIECE characters."""
    pieces = [
        piece
        for line in command.splitlines(keepends=True)
        for piece in (line[at : at + PIECE] for at in range(0, len(line), PIECE))
    ]
    return "\\\n".join(shlex.quote(piece) for piece in pieces) or "''"


def _write_all(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]
