import os
import pty
import select
import shlex
import shutil
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from qemu.console import (
    PIECE,
    CommandFailed,
    Console,
    HungUp,
    SawFailure,
    TimedOut,
)
from qemu.console_patterns import CRASHES, LOGIN, LOGIN_INCORRECT, NO_KERNEL, PANIC, SINGLE_USER
from qemu.transcript import TAIL

PATIENCE = 60.0
"""Seconds for what happens at once, however busy the host is."""

SHORT = 0.2
"""Seconds for what must not happen."""


DROPPING = """\
import signal, sys, termios, time
terminal = open("/dev/tty")
def drop(*_):
    time.sleep(1)
    termios.tcflush(terminal, termios.TCIFLUSH)
    sys.exit()
signal.signal(signal.SIGINT, drop)
time.sleep(1000)
"""
"""A program that ends slowly at an interrupt, and drops what was typed meanwhile."""

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


@pytest.fixture
def far(ends: Ends) -> socket.socket:
    """The machine's end of the line."""
    ends[1].settimeout(PATIENCE)
    return ends[1]


@pytest.fixture
def console(ends: Ends, tmp_path: Path) -> Iterator[Console]:
    with Console(ends[0], tmp_path / "box.com1") as console:
        yield console


def test_an_awaited_text_is_seen_with_what_came_before(
    far: socket.socket, console: Console
) -> None:
    far.sendall(b"Welcome\r\n2 + 2 = 4 (sure?)")
    seen = console.expect("4 (sure?)", timeout=PATIENCE)
    assert seen.before == "Welcome\r\n2 + 2 = "


def test_a_prompt_in_colour_and_in_pieces_is_seen(far: socket.socket, console: Console) -> None:
    for byte in b"\r\n\x1b[32mlo\x1b[1;1Hgin\x1b[0m: ":
        far.sendall(bytes([byte]))
    assert console.expect(LOGIN, timeout=PATIENCE).sign is LOGIN


def test_the_first_of_several_awaited_signs_wins(far: socket.socket, console: Console) -> None:
    far.sendall(b"\r\nlogin: \r\nEnter full pathname of shell")
    assert console.expect(SINGLE_USER, LOGIN, timeout=PATIENCE).sign is LOGIN


def test_a_sign_is_found_however_much_came_before_it(far: socket.socket, console: Console) -> None:
    noise = threading.Thread(target=far.sendall, args=(b"x" * 300_000 + b"\r\nlogin: ",))
    noise.start()
    assert console.expect(LOGIN, timeout=PATIENCE).before.count("x") == 300_000
    noise.join()


def test_a_panic_ends_the_wait_at_once(far: socket.socket, console: Console) -> None:
    far.sendall(b"Booting...\r\npanic: no init\r\n")
    with pytest.raises(SawFailure, match="saw a kernel panic") as caught:
        console.expect(LOGIN, timeout=PATIENCE)
    assert caught.value.sign is PANIC
    assert caught.value.tail[0].endswith("] Booting...")


def test_a_failed_boot_ends_the_wait_at_once(far: socket.socket, console: Console) -> None:
    far.sendall(b"|/-can't load 'kernel'\r\n")
    with pytest.raises(SawFailure) as caught:
        console.expect(LOGIN, timeout=PATIENCE)
    assert caught.value.sign is NO_KERNEL


def test_what_is_awaited_is_no_failure(far: socket.socket, console: Console) -> None:
    far.sendall(b"Enter full pathname of shell or RETURN for /bin/sh: ")
    assert console.expect(SINGLE_USER, timeout=PATIENCE).sign is SINGLE_USER


def test_failures_can_be_narrowed_to_crashes(far: socket.socket, console: Console) -> None:
    far.sendall(b"gptboot.efi: Can't load loader.efi from partition 3\r\n\r\nlogin: ")
    assert console.expect(LOGIN, timeout=PATIENCE, failures=CRASHES)


def test_a_timeout_shows_the_last_lines_and_names_the_transcript(
    far: socket.socket, console: Console
) -> None:
    far.sendall(b"".join(b"line %d\r\n" % at for at in range(100)) + b"and then")
    console.expect("and then", timeout=PATIENCE)
    with pytest.raises(TimedOut) as caught:
        console.expect(LOGIN, timeout=SHORT)
    message = str(caught.value)
    assert f"the login prompt did not come within {SHORT} s" in message
    assert message.count("line ") == TAIL - 1
    assert "] and then\n" in message
    assert str(console.transcript.text) in message


