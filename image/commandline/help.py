"""Help pages: the list of commands, and what one of them takes."""

import shutil
import textwrap
from collections.abc import Iterable

from image.commandline.command import Command, Group, Parameter

PROGRAM = "./exitisp"

WIDEST = 100
"""Columns that a page takes at most, however wide the terminal is."""

INDENT = "  "
NAMES = 14
"""Columns for the name of a command."""

FLAGS = 26
"""Columns for an option with its value; a longer one has a line of its own."""

HELP_OPTION = ("-h, --help", "show this page")
VERSION_OPTION = ("--version", "show the version and the commit")


def overview(title: str, commands: Iterable[Command]) -> str:
    """The list of all commands by group, in the order of their declaration."""
    groups: dict[Group, list[Command]] = {}
    for command in commands:
        groups.setdefault(command.group, []).append(command)
    sections = [
        "\n".join([group.title, *_rows(((one.name, one.summary) for one in members), NAMES)])
        for group, members in groups.items()
    ]
    general = ["Options", *_rows([HELP_OPTION, VERSION_OPTION], NAMES)]
    return "\n\n".join(
        [
            title,
            f"Usage: {PROGRAM} COMMAND [OPTIONS]",
            *sections,
            "\n".join(general),
            f"{PROGRAM} COMMAND --help explains a command, with an example.",
        ]
    )


def page(command: Command) -> str:
    """What `command` does and takes, with examples."""
    operands = [one for one in command.parameters if one.positional]
    options = [one for one in command.parameters if not one.positional]
    required = [one for one in options if one.required]
    usage = [PROGRAM, command.name, *(one.spelled for one in (*operands, *required)), "[OPTIONS]"]
    arguments = _rows(((one.option.value, _explained(one)) for one in operands), FLAGS)
    spelled = [(_spelled(one), _explained(one)) for one in options]
    flags = _rows([*spelled, HELP_OPTION], FLAGS)
    parts = [
        command.summary,
        "Usage: " + " ".join(usage),
        *(_filled(command.description).split("\n\n") if command.description else []),
        *(["\n".join(["Arguments", *arguments])] if operands else []),
        "\n".join(["Options", *flags]),
        "\n".join(["Examples", *(INDENT + one for one in command.examples)]),
    ]
    return "\n\n".join(parts)


def _spelled(parameter: Parameter) -> str:
    flags = [*(f"-{short}" for short in parameter.nicknames), parameter.flag]
    value = f" {parameter.option.value}" if parameter.takes_value else ""
    return ", ".join(flags) + value


def _explained(parameter: Parameter) -> str:
    choices = parameter.option.choices
    text = f"{' or '.join(choices)}: {parameter.help}" if choices else str(parameter.help)
    return f"{text}; may be given several times" if parameter.option.repeated else text


def _rows(rows: Iterable[tuple[str, str]], column: int) -> list[str]:
    """Two columns, the first one of `column` characters; a longer name has a line of its own."""
    lines: list[str] = []
    for name, text in rows:
        body = textwrap.wrap(text, width() - column)
        first = f"{INDENT}{name}"
        if len(first) + 2 > column:
            lines.append(first)
        else:
            lines.append(f"{first:{column}}{body.pop(0)}")
        lines += [" " * column + line for line in body]
    return lines


def _filled(text: str) -> str:
    return "\n\n".join(textwrap.fill(part, width()) for part in text.split("\n\n"))


def width() -> int:
    return min(shutil.get_terminal_size().columns, WIDEST)
