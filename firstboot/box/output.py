"""What commands tell, and how they go on when nobody listens any more."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator

from firstboot.core import output

Say = Callable[[str], None]
"""Tells a person one thing, without a newline at its end."""


def say(text: str) -> None:
    """Print `text` at once. A console that is gone does not stop what is being done."""
    with contextlib.suppress(OSError):
        output.say(text)
        sys.stdout.flush()


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C and a lost terminal, so that neither stops a change half-way."""
    numbers = (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
