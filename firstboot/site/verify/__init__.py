"""What must hold across the rendered files, whatever the daemons themselves would accept.

Each daemon checks its own syntax. None of them knows which addresses are ours: that every packet
comes from the own scopes, that nothing listens where the site does not say, that no rule lets a
packet pass before the one that stops leaks. These checks read the finished files, not the
templates' intentions.
"""

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch

from firstboot.core.refusal import Refusal
from firstboot.site.model import Site
from firstboot.site.redact import secrets
from firstboot.site.render import Box, Rendered
from firstboot.site.verify import rc, sshd, tor, unbound
from firstboot.site.verify.bgpd import check as bgpd
from firstboot.site.verify.context import Context, Flaw
from firstboot.site.verify.pf import check as pf

Check = Callable[[Rendered, Context], Iterator[Flaw]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("var/unbound/unbound.conf", unbound.check),
    ("etc/local/tor/torrc@*", tor.check),
    ("etc/local/bgpd.conf", bgpd.check),
    ("etc/pf.conf", pf.check),
    ("etc/pf-fallback.conf", pf.check_fallback),
    *((place, rc.check) for place in rc.PLACES),
    ("etc/ssh/sshd_config", sshd.check),
)
"""Which files are checked by what; each pattern has to be met by a file."""


def lint(site: Site, box: Box, files: Iterable[Rendered]) -> list[Flaw]:
    """Everything wrong with `files` as the configuration of `site`, by path and line."""
    context = Context.of(site, box)
    rendered = list(files)
    flaws: list[Flaw] = []
    for pattern, check in CHECKS:
        matching = [file for file in rendered if fnmatch(file.path, pattern)]
        if not matching:
            flaws.append(Flaw(pattern, 1, "is missing, so nothing can be said of it"))
        for file in matching:
            flaws.extend(check(file, context))
    flaws.extend(rc.check_together(rendered))
    flaws.extend(_exposed(site, rendered))
    return sorted(flaws, key=lambda flaw: (flaw.path, flaw.line))


def judged(
    site: Site, box: Box, files: list[Rendered], say: Callable[[str], None]
) -> list[Rendered]:
    """`files`, if there is nothing wrong with them. Raises Refusal once all flaws are told."""
    flaws = lint(site, box, files)
    for flaw in flaws:
        say(str(flaw))
    if flaws:
        raise Refusal(
            f"/{flaws[0].path}:{flaws[0].line}",
            expected="a configuration that neither leaks nor records",
            found=f"{len(flaws)} flaws, told above",
            remedy="correct the template, or the site's own values; nothing has changed",
        )
    return files


def _exposed(site: Site, files: list[Rendered]) -> Iterator[Flaw]:
    for file in files:
        if file.mode & 0o077 and any(secret in file.text for secret in secrets(site)):
            yield Flaw(
                file.path, 1, f"has a secret in it and mode {file.mode:04o}; expected mode 0600"
            )


__all__ = ["Flaw", "judged", "lint"]
