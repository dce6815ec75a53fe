"""What a reader of something from outside raises."""


class Damaged(ValueError):
    """The input is not what it should be, is cut off, or goes beyond a limit of
    `firstboot.core.limits`. The text says which, as a clause about "it"."""
