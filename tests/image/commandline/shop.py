"""Commands of every kind, for the tests."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from invoke.collection import Collection
from invoke.context import Context

from firstboot.core.refusal import Refusal
from image.commandline.command import Command, Group, Option, command, number
from image.commandline.completion import Shell
from image.commandline.program import Program

FIRST = Group("First things")
OTHER = Group("Other things")

called: list[dict[str, Any]] = []
"""The arguments of every call."""


class Broken(Exception):
    """A failure that its command tells as one sentence."""


@command(
    FIRST,
    told=[Broken],
    source=Option("what is sold", "SOURCE", Path, operand=True),
    target=Option("to whom", "TARGET", Path, operand=True),
    shell=Option("how it is wrapped", "SHELL", Shell),
    size=Option("how much, in litres", "LITRES", number, "s"),
    extra=Option("something more", "FILE", Path, repeated=True),
    gift=Option("wrap it as a gift"),
    fail=Option("how it fails"),
)
def sell(
    _: Context,
    source: Path,
    target: Path | None = None,
    shell: Shell | None = None,
    size: int = 7,
    extra: Sequence[Path] = (),
    gift: bool = False,
    fail: str = "",
) -> None:
    """Sell something.

    What is sold is gone.

    Example: ./exitisp sell bread
    """
    if fail == "refusal":
        raise Refusal("bread", "it is sold out", "Come back tomorrow")
    if fail == "broken":
        raise Broken("the till is broken")
    if fail == "interrupt":
        raise KeyboardInterrupt
    given = {"source": source, "target": target, "shell": shell, "size": size}
    called.append(given | {"extra": list(extra), "gift": gift})


@command(
    OTHER,
    names=Option("who", "NAME", operand=True, repeated=True),
    by=Option("who asks", "NAME"),
)
def greet(_: Context, names: Sequence[str], by: str) -> None:
    """Greet people.

    Example: ./exitisp greet Ada Grace --by Alan
    """
    called.append({"names": list(names), "by": by})


def shop(root: Path) -> Program:
    module = ModuleType("shop")
    vars(module).update({one.name: one for one in (sell, greet) if isinstance(one, Command)})
    return Program(Collection.from_module(module), root, {"buy": "Its name is sell"})
