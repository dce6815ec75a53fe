"""The program as the box has it: ``python -m firstboot``, and what is frozen."""

import sys

from firstboot.box.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
