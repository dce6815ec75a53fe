"""The program `./exitisp`: Invoke's, with our parser and help, and no options of Invoke's own."""

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.parser.parser import ParseResult
from invoke.program import Program as InvokeProgram

from firstboot.core.refusal import Refusal
from image.commandline import help as pages
from image.commandline.command import Command
from image.commandline.parsing import Parser, unknown

WRONG_USAGE = 2
"""The exit status for a command line that cannot be understood."""

HELP = ("-h", "--help")
LISTS = (*HELP, "help", "-l", "--list")


class Program(InvokeProgram):
    """Runs one of the commands of `collection`, of the project in the folder `root`.

    `moved` has words that were, or look like, commands, and what to type instead.
    """

    def __init__(self, collection: Collection, root: Path, moved: Mapping[str, str]) -> None:
        super().__init__(namespace=collection, name="exitisp", binary=pages.PROGRAM)
        self.root = root
        self.moved = moved

    @property
    def commands(self) -> dict[str, Command]:
        """The commands by name, in the order of their declaration."""
        assert self.namespace is not None
        found = self.namespace.tasks.values()
        return {one.name: one for one in found if isinstance(one, Command)}

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:
        """Run the command line `argv`. Ends quietly if nobody reads the output any more."""
        try:
            try:
                super().run(argv, exit)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            # What is left in the buffer must not fail again when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(128 + signal.SIGPIPE)

    def parse_core(self, argv: list[str] | None) -> None:
        """Answers what asks for help or the version. Raises Exit then."""
        self.normalize_argv(argv)
        self.core = ParseResult()
        first, *rest = self.argv[1:] or [pages.PROGRAM]
        if first in ("--version", "-V"):
            print(version(self.root))
            raise Exit
        if first in LISTS and rest and rest[0] not in LISTS:
            self.show_help(rest[0])
        if first == pages.PROGRAM or first in LISTS:
            print(pages.overview(title(self.root), self.commands.values()))
            raise Exit
        options = rest[: rest.index("--")] if "--" in rest else rest
        if any(word in HELP for word in options):
            self.show_help(first)

    def show_help(self, name: str) -> None:
        """Print the page of the command `name`. Raises Exit."""
        if name not in self.commands:
            raise self.wrong(self.no_command(name))
        print(pages.page(self.commands[name]))
        raise Exit

    def parse_tasks(self) -> None:
        first = self.argv[1]
        if first not in self.commands:
            raise self.wrong(self.no_command(first))
        parser = Parser(contexts=self.collection.to_contexts())
        try:
            self.tasks = parser.parse_argv(self.argv[1:])
        except Refusal as refusal:
            raise self.wrong(refusal) from None

    def no_command(self, word: str) -> Refusal:
        if word in self.moved:
            return Refusal(word, "it is no command here", self.moved[word])
        if word.startswith("-"):
            return Refusal(word, "an option follows a command", f"See {pages.PROGRAM} --help")
        return unknown(word, "command", self.commands, f"{pages.PROGRAM} --help lists them")

    def wrong(self, refusal: Refusal) -> Exit:
        return Exit(f"exitisp: {refusal}", code=WRONG_USAGE)

    def parse_cleanup(self) -> None:
        """Nothing: help was answered before the tasks were parsed."""

    def update_config(self, merge: bool = True) -> None:
        """Invoke's settings are its defaults: there are no options for them."""
        self.config.merge()


def title(root: Path) -> str:
    """The program's name, version and purpose."""
    project = _project(root)
    return f"exitisp {project['version']}. {project['description']}."


def version(root: Path) -> str:
    """The project's version and the commit that is checked out, with a mark if files differ."""
    asked = subprocess.run(
        ["git", "-C", root, "describe", "--always", "--dirty=, with changes", "--exclude=*"],
        capture_output=True,
        text=True,
    )
    commit = f"commit {asked.stdout.strip()}" if asked.returncode == 0 else "not in a git checkout"
    return f"exitisp {_project(root)['version']} ({commit})"


def _project(root: Path) -> dict[str, str]:
    project: dict[str, str] = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return project
