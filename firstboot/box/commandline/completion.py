"""Completion of the box's commands in bash and zsh, made from the declarations."""

from collections.abc import Iterable

from firstboot.box.commandline.declared import COMMANDS, Command, Kind, Operand

BASH_PATH = "usr/local/share/bash-completion/completions/exitisp"
ZSH_PATH = "usr/local/share/zsh/site-functions/_exitisp"
"""Where the image has them, and where both shells of the packages look."""

BASH = """\
# Made by ./exitisp docs. Completion of exitisp(8) for bash.
_exitisp() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{names} help --help --version"
    else
        case ${{COMP_WORDS[1]}} in
        help) words="{names}" ;;
{cases}
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -o bashdefault -o default -F _exitisp exitisp
"""
"""Where no word fits, bash completes the names of files."""

ZSH = """\
#compdef exitisp
# Made by ./exitisp docs. Completion of exitisp(8) for zsh.
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
_exitisp "$@"
"""


def bash() -> str:
    """The file at `BASH_PATH`."""
    return BASH.format(
        names=" ".join(one.name for one in _people()),
        cases="\n".join(
            f'        {one.name}) words="{" ".join(_words(one))}" ;;' for one in _people()
        ),
    )


def zsh() -> str:
    """The file at `ZSH_PATH`."""
    return ZSH.format(
        names="\n".join(f"        {_quoted(f'{one.name}:{one.what}')}" for one in _people()),
        cases="\n".join(
            f"    {one.name}) _arguments {' '.join(map(_quoted, _specifications(one)))} ;;"
            for one in _people()
        ),
    )


def _people() -> list[Command]:
    return [one for one in COMMANDS.values() if not one.for_rc]


def _words(command: Command) -> Iterable[str]:
    yield from (flag.name for flag in command.flags)
    yield from (word for one in command.operands for word in one.words)
    yield "--help"


def _specifications(command: Command) -> Iterable[str]:
    """What _arguments of zsh takes: an option or operand, its help, what completes its value."""
    yield "--help[show how to use it]"
    for flag in command.flags:
        yield f"{flag.name}[{flag.what}]" + (f":{flag.value}: " if flag.value else "")
    for one in command.operands:
        yield f":{':' if one.optional else ''}{one.name}:{_completes(one)}"


def _completes(operand: Operand) -> str:
    if operand.words:
        return f"{{_files; compadd -- {' '.join(operand.words)}}}"
    return "_files" if operand.kind in (Kind.FILE, Kind.FOLDER) else " "


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
