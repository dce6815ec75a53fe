"""Completion of `./exitisp` in bash and zsh, made from the declarations of the commands."""

from collections.abc import Iterable
from enum import Enum

from image.commandline.command import Command, Parameter


class Shell(Enum):
    BASH = "bash"
    ZSH = "zsh"


def script(shell: Shell, commands: Iterable[Command]) -> str:
    """The script that `shell` has to read."""
    return (_bash if shell is Shell.BASH else _zsh)(list(commands))


BASH = """\
# Completion of ./exitisp for bash. To use it: . <(./exitisp completion bash)
_exitisp() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local command=${{COMP_WORDS[1]}} words=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "{names} help --help --version" -- "$word")
        return
    fi
    case "$command $previous" in
{values}
    esac
    case $command in
    help) words="{names}" ;;
{options}
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words --help" -- "$word")
}}
complete -o bashdefault -o default -F _exitisp exitisp
"""
"""Where nothing is found, bash completes file names."""


def _bash(commands: list[Command]) -> str:
    values, options = [], []
    for command in commands:
        flags = [one for one in command.parameters if not one.positional]
        for one in (flag for flag in flags if flag.takes_value):
            spelled = " | ".join(f'"{command.name} {name}"' for name in _flags(one))
            chosen = f'mapfile -t COMPREPLY < <(compgen -W "{_choices(one)}" -- "$word"); '
            values.append(f"    {spelled}) {chosen if one.option.choices else ''}return ;;")
        words = [name for one in flags for name in _flags(one)]
        words += [_choices(one) for one in command.parameters if one.positional]
        options.append(f'    {command.name}) words="{" ".join(filter(None, words))}" ;;')
    return BASH.format(
        names=" ".join(one.name for one in commands),
        values="\n".join(values),
        options="\n".join(options),
    )


ZSH = """\
#compdef exitisp
# Completion of ./exitisp for zsh. To use it, after compinit: . <(./exitisp completion zsh)
_exitisp() {{
    local -a commands
    commands=(
{names}
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
    help) _describe command commands ;;
{cases}
    esac
}}
compdef _exitisp exitisp
"""


def _zsh(commands: list[Command]) -> str:
    return ZSH.format(
        names="\n".join(f"        {_quoted(f'{one.name}:{one.summary}')}" for one in commands),
        cases="\n".join(
            f"    {one.name}) _arguments {' '.join(map(_quoted, _specifications(one)))} ;;"
            for one in commands
        ),
    )


def _specifications(command: Command) -> Iterable[str]:
    """What zsh's _arguments takes: an option or operand, its help, what completes its value."""
    yield "--help[show this page]"
    for one in command.parameters:
        chosen = f"({_choices(one)})" if one.option.choices else ""
        value = f":{one.option.value}:{chosen or ('_files' if one.option.is_path else ' ')}"
        if one.positional:
            yield f"*{value}" if one.option.repeated else value if one.required else f":{value}"
            continue
        told = str(one.help).replace("[", "(").replace("]", ")").replace(":", " -")
        for name in _flags(one):
            star = "*" if one.option.repeated else ""
            yield f"{star}{name}[{told}]" + (value if one.takes_value else "")


def _flags(parameter: Parameter) -> list[str]:
    return [parameter.flag, *(f"-{short}" for short in parameter.nicknames)]


def _choices(parameter: Parameter) -> str:
    return " ".join(parameter.option.choices)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
