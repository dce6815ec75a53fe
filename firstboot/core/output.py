"""Printing on whatever standard output is."""

import sys


def say(text: str) -> None:
    """Print `text`. Characters that the terminal's encoding lacks become question marks; without a
    standard output nothing happens."""
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "ascii"
    print(text.encode(encoding, "replace").decode(encoding))
