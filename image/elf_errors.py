"""What pyelftools raises for bytes that only begin like an ELF file."""

from elftools.common.exceptions import ELFError
from elftools.construct import ConstructError

DAMAGE = (
    *(ELFError, ConstructError, LookupError, ArithmeticError, AttributeError, TypeError),
    *(ValueError, AssertionError, MemoryError, RecursionError, OSError),
)
