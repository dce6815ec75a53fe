"""What a service of the box is: its program, its files, and how it takes on a change of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """`name` is the name of its rc(8) script, `what` its label for people.

    It is installed if `program` is on the box. A running service takes on a change of its files in
    `reads` with `reload`; after a change of one in `fixed` it has to be restarted. Paths are
    patterns (fnmatch) without a leading slash. `ready` is a command that succeeds while the service
    runs and answers. A service without it is a setting, which is done when `start` ends.
    """

    name: str
    what: str
    program: str
    reads: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    reload: Command = ()
    """Empty for a service that notices by itself that a file has changed."""

    ready: Command = ()
    may_be_off: bool = False
    """Whether a site may leave it out."""

    @property
    def start(self) -> Command:
        return "service", self.name, "start"

    @property
    def stop(self) -> Command:
        return "service", self.name, "stop"

    def rereads(self, changed: Iterable[str]) -> bool:
        return _any(changed, self.reads)

    def restarts(self, changed: Iterable[str]) -> bool:
        return _any(changed, self.fixed)


def _any(paths: Iterable[str], patterns: Iterable[str]) -> bool:
    wanted = tuple(patterns)
    return any(fnmatch(path, pattern) for path in paths for pattern in wanted)
