"""All rendered files judged together, whatever the daemons themselves would accept.

Each daemon checks its own syntax. None of them knows which addresses are ours: that every packet
comes from the own scopes, that nothing listens where the site does not say, that no rule lets a
packet pass before the one that stops leaks. These checks read the finished files as the daemons
read them, and share nothing with the templates. What they cannot read is a flaw.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatch

from firstboot.core.characters import CONTROL
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site
from firstboot.site.redact import secrets
from firstboot.site.render import Box, Rendered
from firstboot.site.verify import kernel, lines, notice, rc, sshd, tor, unbound
from firstboot.site.verify.bgpd import check as bgpd
from firstboot.site.verify.context import Context, Flaw
from firstboot.site.verify.pf import check as pf

Check = Callable[[Rendered, Context], Iterator[Flaw]]

STRANGE = re.compile(r"[^\t\x20-\x7e]")
STRANGE_IN_PROSE = re.compile(f"[{CONTROL}]")

NOTICE = "etc/local/tor/exit-notice.html"

CHECKS: Mapping[str, Check] = {
    "etc/local/bgpd.conf": bgpd.check,
    NOTICE: notice.check,
    "etc/local/tor/torrc@relay*": tor.check,
    "etc/pf-fallback.conf": pf.check_fallback,
    "etc/pf.conf": pf.check,
    "etc/ssh/authorized_keys/root": sshd.check_keys,
    "etc/ssh/sshd_config": sshd.check,
    "etc/sysctl.conf": kernel.check,
    "var/unbound/unbound.conf": unbound.check,
    **dict.fromkeys(lines.LINES, lines.check),
    **dict.fromkeys(rc.WANTED, rc.check),
}
"""What judges which file. Every rendered file has one, and each has to be there."""

SHORT_LINES = {*lines.LINES, "etc/sysctl.conf"}
"""Files of programs that read a line of a certain length at once."""

LONGEST_LINE = 900
"""Characters. sysctl(8) and newsyslog(8) read 1,024 at once, syslogd(8) 2,048, and take the rest of
a longer line, of a comment as well, for the next one."""

OF_BGP = ("etc/local/bgpd.conf", "etc/cron.d/rpki-client")
"""Files that a site with a provider's addresses does not have."""

REHEARSAL = "etc/rehearsal/*"
"""Files of a rehearsal alone. No daemon of the real box reads them."""

SECRET = ("etc/local/bgpd.conf", "etc/ssh/sshd_config", "etc/ssh/authorized_keys/root")
"""Files that root alone may read."""


def verify(site: Site, box: Box, files: Iterable[Rendered]) -> list[Flaw]:
    """Everything wrong with `files` as the configuration of `site`, by path and line.

    Raises nothing: what cannot be read as its format is a flaw.
    """
    context = Context.of(site, box)
    rendered = list(files)
    flaws: list[Flaw] = []
    for file in rendered:
        flaws.extend(judge(file, context))
    missing = _expected(context) - {file.path for file in rendered}
    flaws += [Flaw(path, 1, "is missing") for path in missing]
    flaws += exposed(site, rendered)
    return sorted(set(flaws), key=lambda flaw: (flaw.path, flaw.line, flaw.reason))


def judge(file: Rendered, context: Context) -> Iterator[Flaw]:
    """Everything wrong with one file."""
    check = check_of(file.path)
    if context.site.provided and file.path in OF_BGP:
        check = None
    if check is not None:
        yield from check(file, context)
        yield from _characters(file)
        yield from _lines(file)
    elif not fnmatch(file.path, REHEARSAL):
        yield Flaw(file.path, 1, "the site has no such file: what it does is not known")


def _characters(file: Rendered) -> Iterator[Flaw]:
    """Control characters and all beyond ASCII: what is a blank or the end of a line to one program
    is a letter to another. The notice is prose, and may have letters beyond ASCII."""
    unknown = STRANGE_IN_PROSE if file.path == NOTICE else STRANGE
    for number, line in enumerate(file.text.split("\n"), 1):
        if strange := unknown.search(line):
            yield Flaw(file.path, number, f"programs read the character {strange[0]!a} differently")


def _lines(file: Rendered) -> Iterator[Flaw]:
    """Lines that some programs do not read, or read as several."""
    if file.text and not file.text.endswith("\n"):
        last = file.text.count("\n") + 1
        yield Flaw(file.path, last, "the last line does not end, and cron leaves out such a one")
    if file.path not in SHORT_LINES:
        return
    for number, line in enumerate(file.text.split("\n"), 1):
        if len(line) > LONGEST_LINE:
            reason = f"longer than {LONGEST_LINE} characters: the rest counts as a line of its own"
            yield Flaw(file.path, number, reason)


def check_of(path: str) -> Check | None:
    return next((check for pattern, check in CHECKS.items() if fnmatch(path, pattern)), None)


def _expected(context: Context) -> set[str]:
    relays = {f"etc/local/tor/torrc@relay{relay.number}" for relay in context.plan.relays}
    without = OF_BGP if context.site.provided else ()
    return relays | {path for path in CHECKS if "*" not in path and path not in without}


def verified(
    site: Site, box: Box, files: list[Rendered], say: Callable[[str], None]
) -> list[Rendered]:
    """`files`, if there is nothing wrong with them. Raises Refusal once all flaws are told."""
    ensure_flawless(verify(site, box, files), say)
    return files


def ensure_flawless(flaws: list[Flaw], say: Callable[[str], None]) -> None:
    """Raises Refusal if there are flaws, once all of them are told."""
    for flaw in flaws:
        say(str(flaw))
    if flaws:
        many = "1 flaw" if len(flaws) == 1 else f"{len(flaws)} flaws"
        raise Refusal(
            f"/{flaws[0].path}:{flaws[0].line}",
            f"{many} in the rendered configuration (listed above)",
            "Correct the template, or the site's own values; nothing has changed",
        )


def exposed(site: Site, files: Iterable[Rendered]) -> list[Flaw]:
    """Files that others than root may write to, or read although there is a secret in them."""
    return [
        Flaw(file.path, 1, reason)
        for file in files
        if (reason := _exposure(site, file)) is not None
    ]


def _exposure(site: Site, file: Rendered) -> str | None:
    if file.mode & 0o7000:
        return f"mode {file.mode:04o}: a program would run with the rights of its owner"
    if file.mode & 0o022:
        return f"mode {file.mode:04o}: others than root may write to it"
    if file.mode & 0o077 and file.path in SECRET:
        return f"mode {file.mode:04o}: others than root may read it"
    if file.mode & 0o077 and any(secret in file.text for secret in secrets(site)):
        return f"has a secret in it and mode {file.mode:04o}, not 0600"
    return None
