"""Printing on whatever standard output is."""

import sys

_CONTROL = {*range(0x20), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t")}
_DIRECTION = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
ACTING = dict.fromkeys((*_CONTROL, *_DIRECTION), "?")
"""Characters that move the cursor, colour or retitle a terminal, or turn the direction of a text:
names of other networks and errors of other programs may have them."""


def say(text: str) -> None:
    """Print `text`. Characters that the terminal's encoding lacks, and those that would act on the
    terminal, become question marks; without a standard output nothing happens."""
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "ascii"
    print(text.translate(ACTING).encode(encoding, "replace").decode(encoding))
