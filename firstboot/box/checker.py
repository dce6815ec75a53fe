"""How a daemon checks its own configuration file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checker:
    """A command that checks every rendered file whose path matches `pattern` (fnmatch).

    `program` is its absolute path, and it is started by that path: sshd insists on it. `{file}` in
    `arguments` stands for the path of a copy. In the copy, paths in `moved` are replaced by those
    of copies, and lines in `without` are blank.
    """

    pattern: str
    program: str
    arguments: tuple[str, ...]
    moved: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.program.rpartition("/")[2]
