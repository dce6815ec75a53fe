"""The program as the box has it: ``python -m firstboot``, and what is frozen."""

import sys


def run(words: list[str]) -> int:
    """Load the program and run the command line `words`. Returns its exit code; 130 if Ctrl-C came
    while it loaded, which takes seconds on a slow processor."""
    try:
        from firstboot.box.cli import main

        return main(words)
    except KeyboardInterrupt:
        print("exitisp: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
