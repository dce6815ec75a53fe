"""How far a long step has come: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]
"""Called with the number of bytes (or items) done since the last call."""

QUIET_SECONDS = 0.5
"""A step that ends sooner shows no bar."""

PLAIN_SECONDS = 10.0
"""Where there is no terminal, a long step prints a line this often."""


@contextmanager
def step(title: str, total: int | None = None) -> Iterator[Advance]:
    """Tell on standard error that `title` begins, how it goes and how long it took.

    `total` is in bytes. The line that ends the step is printed only if the step succeeded.
    """
    began = time.monotonic()
    if total is not None and sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(
            total=total, desc=title, unit="B", unit_scale=True, leave=False, delay=QUIET_SECONDS
        ) as bar:

            def advance(amount: int) -> None:
                bar.update(amount)

            yield advance
    else:
        yield _plain(title, total, began)
    print(f"{title}: {time.monotonic() - began:.1f} s", file=sys.stderr)


def _plain(title: str, total: int | None, began: float) -> Advance:
    done = 0
    told = began

    def advance(amount: int) -> None:
        nonlocal done, told
        done += amount
        now = time.monotonic()
        if total and now - told >= PLAIN_SECONDS:
            told = now
            print(f"{title}: {100 * done // total} % after {now - began:.0f} s", file=sys.stderr)

    return advance


def in_proportion(advance: Advance, whole: int, parts: int) -> Advance:
    """An `advance` for work of `parts` bytes that tells `advance` of `whole` bytes when all are
    done."""
    done = 0

    def part(amount: int) -> None:
        nonlocal done
        before, done = done, done + amount
        advance(whole * done // parts - whole * before // parts)

    return part
