"""A power cut at any step of writing: what was not synchronised is lost, and nothing runs on."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

STEPS = ("open", "fsync", "replace", "rename", "unlink", "symlink", "mkdir", "rmdir")
"""Functions of `os`, each call of which is a step."""


class PowerCut(BaseException):
    """No cleaning up happens: it is no Exception."""


@contextmanager
def power_cut(before: int) -> Iterator[Callable[[], int]]:
    """The power goes before step number `before` (from 0 on), and stays off. Yields what counts
    the steps so far. Files that were opened to be written and not synchronised are then empty."""
    taken = 0
    unsafe: dict[int, str] = {}
    real = {name: getattr(os, name) for name in STEPS}

    def step(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal taken
            if taken >= before:
                _lose(unsafe)
                raise PowerCut
            taken += 1
            result = real[name](*arguments, **options)
            if name == "open" and arguments[1] & (os.O_WRONLY | os.O_RDWR):
                unsafe[result] = os.path.realpath(arguments[0])
            if name == "fsync":
                unsafe.pop(arguments[0], None)
            return result

        return call

    with ExitStack() as patches:
        for name in STEPS:
            patches.enter_context(mock.patch.object(os, name, step(name)))
        yield lambda: taken


def _lose(unsafe: dict[int, str]) -> None:
    for path in unsafe.values():
        if Path(path).is_file():
            os.truncate(path, 0)
    unsafe.clear()


def at_every_step(prepare: Callable[[], Any], work: Callable[[Any], object]) -> Iterator[Any]:
    """Do `work` on what `prepare` makes, with the power cut before its first step, its second one,
    and so on, until it gets to its end. Yields each as the cut left it."""
    number = 0
    while True:
        subject = prepare()
        try:
            with power_cut(number):
                work(subject)
        except PowerCut:
            yield subject
            number += 1
            continue
        yield subject
        return