def test_a_machine_that_ends_is_told_from_one_that_is_slow(
    far: socket.socket, console: Console
) -> None:
    far.sendall(b"Uptime: 3s\r\n")
    far.shutdown(socket.SHUT_RDWR)
    with pytest.raises(HungUp, match="Uptime: 3s"):
        console.expect(LOGIN, timeout=PATIENCE)
    with pytest.raises(HungUp):
        console.send("too late")


def test_the_line_is_emptied_while_nobody_waits(far: socket.socket, console: Console) -> None:
    far.sendall(b"y" * 1_000_000)  # far more than the socket holds
    far.sendall(b"\r\nlogin: ")
    assert console.expect(LOGIN, timeout=PATIENCE)


def test_keys_arrive_as_typed(far: socket.socket, console: Console) -> None:
    console.send("\x03é")
    console.send_line("boot -s")
    expected = "\x03é".encode() + b"boot -s\r"
    got = b""
    while len(got) < len(expected):
        got += far.recv(100)
    assert got == expected


def test_a_refused_login_is_told(far: socket.socket, console: Console) -> None:
    far.sendall(b"\r\nlogin: ")
    answers = threading.Thread(target=_refuse_login, args=(far,))
    answers.start()
    with pytest.raises(SawFailure) as caught:
        console.login("root", "wrong", timeout=PATIENCE)
    answers.join()
    assert caught.value.sign is LOGIN_INCORRECT


def _refuse_login(far: socket.socket) -> None:
    for expected, answer in ((b"root\r", b"Password:"), (b"wrong\r", b"\r\nLogin incorrect\r\n")):
        got = b""
        while not got.endswith(b"\r"):
            got += far.recv(100)
        assert got == expected
        far.sendall(answer)


def test_nothing_is_typed_before_the_shell_shows_its_prompt(
    far: socket.socket, console: Console
) -> None:
    far.sendall(b"\r\nAutoboot in 3 seconds")
    with pytest.raises(TimedOut):
        console.open_shell(timeout=SHORT)
    far.setblocking(False)
    with pytest.raises(BlockingIOError):
        far.recv(1)


def test_a_shell_that_never_answers_is_told(far: socket.socket, console: Console) -> None:
    far.sendall(b"\r\n# ")
    with pytest.raises(TimedOut, match="no shell answered"):
        console.open_shell(timeout=SHORT)


def test_run_needs_a_shell(far: socket.socket, console: Console) -> None:
    with pytest.raises(RuntimeError):
        console.run("true")


class ShellOnTerminal:
    """A real shell on a pseudo-terminal that is connected to a socket, as COM2 is in QEMU."""

    def __init__(self, far: socket.socket, command: list[str]) -> None:
        self._far = far
        master, slave = pty.openpty()
        self._master = master
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"PATH": os.environ["PATH"], "TERM": "vt100", "PS1": "# ", "HOME": "/nonexistent"},
        )
        os.close(slave)
        far.sendall(b"\r\n")
        self._pump = threading.Thread(target=self._copy)
        self._pump.start()

    def _copy(self) -> None:
        while True:
            ready = select.select([self._far, self._master], [], [])[0]
            try:
                if self._far in ready:
                    data = self._far.recv(4096)
                    if not data:
                        return
                    os.write(self._master, data)
                if self._master in ready:
                    self._far.sendall(os.read(self._master, 4096))
            except OSError:
                return

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._far.shutdown(socket.SHUT_RDWR)
        self._pump.join()
        os.close(self._master)


SHELLS = [["/bin/sh", "-i"], ["bash", "--norc", "-i"], ["csh", "-f"]]


@pytest.fixture(params=SHELLS[:1], ids=lambda command: command[0])
def shell(
    request: pytest.FixtureRequest, far: socket.socket, console: Console
) -> Iterator[Console]:
    if shutil.which(request.param[0]) is None:
        pytest.skip(f"{request.param[0]} is not installed")
    terminal = ShellOnTerminal(far, request.param)
    try:
        console.open_shell(timeout=PATIENCE)
        yield console
    finally:
        terminal.end()


