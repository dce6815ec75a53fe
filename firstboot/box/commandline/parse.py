"""Reads a command line by the declarations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from textwrap import wrap

from firstboot.box.commandline.declared import COMMANDS, GROUPS, Command, Kind, Operand
from firstboot.core.refusal import Refusal

HELP = ("--help", "-h", "help")

WIDTH = 78
"""Columns of a line of help."""


class Misused(Refusal):
    """A command line that is not understood."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a command line asks for.

    `values` are those of the operands and options that were given, by their names: numbers as int,
    all others as str. `flags` are the options that were given. `root` is empty on the box itself;
    tests name the folder of another root with --root.
    """

    command: Command
    values: dict[str, str | int] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    root: str = ""

    def text(self, name: str) -> str:
        """The value of an operand, or "" if it was left out."""
        return str(self.values.get(name, ""))

    def number(self, name: str) -> int | None:
        """The number that an operand of that kind has, or None if it was left out."""
        found = self.values.get(name)
        return found if isinstance(found, int) else None


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line asks for `text`, which is help, or for the version, if that is empty."""

    text: str = ""
    root: str = ""


def parse(words: Sequence[str]) -> Call | Asked:
    """Reads the command line without its first word. Raises Misused."""
    left = list(words)
    root = ""
    if left[:1] == ["--root"] and len(left) > 1:
        root, left = left[1], left[2:]
    if not left:
        raise Misused("exitisp", "a command is missing", "Run exitisp --help for the list")
    name, *rest = left
    if name == "--version":
        return Asked(root=root)
    if name in HELP:
        return Asked(_help(rest))
    if name not in COMMANDS:
        raise _unknown("exitisp", "command" if name[:1] != "-" else "option", name, COMMANDS)
    command = COMMANDS[name]
    if any(word in HELP[:2] for word in rest):
        return Asked(help_of(command))
    return _call(command, rest, root)


def _call(command: Command, words: list[str], root: str) -> Call:
    known = {flag.name: flag for flag in command.flags}
    where = f"exitisp {command.name}"
    given: list[str] = []
    flags: set[str] = set()
    numbers: dict[str, str | int] = {}
    left = iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if word == "--":
            given += left
        elif word[:1] != "-" or word == "-":
            given.append(word)
        elif name in known and known[name].value:
            flag = known[name]
            operand = Operand(f"{name} {flag.value}", Kind.NUMBER, flag.what)
            text = value if equals else next(left, "")
            numbers[name] = _value(command, operand, text)
            flags.add(name)
        elif word in known:
            flags.add(word)
        else:
            raise _unknown(where, "option", word, (*known, "--help"))
    if len(given) > len(command.operands):
        extra = given[len(command.operands)]
        raise Misused(where, f"'{extra}' is one argument too many", _try(command))
    values = {
        one.name: _value(command, one, word)
        for one, word in zip(command.operands, given, strict=False)
    }
    for one in command.operands[len(given) :]:
        if not one.optional:
            raise Misused(where, f"{one.name} is missing: {one.what}", _try(command))
    if len([name for name in command.one_of if name in flags or name in values]) > 1:
        several = " and ".join(command.one_of)
        raise Misused(where, f"{several} exclude each other", _try(command))
    return Call(command, values | numbers, frozenset(flags), root)


def _value(command: Command, operand: Operand, word: str) -> str | int:
    if not word:
        raise Misused(f"exitisp {command.name}", f"{operand.name} is empty", _try(command))
    if operand.kind is not Kind.NUMBER:
        return word
    if not (word.isascii() and word.isdecimal() and int(word[:10]) > 0 and len(word) < 10):
        raise Misused(
            f"exitisp {command.name}",
            f"{operand.name} is '{word}', which is not a number from 1 on",
            _try(command),
        )
    return int(word)


def _unknown(where: str, what: str, word: str, known: Iterable[str]) -> Misused:
    near = get_close_matches(word, list(known), n=1)
    remedy = f"Did you mean {near[0]}? {where} --help lists them" if near else f"Run {where} --help"
    return Misused(where, f"there is no {what} '{word}'", remedy)


def _try(command: Command) -> str:
    return f"For example: {command.example}"


def _help(names: Sequence[str]) -> str:
    if not names:
        return help_of_all()
    if names[0] not in COMMANDS:
        raise _unknown("exitisp", "command", names[0], COMMANDS)
    return help_of(COMMANDS[names[0]])


def help_of_all() -> str:
    """The commands by what one wants to do."""
    lines = ["usage: exitisp COMMAND [ARGUMENT ...]", ""]
    for group in GROUPS:
        lines.append(f"{group.title}:")
        lines += [f"  {one.name:13}{one.what}" for one in group.commands]
        lines.append("")
    lines += [
        "exitisp COMMAND --help explains one of them, and exitisp --version tells the release.",
        "Example: exitisp status",
    ]
    return "\n".join(lines)


def help_of(command: Command) -> str:
    """One command, with an example."""
    lines = [f"usage: exitisp {command.usage}", "", *wrap(_sentence(command.what), WIDTH), ""]
    lines += wrap(command.more, WIDTH)
    rows = [(one.name, one.what) for one in command.operands]
    rows += [(one.usage, one.what) for one in command.flags]
    if rows:
        lines.append("")
        for name, what in rows:
            indent = " " * 15
            lines += wrap(what, WIDTH, initial_indent=f"  {name:12} ", subsequent_indent=indent)
    return "\n".join([*lines, "", f"Example: {command.example}"])


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
