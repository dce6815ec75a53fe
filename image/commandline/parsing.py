"""Reads a command line: one command, its options, and its operands in any order between them."""

from collections import deque
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from invoke.parser.context import ParserContext
from invoke.parser.parser import Parser as InvokeParser
from invoke.parser.parser import ParseResult

from firstboot.core.refusal import Refusal
from image.commandline.command import Parameter


class Parser(InvokeParser):
    """Invoke's parser with operands that may be left out or repeated, and one command a line.

    As in POSIX's guidelines, ``--`` ends the options. ``--name VALUE`` and ``--name=VALUE`` are the
    same.
    """

    def parse_argv(self, argv: Sequence[str]) -> ParseResult:
        """The command's context with the values given. Raises Refusal for anything wrong."""
        name, *words = argv
        if name not in self.contexts:
            raise unknown(name, "command", self.contexts, "./exitisp --help lists the commands")
        context: ParserContext = self.contexts[name]
        operands = _take_options(context, deque(words))
        _take_operands(context, operands)
        for argument in context.args.values():
            if isinstance(argument, Parameter) and argument.required and not argument.got_value:
                raise Refusal(
                    name,
                    f"{argument.spelled} is missing ({argument.help})",
                    f"./exitisp {name} --help has an example",
                )
        return ParseResult([context])


def _take_options(context: ParserContext, words: deque[str]) -> list[str]:
    """Sets the options that stand in `words`, and returns the other words."""
    options = {
        flag: argument
        for flag, argument in context.flags.items()
        if isinstance(argument, Parameter) and not argument.positional
    }
    for argument in list(options.values()):
        options |= {f"-{short}": argument for short in argument.nicknames}
    operands: list[str] = []
    given: set[str] = set()
    while words:
        word = words.popleft()
        if word == "--":
            return [*operands, *words]
        if not word.startswith("-") or word == "-":
            operands.append(word)
            continue
        flag, has_value, value = word.partition("=")
        if flag not in options:
            raise unknown(flag, "option", options, f"./exitisp {context.name} --help lists them")
        option = options[flag]
        if option.flag in given and not option.option.repeated:
            raise Refusal(flag, "it is given twice", "Give it once")
        given.add(option.flag)
        if not option.takes_value:
            if has_value:
                raise Refusal(flag, "it takes no value", f"Write {flag} alone")
            option.set_value(True)
            continue
        if not has_value:
            if not words or words[0].partition("=")[0] in options or words[0] == "--":
                raise Refusal(flag, "its value is missing", f"Write {flag} {option.option.value}")
            value = words.popleft()
        option.set_value(value)
    return operands


def _take_operands(context: ParserContext, words: Sequence[str]) -> None:
    """Gives the words that are no options to the command's operands, in their order."""
    left = deque(words)
    for argument in context.positional_args:
        assert isinstance(argument, Parameter)
        while left:
            argument.set_value(left.popleft())
            if not argument.option.repeated:
                break
    if left:
        raise Refusal(
            left[0],
            f"{context.name} takes no such argument",
            f"./exitisp {context.name} --help says what it takes",
        )


def unknown(word: str, what: str, known: Iterable[str], listed: str) -> Refusal:
    """The refusal of a word that names no command or option, with the nearest one that does, and
    with where they are `listed`."""
    near = get_close_matches(word, known, n=1)
    question = f"Did you mean {near[0]}? " if near else ""
    return Refusal(word, f"no such {what}", question + listed)