@pytest.mark.parametrize("shell", SHELLS, ids=lambda command: command[0], indirect=True)
def test_a_command_runs_whatever_shell_it_is(shell: Console) -> None:
    assert shell.run("echo hello; echo again").text == "hello\nagain\n"


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("true", ""),
        ("printf 'no newline'", "no newline"),
        ("printf '\\n\\n  spaces \\n\\n'", "\n\n  spaces \n\n"),
        ("printf 'a\\r\\nb\\tc\\n'", "a\r\nb\tc\n"),
        ("printf '\\033[31mred\\033[0m\\010\\007'", "\x1b[31mred\x1b[0m\b\x07"),
        ("echo 'panic: not really'; echo login:", "panic: not really\nlogin:\n"),
        ("printf '%s|' \"it's $((6 * 7))\" '# ' '\\'", "it's 42|# |\\|"),
        ("echo Grüße", "Grüße\n"),
        ("cd /\npwd\nfor i in 1 2\ndo\n  echo $i\ndone", "/\n1\n2\n"),
        ("cat <<EOF\nhere\nEOF", "here\n"),
        ("cat", ""),
        ("echo out; echo err >&2", "out\nerr\n"),
    ],
)
def test_output_is_exact(shell: Console, command: str, printed: str) -> None:
    assert shell.run(command, PATIENCE).text == printed


def test_output_is_exact_where_the_terminal_changes_line_ends(shell: Console) -> None:
    shell.run("stty opost onlcr </dev/tty")
    assert shell.run("printf 'a\\nb\\r\\nc'").text == "a\nb\r\nc"


def test_bytes_that_are_no_text_can_be_had_back(shell: Console) -> None:
    text = shell.run("printf '\\377\\000\\351'").text
    assert text.encode(errors="surrogateescape") == b"\xff\0\xe9"


def test_long_output_is_whole(shell: Console) -> None:
    command = "i=0; while [ $i -lt 3000 ]; do echo line $i of a long output; i=$((i + 1)); done"
    expected = "".join(f"line {at} of a long output\n" for at in range(3000))
    assert shell.run(command, PATIENCE).text == expected


def test_a_line_without_end_is_whole(shell: Console) -> None:
    assert shell.run("printf '%050000d' 7", PATIENCE).text == "7".rjust(50000, "0")


@pytest.mark.parametrize("filling", ["x", "'", "é", "\\"], ids=repr)
def test_long_commands_arrive_whole(shell: Console, filling: str) -> None:
    word = filling * (20 * PIECE + 7)
    quoted = '"' + word.replace("\\", "\\\\") + '"'
    assert shell.run(f"printf %s {quoted}").text == word


def test_output_that_quotes_the_command_line_is_no_end(shell: Console) -> None:
    shell.run("stty echo </dev/tty")
    assert shell.run("echo first").text == "first\n"
    assert shell.run("echo second").text == "second\n"


@pytest.mark.parametrize("status", [1, 42, 255])
def test_a_status_is_told(shell: Console, status: int) -> None:
    output = shell.run(f"echo why; exit {status}", check=False)
    assert (output.text, output.status) == ("why\n", status)


def test_a_failed_command_raises_with_its_output(shell: Console) -> None:
    with pytest.raises(CommandFailed, match="exit status 3 from: ") as caught:
        shell.run("printf 'the reason: \\377'; exit 3")
    assert "the reason: \\xff" in str(caught.value)
    assert caught.value.output.status == 3


def test_what_a_failed_command_was_to_write_is_not_told(shell: Console) -> None:
    writing = "cat >/no/such/file <<'END'\nthe secret\nEND"
    with pytest.raises(CommandFailed) as failed:
        shell.run(writing)
    with pytest.raises(TimedOut) as late:
        shell.run(f"sleep 1000; {writing}", timeout=5)
    assert "from: cat >/no/such/file <<'END' ...\n" in str(failed.value)
    assert "the secret" not in f"{failed.value}{late.value}"


def test_a_command_with_a_syntax_error_fails_and_the_next_one_works(shell: Console) -> None:
    assert shell.run("echo 'never closed", check=False).status != 0
    assert shell.run("echo fine").text == "fine\n"


