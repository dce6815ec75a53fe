"""Commands as they are declared: Invoke tasks that say what each of their parameters takes."""

import functools
import inspect
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task

from firstboot.core.refusal import Refusal

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it: 128 + SIGINT."""


@dataclass(frozen=True, slots=True)
class Option:
    """What one parameter of a command takes on the command line.

    `help` explains it. `value` names its value in help pages (``FOLDER``); the values of an Enum
    name themselves. `kind` turns the text into the value: Path, an Enum, or
    `number`, which raises ValueError. `short` is its one-letter flag. An `operand` is given
    without a flag. What is `repeated` may be given several times; the parameter gets a list.
    """

    help: str
    value: str = "TEXT"
    kind: Callable[[str], Any] = str
    short: str = ""
    operand: bool = False
    repeated: bool = False

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that can be given; empty if they cannot be listed."""
        if isinstance(self.kind, type) and issubclass(self.kind, Enum):
            return tuple(str(one.value) for one in self.kind)
        return ()

    @property
    def is_path(self) -> bool:
        return self.kind is Path

    def convert(self, text: str, name: str) -> Any:
        """The value that `text` means. Raises Refusal about `name`."""
        choices = self.choices
        if choices and text not in choices:
            raise Refusal(name, f"{text!r} is not known", f"Choose {' or '.join(choices)}")
        try:
            return self.kind(text)
        except ValueError as error:
            form = ", in digits" if self.kind is number else ""
            raise Refusal(name, str(error), f"Write {name} {self.value}{form}") from None


def number(text: str) -> int:
    """A whole number, 1 or larger. Raises ValueError."""
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) == 0:
        raise ValueError(f"{text!r} is not a whole number above 0")
    return int(text)


def day(text: str) -> date:
    """A day of the calendar, as ISO 8601 writes it. Raises ValueError."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ValueError(f"{text!r} is not a day such as 2026-11-30") from None


class Parameter(Argument):
    """Invoke's argument for one parameter of a command's function."""

    def __init__(self, parameter: inspect.Parameter, option: Option) -> None:
        self.option = option
        self.required = parameter.default is inspect.Parameter.empty
        dashed = parameter.name.strip("_").replace("_", "-")
        is_switch = isinstance(parameter.default, bool)
        super().__init__(
            names=(dashed, option.short) if option.short else (dashed,),
            kind=list if option.repeated else bool if is_switch else str,
            default=None if self.required or option.repeated else parameter.default,
            help=option.help,
            positional=option.operand,
            attr_name=parameter.name if parameter.name != dashed else None,
        )

    @property
    def flag(self) -> str:
        return f"--{self.names[0]}"

    @property
    def spelled(self) -> str:
        """How usage lines write it: ``SITE...``, ``[IMAGE]``, ``--key FILE``."""
        name = self.option.value if self.takes_value else ""
        if self.option.repeated:
            name += "..."
        if not self.positional:
            name = f"{self.flag} {name}".rstrip()
        return name if self.required else f"[{name}]"

    def set_value(self, value: Any, cast: bool = True) -> None:
        if isinstance(value, str):
            value = self.option.convert(value, self.option.value if self.positional else self.flag)
        self.raw_value = value
        self._value = [*self.value, value] if self.option.repeated else value


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that serve one purpose, under the heading `title` in the list of commands."""

    title: str


class Command(Task[Any]):
    """An Invoke task that belongs to a group and declares its parameters.

    Its docstring is its help page: a sentence, paragraphs, then lines ``Example: ./exitisp ...``.
    A Refusal, or another exception of `told`, ends it as one sentence with exit status 1.
    """

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        group: Group,
        options: dict[str, Option],
        told: tuple[type[Exception], ...] = (),
        **settings: Any,
    ) -> None:
        name = body.__name__.replace("_", "-")
        super().__init__(body, name=name, auto_shortflags=False, **settings)
        self.group = group
        self.told: tuple[type[Exception], ...] = (Refusal, *told)
        self.options = options
        self.parameters = self.declared()

    def declared(self) -> tuple[Parameter, ...]:
        """The parameters of the function with what `options` says of them. Raises TypeError."""
        parameters = self.argspec(self.body).parameters
        if parameters.keys() != self.options.keys():
            raise TypeError(f"{self.name}: parameters and declared options differ")
        return tuple(Parameter(one, self.options[name]) for name, one in parameters.items())

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Fresh ones, for the values of one command line; operands first, as Invoke wants them."""
        return sorted(self.declared(), key=lambda one: not one.positional)

    @property
    def summary(self) -> str:
        return inspect.getdoc(self.body).splitlines()[0]  # type: ignore[union-attr]

    @property
    def description(self) -> str:
        """The paragraphs between the first line and the examples."""
        lines = (inspect.getdoc(self.body) or "").splitlines()[1:]
        return "\n".join(line for line in lines if not line.startswith("Example: ")).strip()

    @property
    def examples(self) -> list[str]:
        lines = (inspect.getdoc(self.body) or "").splitlines()
        return [line.removeprefix("Example: ") for line in lines if line.startswith("Example: ")]

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return super().__call__(*arguments, **options)
        except self.told as failure:
            raise Exit(f"exitisp: {failure}", code=1) from None
        except KeyboardInterrupt:
            message = "exitisp: interrupted; nothing half-made was left"
            raise Exit(message, code=INTERRUPTED) from None


def command(
    group: Group,
    *,
    told: Sequence[type[Exception]] = (),
    pre: Sequence[Task[Any]] = (),
    **options: Option,
) -> Callable[[Callable[..., Any]], Command]:
    """Makes a function a command of `group`; `options` has an entry for each of its parameters."""
    return functools.partial(Command, group=group, options=options, told=tuple(told), pre=[*pre])
