"""What a daemon at hand understands of a rendered file, told by itself.

It reads two files: the rendered one, and one that is written from the table of expected values. Of
both it prints all that it understood: its own reader, whatever its version, is the judge, and how
it writes values makes no difference. Sources: tor(1), sshd(8), unbound-checkconf(8).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from firstboot.site.render import Rendered
from firstboot.site.verify import sshd, tor, unbound
from firstboot.site.verify.context import Context, Flaw

Ask = Callable[[str, tuple[str, ...]], str | None]
"""Has the daemon read a text, laid into a file whose path takes the place of `FILE` in arguments.
What it printed; None if it does not take the text."""

FILE = "{file}"
MOST_TOLD = 5
"""Differences of one file that are told."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """A program that prints what it understood of files whose path matches `files`.

    `questions` are its arguments, once for each time that it has to be asked. In a copy, paths in
    `moved` are those of copies, and lines in `without` are blank.
    """

    program: str
    files: str
    expected: Callable[[Rendered, Context], str | None]
    questions: Callable[[str, Context], Iterator[tuple[str, ...]]]
    moved: Mapping[str, str]
    without: tuple[str, ...] = ()


def differences(
    daemon: Daemon, file: Rendered, context: Context, ask: Ask
) -> tuple[list[Flaw], bool]:
    """The flaws of a file, and whether the daemon answers at all: one of another version may take
    not even what the site asks for. Questions that it has no answer to are left out."""
    wanted_text = daemon.expected(file, context)
    if wanted_text is None:
        return [], True
    found: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for question in daemon.questions(wanted_text, context):
        if (told := ask(wanted_text, question)) is None:
            continue
        wanted.update(_named(question, told))
        if (told := ask(file.text, question)) is None:
            return [Flaw(file.path, 1, f"{daemon.program} does not take it")], True
        found.update(_named(question, told))
    if not wanted:
        return [], False
    more = [f"{daemon.program} understands {one[:80]!a}" for one in (found - wanted).elements()]
    less = [
        f"{daemon.program} does not understand {one[:80]!a}" for one in (wanted - found).elements()
    ]
    told_of = (*more, *less)[:MOST_TOLD]
    return [
        Flaw(file.path, 1, f"{reason}, other than the site asks for") for reason in told_of
    ], True


def _named(question: tuple[str, ...], told: str) -> Iterator[str]:
    """The lines of an answer, with the option that was asked for in front."""
    option = f"{question[1]}: " if question[0] == "-o" else ""
    return (option + line for line in told.splitlines())


def _tor(text: str, context: Context) -> Iterator[tuple[str, ...]]:
    yield "--dump-config", "full", "--hush", "-f", FILE


def _unbound(text: str, context: Context) -> Iterator[tuple[str, ...]]:
    """It tells one option at a time, and has no answer for a few."""
    lines = (line.strip().partition(":") for line in text.splitlines())
    asked = (name for name, _, value in lines if value)
    for option in dict.fromkeys((*asked, *DANGEROUS)):
        yield "-o", option, FILE


DANGEROUS = ("interface-automatic", "module-config", "port", "local-zone")
"""Options of Unbound that no site asks for, and with which it would do something else."""


def _sshd(text: str, context: Context) -> Iterator[tuple[str, ...]]:
    """For root from each network of administrators, and for anybody from elsewhere."""
    who = [f"user=root,addr={one.network_address}" for one in context.site.management.networks]
    for whose in (*who, f"user=nobody,addr={STRANGER}"):
        yield "-T", "-C", f"{whose},host=somewhere", "-f", FILE


STRANGER = "9.9.9.9"
"""Somebody on the Internet."""

DAEMONS = (
    Daemon(
        "tor",
        "etc/local/tor/torrc@*",
        tor.expected,
        _tor,
        {"/usr/local/etc/tor": "etc/local/tor", "/data/tor": "data/tor"},
        # Whoever asks need not have its user.
        without=("User _tor",),
    ),
    Daemon(
        "unbound-checkconf",
        "var/unbound/unbound.conf",
        unbound.expected,
        _unbound,
        {"/var/unbound": "var/unbound"},
    ),
    Daemon("sshd", "etc/ssh/sshd_config", sshd.expected, _sshd, {"/cfg/ssh": "cfg/ssh"}),
)