def test_commands_do_not_change_the_next_ones_shell(shell: Console) -> None:
    shell.run("cd /; word=changed; set -e")
    assert shell.run('echo "${word-unset}"; false; echo on').text == "unset\non\n"


def test_a_command_that_takes_too_long_is_interrupted(shell: Console) -> None:
    with pytest.raises(TimedOut, match="not done within 5 s: echo begun"):
        shell.run("echo begun; sleep 1000", timeout=5)
    assert shell.run("echo on", PATIENCE).text == "on\n"


def test_a_command_that_outlives_an_interrupt_gets_another(shell: Console) -> None:
    with pytest.raises(TimedOut):
        shell.run("trap : INT; sleep 1000; trap - INT; sleep 1000", timeout=5)
    assert shell.run("echo on", PATIENCE).text == "on\n"


def test_a_shell_that_drops_what_is_typed_after_an_interrupt_is_waited_for(shell: Console) -> None:
    with pytest.raises(TimedOut):
        shell.run(f"exec {sys.executable} -c {shlex.quote(DROPPING)}", timeout=5)
    assert shell.run("echo on", PATIENCE).text == "on\n"


def test_a_panic_during_a_command_is_told(shell: Console) -> None:
    with pytest.raises(SawFailure) as caught:
        shell.run("echo 'panic: by example'; sleep 1000", timeout=5)
    assert caught.value.sign is PANIC


@pytest.mark.parametrize("command", ["echo \x04", "a\tb", "\x1b"])
def test_keys_that_a_terminal_acts_upon_are_no_command(shell: Console, command: str) -> None:
    with pytest.raises(ValueError, match="control characters"):
        shell.run(command)


def test_a_person_sees_types_and_leaves_with_the_escape_key(
    far: socket.socket, console: Console
) -> None:
    person, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    session = threading.Thread(target=console.interact, args=(terminal, terminal))
    session.start()
    _wait_until_raw(terminal)
    far.sendall(b"login: ")
    assert _read(person, 7) == b"login: "
    os.write(person, b"ro\x03ot\r\x1dnot sent")
    session.join()
    assert far.recv(100) == b"ro\x03ot\r"
    assert termios.tcgetattr(terminal) == before
    os.close(person)
    os.close(terminal)


def test_a_person_who_is_handed_the_shell_has_prompt_echo_and_the_size_of_their_terminal(
    shell: Console,
) -> None:
    person, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (41, 133))
    shell.run("true")
    session = threading.Thread(target=shell.hand_over, args=(terminal, terminal))
    session.start()
    _read_until(person, b"# ")
    os.write(person, b"echo $((6 * 7)); stty size\r")
    shown = _read_until(person, b"41 133\r\n# ")
    assert shown.startswith(b"echo $((6 * 7)); stty size\r\n42\r\n")
    os.write(person, b"\x1d")
    session.join()
    with pytest.raises(RuntimeError):
        shell.run("true")
    os.close(person)
    os.close(terminal)


def _read_until(terminal: int, end: bytes) -> bytes:
    data = b""
    while end not in data:
        assert select.select([terminal], [], [], PATIENCE)[0], data
        data += os.read(terminal, 1024)
    return data


def test_a_person_is_let_go_when_the_machine_ends(far: socket.socket, console: Console) -> None:
    person, terminal = pty.openpty()
    session = threading.Thread(target=console.interact, args=(terminal, terminal))
    session.start()
    far.shutdown(socket.SHUT_RDWR)
    session.join()
    os.close(person)
    os.close(terminal)


def test_only_a_terminal_is_a_keyboard(console: Console) -> None:
    reading, writing = os.pipe()
    with pytest.raises(Refusal, match="needs a terminal"):
        console.interact(reading, writing)
    os.close(reading)
    os.close(writing)


def _wait_until_raw(terminal: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while termios.tcgetattr(terminal)[3] & termios.ICANON:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _read(source: int, length: int) -> bytes:
    data = b""
    while len(data) < length:
        data += os.read(source, length - len(data))
    return data


def test_closing_ends_the_reading_thread(ends: Ends, tmp_path: Path) -> None:
    with Console(ends[0], tmp_path / "box.com1"):
        assert any(thread.name == "serial line" for thread in threading.enumerate())
    assert not any(thread.name == "serial line" for thread in threading.enumerate())
